"""The library: the one place where bytes, rows and pixels meet.

The names are imported on first use, so that an embedding program starts quickly.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from safelight.library.library import Library
    from safelight.library.methods.changes import MAX_SHIFT
    from safelight.library.methods.downloads import MAX_DOWNLOAD
    from safelight.library.methods.links import PhotoLinks
    from safelight.library.methods.photos import MAX_PAGE, MAX_SKIP
    from safelight.library.results import (
        AddResult,
        Download,
        JobBatch,
        Operation,
        PhotoPage,
        StartedUpload,
    )

__all__ = [
    "MAX_DOWNLOAD",
    "MAX_PAGE",
    "MAX_SHIFT",
    "MAX_SKIP",
    "AddResult",
    "Download",
    "JobBatch",
    "Library",
    "Operation",
    "PhotoLinks",
    "PhotoPage",
    "StartedUpload",
]

_MODULES: Final = {
    "AddResult": "results",
    "Download": "results",
    "JobBatch": "results",
    "Library": "library",
    "MAX_DOWNLOAD": "methods.downloads",
    "MAX_PAGE": "methods.photos",
    "MAX_SHIFT": "methods.changes",
    "MAX_SKIP": "methods.photos",
    "Operation": "results",
    "PhotoLinks": "methods.links",
    "PhotoPage": "results",
    "StartedUpload": "results",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
