"""The library: the one place where bytes, rows and pixels meet."""

from safelight.library.direct_uploads import Operation, StartedUpload
from safelight.library.ingest import AddResult
from safelight.library.library import MAX_PAGE, MAX_SHIFT, MAX_SKIP, Library, PhotoLinks

__all__ = [
    "MAX_PAGE",
    "MAX_SHIFT",
    "MAX_SKIP",
    "AddResult",
    "Library",
    "Operation",
    "PhotoLinks",
    "StartedUpload",
]
