"""Safelight: people's photos in a private S3 bucket, given back through links that expire.

`__all__` is the public API. Its names are imported on first use, so that ``import safelight`` is
fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safelight.catalog.paging import Month
    from safelight.catalog.tables import photos as photos_table
    from safelight.errors import (
        Busy,
        CatalogUnavailable,
        ChecksumMismatch,
        CorruptImage,
        EmptyFile,
        EngineError,
        Invalid,
        InvalidRequest,
        NotFound,
        OperatorError,
        Refused,
        SafelightError,
        SettingsError,
        StorageFull,
        StorageUnavailable,
        TooLarge,
        TooManyFrames,
        TooManyPixels,
        TooManyUploads,
        Unavailable,
        UnsupportedType,
        UploadIncomplete,
        UsageError,
    )
    from safelight.library import AddResult, Download, JobBatch, Library, PhotoPage, StartedUpload
    from safelight.library.sync import SyncLibrary
    from safelight.models import (
        OWN_DATE,
        BulkResult,
        Caption,
        Details,
        ImageFacts,
        Order,
        Photo,
        Rendition,
        Upload,
    )
    from safelight.settings import (
        LimitSettings,
        LinkSettings,
        PresetSettings,
        RenditionSettings,
        S3Settings,
        Settings,
        UploadSettings,
    )
    from safelight.signing.links import Link
    from safelight.signing.uploads import PresignedRequest
    from safelight.web import add_error_handlers, create_app, photo_router

__version__ = "0.1.0"

__all__ = [
    "OWN_DATE",
    "AddResult",
    "BulkResult",
    "Busy",
    "Caption",
    "CatalogUnavailable",
    "ChecksumMismatch",
    "CorruptImage",
    "Details",
    "Download",
    "EmptyFile",
    "EngineError",
    "ImageFacts",
    "Invalid",
    "InvalidRequest",
    "JobBatch",
    "Library",
    "LimitSettings",
    "Link",
    "LinkSettings",
    "Month",
    "NotFound",
    "OperatorError",
    "Order",
    "Photo",
    "PhotoPage",
    "PresetSettings",
    "PresignedRequest",
    "Refused",
    "Rendition",
    "RenditionSettings",
    "S3Settings",
    "SafelightError",
    "Settings",
    "SettingsError",
    "StartedUpload",
    "StorageFull",
    "StorageUnavailable",
    "SyncLibrary",
    "TooLarge",
    "TooManyFrames",
    "TooManyPixels",
    "TooManyUploads",
    "Unavailable",
    "UnsupportedType",
    "Upload",
    "UploadIncomplete",
    "UploadSettings",
    "UsageError",
    "add_error_handlers",
    "create_app",
    "photo_router",
    "photos_table",
]

_NAMES = {
    "catalog.paging": ("Month",),
    "catalog.tables": ("photos_table",),
    "errors": (
        *("Busy", "CatalogUnavailable", "ChecksumMismatch", "CorruptImage", "EmptyFile"),
        *("EngineError", "Invalid", "InvalidRequest", "NotFound", "OperatorError", "Refused"),
        *("SafelightError", "SettingsError", "StorageFull", "StorageUnavailable", "TooLarge"),
        *("TooManyFrames", "TooManyPixels", "TooManyUploads", "Unavailable", "UnsupportedType"),
        *("UploadIncomplete", "UsageError"),
    ),
    "library": ("AddResult", "Download", "JobBatch", "Library", "PhotoPage", "StartedUpload"),
    "library.sync": ("SyncLibrary",),
    "models": (
        *("BulkResult", "Caption", "Details", "ImageFacts", "OWN_DATE", "Order", "Photo"),
        *("Rendition", "Upload"),
    ),
    "settings": (
        *("LimitSettings", "LinkSettings", "PresetSettings", "RenditionSettings", "S3Settings"),
        *("Settings", "UploadSettings"),
    ),
    "signing.links": ("Link",),
    "signing.uploads": ("PresignedRequest",),
    "web.api.photos": ("photo_router",),
    "web.app": ("create_app",),
    "web.problems": ("add_error_handlers",),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}
_RENAMED = {"photos_table": "photos"}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'safelight' has no attribute {name!r}")
    return getattr(import_module(f"safelight.{_MODULES[name]}"), _RENAMED.get(name, name))


def __dir__() -> list[str]:
    return sorted(__all__)
