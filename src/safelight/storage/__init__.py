"""The object store: one bucket in any S3. It knows no photos."""

from safelight.storage.access import Access
from safelight.storage.bucket import ensure_bucket
from safelight.storage.inventory import Inventory, Stored
from safelight.storage.multiparts import Multiparts, Unfinished
from safelight.storage.rules import page_origins
from safelight.storage.setup import Outcome, Step, is_there, set_up
from safelight.storage.storage import Storage

__all__ = [
    "Access",
    "Inventory",
    "Multiparts",
    "Outcome",
    "Step",
    "Storage",
    "Stored",
    "Unfinished",
    "ensure_bucket",
    "is_there",
    "page_origins",
    "set_up",
]
