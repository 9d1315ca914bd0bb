"""``safelight serve``: the engines, the app and the screen that tells where they are."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Iterator

import uvicorn
import uvloop

import safelight
from safelight.cli.token import token_file, token_of
from safelight.errors import SettingsError
from safelight.library import Library
from safelight.settings import Settings
from safelight.web import create_app

_GRACE = 2
"""Seconds that answers under way may take after Ctrl-C; everything is to end within five."""


def run(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM. Raises OperatorError if it can't be started."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for chatty in ("alembic", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    listener = _listener(settings)
    uvloop.run(_serve(settings, listener))


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to us: the engines have to end after the server."""
        yield


async def _serve(settings: Settings, listener: socket.socket) -> None:
    library = Library.from_settings(settings)
    with _stoppable() as stop:
        await library.start()
        try:
            server = _server(settings, library)
            stop.append(server)
            print(screen(settings, library, listener.getsockname()[1]), flush=True)  # noqa: T201  the one screen
            await server.serve(sockets=[listener])
        finally:
            await library.close()


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

    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, stop)
    with contextlib.suppress(asyncio.CancelledError):
        yield servers


def _server(settings: Settings, library: Library) -> uvicorn.Server:
    app = create_app(library, settings, token=token_of(settings))
    return _Server(
        uvicorn.Config(
            app,
            lifespan="off",  # the library is started before the server, and ends after it
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=_GRACE,
            ws="none",
        )
    )


def _listener(settings: Settings) -> socket.socket:
    """Take the port before anything is started."""
    host = settings.host.strip("[]")
    try:
        family = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(
            f"Can't listen at {settings.host}:{settings.port} ({error.strerror}): set"
            " SAFELIGHT_HOST or SAFELIGHT_PORT."
        ) from error


def screen(settings: Settings, library: Library, port: int) -> str:
    """Tell where the page is, where the data is, and how to get in."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    rows = [("Page", f"http://{host}:{port}/"), ("API", f"http://{host}:{port}/docs")]
    engines = library.parts.engines
    rows += engines.facts if engines else [("Data", str(settings.data_dir.absolute()))]
    rows.append(("To get in", _way_in(settings)))
    width = max(len(label) for label, _ in rows)
    lines = [f"  {label:<{width}}  {text}" for label, text in rows]
    return "\n".join(["", f"Safelight {safelight.__version__}", "", *lines, "", "Ctrl-C ends it."])


def _way_in(settings: Settings) -> str:
    if settings.auth == "none":
        return "no token is asked for (SAFELIGHT_AUTH=none): whoever reaches this machine may enter"
    if settings.token:
        return "the token in SAFELIGHT_TOKEN"
    return f"the token in {token_file(settings)}"
