"""The web: a router to embed, and the whole service as an app."""

from safelight.web.api.photos import photo_router
from safelight.web.app import create_app
from safelight.web.problems import add_error_handlers

__all__ = ["add_error_handlers", "create_app", "photo_router"]
