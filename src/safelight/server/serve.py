"""``safelight serve``: run the engines, the app, the relay to the store, and the banner."""

import asyncio
import contextlib
import gc
import logging
import math
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final

import uvicorn
import uvloop
from fastapi import FastAPI

from safelight.library import Library
from safelight.private_files import check_data_directory
from safelight.server.banner import make_banner
from safelight.server.connection_limits import (
    ConnectionLimits,
    make_connection_limits,
    raise_file_limit,
)
from safelight.server.lan import (
    has_remote_proxies,
    lan_addresses,
    open_relays,
    relay_addresses,
)
from safelight.server.listeners import listen
from safelight.server.logging import configure_logging
from safelight.server.otel import export_traces
from safelight.server.record import record_server
from safelight.settings import Settings
from safelight.settings.warnings import find_warnings
from safelight.terminal import print_result
from safelight.token_file import token_source
from safelight.web import create_app
from safelight.web.http.connections import ConnectionLimiter
from safelight.web.http.protocol import HttpProtocol
from safelight.web.http.proxies import TrustedProxies, parse_address
from safelight.web.middleware.exchange import Drain

_SHUTDOWN_SECONDS: Final = 1
"""For open responses after Ctrl-C. Everything ends within five seconds, of which the engines may
take three and a half."""

_log = logging.getLogger("safelight.cli")


def run(settings: Settings, *, worker: bool = True) -> None:
    """Serve until SIGINT or SIGTERM, with or without a worker.

    Raises OperatorError if the server can't start.
    """
    configure_logging(settings.log)
    for warning in find_warnings(settings, os.environ):
        _log.warning("%s", warning)
    check_data_directory(settings.data_dir)
    listeners = listen(settings)
    with export_traces(settings.traces, settings.authorities):
        uvloop.run(_serve(settings, listeners, worker=worker))
    # A final garbage collection would take half a second or more of the five until the end.
    gc.freeze()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no signal handlers: the engines have to stop after the server."""
        yield


async def _serve(settings: Settings, listeners: list[socket.socket], *, worker: bool) -> None:
    hosts = (*settings.allowed_hosts, *lan_addresses(settings))
    port = listeners[0].getsockname()[1]
    settings = settings.model_copy(update={"allowed_hosts": hosts, "port": port})
    limits = make_connection_limits(settings, raise_file_limit())
    library = Library.from_settings(settings, worker=worker)
    with _handle_signals(settings.drain) as servers:
        async with library.lifespan(None), _relays(settings, library, limits.relay):
            app = create_app(library, settings, token=token_source(settings))
            server = _Server(uvicorn_config(app, limits))
            servers.append((server, app.state.drain))
            with record_server(settings, os.environ):
                if settings.log.format == "json":  # a sign-in link is a secret, so log no banner
                    _log.info("ready", extra={"facts": {"host": settings.host, "port": port}})
                else:
                    authenticator = app.state.authenticator
                    print_result(await make_banner(settings, library, authenticator, port))
                await server.serve(sockets=listeners)


@contextlib.contextmanager
def _handle_signals(drain: timedelta) -> Iterator[list[tuple[uvicorn.Server, Drain]]]:
    """Stop the server in the yielded list on a signal; while that is empty, cancel the start.

    The first SIGTERM takes effect after `drain`, everything else at once.
    """
    servers: list[tuple[uvicorn.Server, Drain]] = []
    loop = asyncio.get_running_loop()
    starting = asyncio.current_task()

    def stop() -> None:
        for server, _ in servers:
            server.should_exit = True
        if starting and not servers:
            starting.cancel()

    def stop_after_drain() -> None:
        if not drain or not servers or servers[0][1].begun:
            stop()
        for server, draining in servers:
            draining.begun = True
            seconds = drain.total_seconds()
            server.config.timeout_graceful_shutdown = max(_SHUTDOWN_SECONDS, math.ceil(seconds))
            loop.call_later(seconds, stop)

    for number in (signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGTERM, stop_after_drain)
    with contextlib.suppress(asyncio.CancelledError):
        yield servers


def _relays(
    settings: Settings, library: Library, limiter: ConnectionLimiter
) -> AbstractAsyncContextManager[None]:
    """Make the embedded store reachable at the addresses of the service, for clients or proxies."""
    engines = library.backends.engines
    if engines and library.backends.link_hosts:
        endpoint = library.backends.link_signer.endpoint
        addresses = relay_addresses(settings)
        return open_relays(endpoint, addresses, limiter, is_running=engines.is_store_running)
    if engines and has_remote_proxies(settings):
        proxies = TrustedProxies(settings.trusted_proxies)
        return open_relays(
            engines.s3_endpoint_url,
            relay_addresses(settings),
            limiter,
            is_running=engines.is_store_running,
            is_allowed=lambda address: proxies.is_trusted(parse_address(address)),
        )
    return contextlib.nullcontext()


def uvicorn_config(app: FastAPI, limits: ConnectionLimits | None = None) -> uvicorn.Config:
    """Return uvicorn's configuration. The library starts before and stops after the server."""

    class LimitedProtocol(HttpProtocol):
        limiter = limits.server if limits else None

    return uvicorn.Config(
        app,
        http=LimitedProtocol,
        backlog=limits.backlog if limits else 2048,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        ws="none",
        proxy_headers=False,  # ExchangeMiddleware reads them
    )
