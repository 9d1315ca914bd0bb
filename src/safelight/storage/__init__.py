"""The object store: one bucket in any S3. It knows no photos."""

from safelight.storage.access import Access
from safelight.storage.bucket import ensure_bucket
from safelight.storage.inventory import Inventory, Stored
from safelight.storage.multiparts import Multiparts, Unfinished
from safelight.storage.storage import Storage

__all__ = [
    "Access",
    "Inventory",
    "Multiparts",
    "Storage",
    "Stored",
    "Unfinished",
    "ensure_bucket",
]
