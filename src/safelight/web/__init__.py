"""The web: a router to embed, and the whole service as an app."""

from safelight.web.api.photos import photo_router
from safelight.web.app import create_app

__all__ = ["create_app", "photo_router"]
