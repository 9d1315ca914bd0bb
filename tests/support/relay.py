"""Run a relay in front of a fake store."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvloop

from safelight.server.relay import Relay
from safelight.web.http.connections import ConnectionLimiter

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A store that sends back what it receives, and closes when the client does."""
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()
    writer.close()


class RunningRelay:
    """A relay on uvloop, as in `serve`."""

    def __init__(self, port: int, relay: Relay) -> None:
        self.port = port
        self.relay = relay

    def connect(self, *, small: bool = False, source: str = "127.0.0.1") -> socket.socket:
        client = socket.socket()
        client.bind((source, 0))
        if small:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(120)
        client.connect(("127.0.0.1", self.port))
        return client

    def open_connections(self) -> int:
        return len(self.relay._tasks)


@asynccontextmanager
async def _start_relay(
    store: Serve | None, limiter: ConnectionLimiter, **limits: object
) -> AsyncIterator[RunningRelay]:
    store_server, writers = await _start_store(store or echo)
    port = store_server.sockets[0].getsockname()[1]
    if store is None:
        store_server.close()
        await store_server.wait_closed()
    relay = Relay(port, limiter, **limits)  # type: ignore[arg-type]  # the test's own
    server = await asyncio.start_server(relay, "127.0.0.1", 0, limit=relay.limit, backlog=256)
    try:
        yield RunningRelay(server.sockets[0].getsockname()[1], relay)
    finally:
        server.close()
        await relay.close()
        assert not relay._tasks
        store_server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)  # until the loop has closed them


async def _start_store(store: Serve) -> tuple[asyncio.Server, list[asyncio.StreamWriter]]:
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(OSError):
            await store(reader, writer)

    return await asyncio.start_server(serve, "127.0.0.1", 0), writers


@contextmanager
def run_relay(
    store: Serve | None, *, limiter: ConnectionLimiter | None = None, **limits: object
) -> Iterator[RunningRelay]:
    """Run a relay in a thread. Without `store`, nothing listens at the store's port."""
    running: RunningRelay | None = None
    bounds = limiter or ConnectionLimiter("relay", total=256, per_address=256)
    ready, finished = threading.Event(), threading.Event()

    async def run() -> None:
        nonlocal running
        async with _start_relay(store, bounds, **limits) as running:
            ready.set()
            await asyncio.to_thread(finished.wait)

    thread = threading.Thread(target=lambda: uvloop.run(run()))
    thread.start()
    try:
        assert ready.wait(120)
        assert running is not None
        yield running
    finally:
        finished.set()
        thread.join(120)
        assert not thread.is_alive()
