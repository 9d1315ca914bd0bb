"""Objects as a bucket lists them, the header that all of ours have, and keys for checks."""

import secrets
from dataclasses import dataclass
from datetime import datetime

CACHE_CONTROL = "private, max-age=31536000, immutable"
"""An object's bytes never change, and its links are for one person's browser."""

PROBE_PREFIX = "photos/-/"
"""No photo can have a key below it: using one proves the connection and the signature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object in a listing. `size` is in bytes; `modified_at` is by the store's clock."""

    key: str
    size: int
    modified_at: datetime


def probe_key() -> str:
    """Return a new key that no photo can have, for an object that proves what the store does."""
    return f"{PROBE_PREFIX}probe-{secrets.token_hex(16)}"
