"""The web: a router to embed, and the whole service as an app.

The names are imported on first use, so that an embedding program starts quickly.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from safelight.web.api.photos import photo_router
    from safelight.web.app import create_app
    from safelight.web.problems import add_error_handlers

__all__ = ["add_error_handlers", "create_app", "photo_router"]

_MODULES: Final = {
    "add_error_handlers": "problems",
    "create_app": "app",
    "photo_router": "api.photos",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
