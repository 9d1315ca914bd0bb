"""Recognize outdated stores by the Server header of their responses."""

import re
from datetime import timedelta

from safelight.errors import StorageUnavailable
from safelight.signing.credentials import StaticCredentials
from safelight.signing.sigv4 import Credentials
from safelight.storage.config import BucketConfig
from safelight.storage.s3_api import BucketAPI

MIN_SAFE_SEAWEED = (4, 35)
"""Older ones make paths of upload ids and version ids, without checking them."""

_TIMEOUT = timedelta(seconds=5)
_seaweed_version = re.compile(r"SeaweedFS\b[^.]* (\d{1,4})\.(\d{1,4})\b").search


def outdated_store(server: str) -> str | None:
    """Return a warning about the store with this Server header; None if nothing is known."""
    match = _seaweed_version(server)
    if match is None or (int(match[1]), int(match[2])) >= MIN_SAFE_SEAWEED:
        return None
    version, minimum = f"{match[1]}.{match[2]}", ".".join(map(str, MIN_SAFE_SEAWEED))
    return (
        f"The store is SeaweedFS {version}, which lets requests reach objects outside their path:"
        f" update it to {minimum} or newer."
    )


async def find_outdated_store(config: BucketConfig, credentials: Credentials) -> str | None:
    """Ask the store for its version; return as `outdated_store`, also if it doesn't answer."""
    async with BucketAPI(config, StaticCredentials(credentials), timeout=_TIMEOUT) as api:
        try:
            response = await api.request("HEAD", {})
        except StorageUnavailable:
            return None
    return outdated_store(response.server)
