"""Safelight: people's photos in a private S3 bucket, given back through links that expire.

The names in `__all__` are the public surface; they are imported when they are first used, so that
``import safelight`` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safelight.errors import SafelightError
    from safelight.library import Added, Begun, Library
    from safelight.links import Link
    from safelight.permits import Permit
    from safelight.photo import Caption, ImageFacts, Order, Photo, Rendition
    from safelight.settings import Settings
    from safelight.tables import photos as photos_table
    from safelight.web import create_app, photo_router

__version__ = "0.1.0"

__all__ = [
    "Added",
    "Begun",
    "Caption",
    "ImageFacts",
    "Library",
    "Link",
    "Order",
    "Permit",
    "Photo",
    "Rendition",
    "SafelightError",
    "Settings",
    "create_app",
    "photo_router",
    "photos_table",
]

_HOMES = {
    "Added": "library",
    "Begun": "library",
    "Caption": "photo",
    "ImageFacts": "photo",
    "Library": "library",
    "Link": "links",
    "Order": "photo",
    "Permit": "permits",
    "Photo": "photo",
    "Rendition": "photo",
    "SafelightError": "errors",
    "Settings": "settings",
    "create_app": "web",
    "photo_router": "web",
    "photos_table": "tables",
}
_RENAMED = {"photos_table": "photos"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'safelight' has no attribute {name!r}")
    return getattr(import_module(f"safelight.{_HOMES[name]}"), _RENAMED.get(name, name))
