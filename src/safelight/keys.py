"""The keys of objects in the bucket: made of random ids, never of anything that a client sent.

An id is 128 random bits as 32 characters of lower-case hex. URLs, file systems and stores that
ignore case leave these alone, and `int(id, 16)` returns the bits.

::

    photos/<storage id>/original      the photo's own bytes
    photos/<storage id>/<digest>      a rendition, by the digest of its preset
    incoming/<upload id>              the bytes of a direct upload, until they are checked
    quarantine/<date>/<key>           an orphan, by the day (UTC) and its former key

The functions that make keys raise ValueError for a malformed id, so that no key is made from user
input by mistake. Those that parse keys, which may be anything, return None instead.
"""

import re
import secrets
from datetime import date
from typing import Final

PHOTOS: Final = "photos/"
INCOMING: Final = "incoming/"
QUARANTINE: Final = "quarantine/"

_MALFORMED: Final = "an id is 32 characters of lower-case hex"
_ID = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"[0-9a-f]{16,64}")
match_photo: Final = re.compile(r"photos/([0-9a-f]{32})/(?:original|[0-9a-f]{16,64})").fullmatch
"""Matches the key of a photo's object; its group is the storage id."""
_INCOMING = re.compile(r"incoming/([0-9a-f]{32})")
_QUARANTINED = re.compile(r"quarantine/([0-9]{4}-[0-9]{2}-[0-9]{2})/(.+)", re.DOTALL)


def new_storage_id() -> str:
    """Return a new random id."""
    return secrets.token_hex(16)


def prefix(storage_id: str) -> str:
    """Return the prefix of all objects of a photo; it ends with a slash."""
    if _ID.fullmatch(storage_id) is None:
        raise ValueError(_MALFORMED)
    return f"photos/{storage_id}/"


def original(storage_id: str) -> str:
    """Return the key of a photo's original."""
    return f"{prefix(storage_id)}original"


def rendition(storage_id: str, digest: str) -> str:
    """Return the key of a rendition; `digest` is its preset's, 16 to 64 lower-case hex digits."""
    if _DIGEST.fullmatch(digest) is None:
        raise ValueError("a preset's digest is 16 to 64 characters of lower-case hex")
    return f"{prefix(storage_id)}{digest}"


def incoming(upload_id: str) -> str:
    """Return the key for the bytes of a direct upload."""
    if _ID.fullmatch(upload_id) is None:
        raise ValueError(_MALFORMED)
    return f"incoming/{upload_id}"


def storage_id_of(key: str) -> str | None:
    """Return the storage id of the photo that a key belongs to; None if no photo can have it."""
    match = match_photo(key)
    return match[1] if match else None


def upload_id_of(key: str) -> str | None:
    """Return the id of the upload that a key belongs to; None if no upload can have it."""
    match = _INCOMING.fullmatch(key)
    return match[1] if match else None


def quarantine_key(key: str, day: date) -> str:
    """Return the key in quarantine for an object that is removed on a day."""
    return f"{QUARANTINE}{day.isoformat()}/{key}"


def parse_quarantine_key(key: str) -> tuple[date, str] | None:
    """Return when an object was quarantined, and its former key; None for any other key."""
    match = _QUARANTINED.fullmatch(key)
    try:
        return (date.fromisoformat(match[1]), match[2]) if match else None
    except ValueError:  # a date like the 31st of February
        return None
