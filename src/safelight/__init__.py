"""Safelight: people's photos in a private S3 bucket, given back through links that expire.

`__all__` is the public API. Its names are imported on first use, so that ``import safelight`` is
fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safelight.catalog.tables import photos as photos_table
    from safelight.errors import SafelightError
    from safelight.library import AddResult, Library, StartedUpload
    from safelight.models import OWN_DATE, BulkResult, Caption, ImageFacts, Order, Photo, Rendition
    from safelight.settings import Settings
    from safelight.signing.links import Link
    from safelight.signing.uploads import PresignedRequest
    from safelight.web import create_app, photo_router

__version__ = "0.1.0"

__all__ = [
    "OWN_DATE",
    "AddResult",
    "BulkResult",
    "Caption",
    "ImageFacts",
    "Library",
    "Link",
    "Order",
    "Photo",
    "PresignedRequest",
    "Rendition",
    "SafelightError",
    "Settings",
    "StartedUpload",
    "create_app",
    "photo_router",
    "photos_table",
]

_MODULES = {
    "AddResult": "library",
    "StartedUpload": "library",
    "BulkResult": "models",
    "Caption": "models",
    "ImageFacts": "models",
    "Library": "library",
    "Link": "signing.links",
    "OWN_DATE": "models",
    "Order": "models",
    "PresignedRequest": "signing.uploads",
    "Photo": "models",
    "Rendition": "models",
    "SafelightError": "errors",
    "Settings": "settings",
    "create_app": "web",
    "photo_router": "web",
    "photos_table": "catalog.tables",
}
_RENAMED = {"photos_table": "photos"}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'safelight' has no attribute {name!r}")
    return getattr(import_module(f"safelight.{_MODULES[name]}"), _RENAMED.get(name, name))
