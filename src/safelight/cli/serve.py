"""``safelight serve``: the engines, the app and the screen that tells where they are."""

import asyncio
import contextlib
import gc
import logging
import math
import signal
import socket
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import uvicorn
import uvloop
from fastapi import FastAPI

from safelight.cli.lan import addresses, doors, relayed
from safelight.cli.logs import tell_by_log
from safelight.cli.screen import screen
from safelight.cli.token import token_source
from safelight.cli.traces import exported
from safelight.errors import SettingsError
from safelight.library import Library
from safelight.settings import Settings
from safelight.web import create_app
from safelight.web.connection import Connection
from safelight.web.farewell import Farewell

_GRACE = 1
"""Seconds that answers under way may take after Ctrl-C; everything is to end within five, of which
the engines may take three and a half."""

_log = logging.getLogger("safelight.cli")

_PROXIES = ["127.0.0.0/8", "::1", "::ffff:127.0.0.0/104"]
"""Whose X-Forwarded-For and X-Forwarded-Proto are believed: what runs on this machine."""


def run(settings: Settings, *, worker: bool = True) -> None:
    """Serve until SIGINT or SIGTERM. Raises OperatorError if it can't be started.

    `worker` is whether jobs are done here too.
    """
    tell_by_log(settings.log)
    listener = _listener(settings)
    with exported(settings.traces):
        uvloop.run(_serve(settings, listener, worker=worker))
    # Nothing is left to be collected but what the kernel takes back with the process; the
    # interpreter would spend half a second or more on it, of the five that Ctrl-C may take.
    gc.freeze()


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
    with _stoppable(settings.drain) as stop:
        async with library.lifespan(None), _open_to_network(settings, library):
            app = create_app(library, settings, token=token_source(settings))
            server = _Server(configuration(app))
            stop.append((server, app.state.farewell))
            await _show(settings, library, app, port)
            await server.serve(sockets=[listener])


async def _show(settings: Settings, library: Library, app: FastAPI, port: int) -> None:
    """Print the screen. What collects JSON is told the port alone: a sign-in link is a secret."""
    if settings.log.format == "json":
        _log.info("ready", extra={"facts": {"host": settings.host, "port": port}})
    else:
        print(await screen(settings, library, app.state.visitors, port), flush=True)  # noqa: T201  the one screen


@contextlib.contextmanager
def _stoppable(drain: timedelta) -> Iterator[list[tuple[uvicorn.Server, Farewell]]]:
    """Let signals end the server in the list, or the start if it's still empty.

    SIGTERM, the first time, after `drain`; the others at once.
    """
    servers: list[tuple[uvicorn.Server, Farewell]] = []
    loop = asyncio.get_running_loop()
    starting = asyncio.current_task()

    def stop() -> None:
        for server, _ in servers:
            server.should_exit = True
        if starting and not servers:
            starting.cancel()

    def drained() -> None:
        if not drain or not servers or servers[0][1].begun:
            stop()
        for server, farewell in servers:
            farewell.begun = True
            server.config.timeout_graceful_shutdown = max(_GRACE, math.ceil(drain.total_seconds()))
            loop.call_later(drain.total_seconds(), stop)

    for each in (signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(each, stop)
    loop.add_signal_handler(signal.SIGTERM, drained)
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
