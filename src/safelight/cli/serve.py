"""``safelight serve``: the engines, the app and the screen that tells where they are."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager

import uvicorn
import uvloop
from fastapi import FastAPI

from safelight.cli.lan import addresses, doors, relayed
from safelight.cli.screen import screen
from safelight.cli.token import token_source
from safelight.errors import SettingsError
from safelight.library import Library
from safelight.settings import Settings
from safelight.web import create_app
from safelight.web.connection import Connection

_GRACE = 1
"""Seconds that answers under way may take after Ctrl-C; everything is to end within five, of which
the engines may take three and a half."""

_PROXIES = ["127.0.0.0/8", "::1", "::ffff:127.0.0.0/104"]
"""Whose X-Forwarded-For and X-Forwarded-Proto are believed: what runs on this machine."""


def run(settings: Settings, *, worker: bool = True) -> None:
    """Serve until SIGINT or SIGTERM. Raises OperatorError if it can't be started.

    `worker` is whether jobs are done here too.
    """
    tell_by_log()
    listener = _listener(settings)
    uvloop.run(_serve(settings, listener, worker=worker))
    # Nothing is left to be collected but what the kernel takes back with the process; the
    # interpreter would spend half a second or more on it, of the five that Ctrl-C may take.
    gc.freeze()


def tell_by_log() -> None:
    """Write what happens to stderr, but not everything that is said by what we use."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for chatty in ("alembic", "uvicorn", "procrastinate"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # They tell with a traceback, or again and again, what our own line tells.
    for frightened in ("botocore", "psycopg.pool"):
        logging.getLogger(frightened).setLevel(logging.ERROR)
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to us: the engines have to end after the server."""
        yield


async def _serve(settings: Settings, listener: socket.socket, *, worker: bool) -> None:
    reached = (*settings.allowed_hosts, *addresses(settings))
    port = listener.getsockname()[1]
    settings = settings.model_copy(update={"allowed_hosts": reached, "port": port})
    library = Library.from_settings(settings, worker=worker)
    with _stoppable() as stop:
        async with library.lifespan(None), _open_to_network(settings, library):
            app = create_app(library, settings, token=token_source(settings))
            server = _Server(configuration(app))
            stop.append(server)
            print(await screen(settings, library, app.state.visitors, port), flush=True)  # noqa: T201  the one screen
            await server.serve(sockets=[listener])


@contextlib.contextmanager
def _stoppable() -> Iterator[list[uvicorn.Server]]:
    """Let SIGINT and SIGTERM end the server in the list, or the start if it's still empty."""
    servers: list[uvicorn.Server] = []
    loop = asyncio.get_running_loop()
    starting = asyncio.current_task()

    def stop() -> None:
        if servers:
            servers[0].should_exit = True
        elif starting:
            starting.cancel()

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(each, stop)
    with contextlib.suppress(asyncio.CancelledError):
        yield servers


def _open_to_network(settings: Settings, library: Library) -> AbstractAsyncContextManager[None]:
    """Let those who reach the service reach the embedded store's photos too."""
    if library.parts.links_follow_host:
        return relayed(library.parts.links.endpoint, doors(settings))
    return contextlib.nullcontext()


def configuration(app: FastAPI) -> uvicorn.Config:
    """Tell uvicorn how to serve the app; its library is started before and ends after it."""
    return uvicorn.Config(
        app,
        http=Connection,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
        ws="none",
        forwarded_allow_ips=_PROXIES,
    )


def _check_alone(settings: Settings) -> None:
    """Raise EngineError if another server has the data directory, which then has the port too."""
    if (settings.data_dir / "lock").is_file():
        from safelight.engines.lock import Lock  # noqa: PLC0415  an extra, only when used

        lock = Lock(settings.data_dir.resolve() / "lock")
        lock.acquire()
        lock.release()


def _listener(settings: Settings) -> socket.socket:
    """Take the port before anything is started."""
    host = settings.host.strip("[]")
    try:
        family = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server(
            (host, settings.port),
            family=family,
            backlog=2048,
            dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        _check_alone(settings)
        raise SettingsError(
            f"Can't listen at {settings.host}:{settings.port} ({error.strerror}): set"
            " SAFELIGHT_HOST or SAFELIGHT_PORT."
        ) from error
