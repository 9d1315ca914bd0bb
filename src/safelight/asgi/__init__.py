"""The whole service as an ASGI app, to mount in another app, or for another server.

``app`` is made from the environment when it is first used, so that ``uvicorn safelight.asgi:app``
works. Mounted, it needs the library to be started by the app around it::

    library = Library.from_settings(read_settings())
    host = FastAPI(lifespan=library.lifespan)
    host.mount("/photos", make_app(library))
"""

from functools import cache
from typing import TYPE_CHECKING

from fastapi import FastAPI

from safelight.library import Library
from safelight.settings import Settings
from safelight.settings.environment import read_settings
from safelight.token_file import token_source
from safelight.web.app import create_app

if TYPE_CHECKING:
    app: FastAPI

__all__ = ["Library", "Settings", "app", "make_app", "read_settings"]


def make_app(library: Library | None = None, settings: Settings | None = None) -> FastAPI:
    """Make the service: API, pages, health checks and documentation.

    Without `settings`, they are those of the library, or read from the environment. The access
    token is `SAFELIGHT_TOKEN` or, as for ``safelight serve``, in a file in the data directory,
    which is created. The app's lifespan starts the library, unless it is already started; servers
    run it, but an app that mounts this one doesn't: pass ``library.lifespan`` to that app. Raises
    SettingsError.
    """
    if settings is None:
        settings = (library and library.settings) or read_settings()
    library = library or Library.from_settings(settings)
    return create_app(library, settings, token=token_source(settings))


@cache
def _app() -> FastAPI:
    return make_app()


def __getattr__(name: str) -> FastAPI:
    if name != "app":
        raise AttributeError(f"module 'safelight.asgi' has no attribute {name!r}")
    return _app()
