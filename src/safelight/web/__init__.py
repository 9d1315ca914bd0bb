"""The web: a router to embed, and the whole service as an app."""

from safelight.web.app import create_app
from safelight.web.photos import photo_router

__all__ = ["create_app", "photo_router"]
