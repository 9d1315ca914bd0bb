"""The library: the one place where bytes, rows and pixels meet."""

from safelight.library.ingest import AddResult
from safelight.library.library import Library
from safelight.library.methods.changes import MAX_SHIFT
from safelight.library.methods.links import PhotoLinks
from safelight.library.methods.photos import MAX_PAGE, MAX_SKIP
from safelight.library.uploads.direct_uploads import Operation, StartedUpload

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
