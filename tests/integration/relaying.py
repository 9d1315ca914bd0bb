"""A relay that runs, before a store of any habits."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvloop

from safelight.cli.relay import Relay

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A store that says back what it is told, and ends when the visitor does."""
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    writer.close()


class Way:
    """A way through a relay to a store, on an event loop of the kind that `serve` runs."""

    def __init__(self, port: int, relay: Relay) -> None:
        self.port = port
        self.relay = relay

    def connect(self, *, small: bool = False) -> socket.socket:
        visitor = socket.socket()
        if small:
            visitor.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        visitor.settimeout(30)
        visitor.connect(("127.0.0.1", self.port))
        return visitor

    def under_way(self) -> int:
        return len(self.relay._under_way)


@asynccontextmanager
async def _relaying(store: Serve | None, **limits: object) -> AsyncIterator[Way]:
    behind, visited = await _behind(store or echo)
    port = behind.sockets[0].getsockname()[1]
    if store is None:
        behind.close()
        await behind.wait_closed()
    relay = Relay(port, **limits)  # type: ignore[arg-type]  # the test's own
    server = await asyncio.start_server(relay, "127.0.0.1", 0, limit=relay.limit, backlog=256)
    try:
        yield Way(server.sockets[0].getsockname()[1], relay)
    finally:
        server.close()
        await relay.close()
        assert not relay._under_way
        behind.close()
        for writer in visited:
            writer.transport.abort()
        await asyncio.sleep(0.01)  # for the loop to be told that they are closed


async def _behind(store: Serve) -> tuple[asyncio.Server, list[asyncio.StreamWriter]]:
    visited: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visited.append(writer)
        with contextlib.suppress(OSError):
            await store(reader, writer)

    return await asyncio.start_server(serve, "127.0.0.1", 0), visited


@contextmanager
def relaying(store: Serve | None, **limits: object) -> Iterator[Way]:
    """Relay on a thread of its own; None is a store that is not there."""
    way: Way | None = None
    ready, over = threading.Event(), threading.Event()

    async def live() -> None:
        nonlocal way
        async with _relaying(store, **limits) as way:
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: uvloop.run(live()))
    thread.start()
    try:
        assert ready.wait(30)
        assert way is not None
        yield way
    finally:
        over.set()
        thread.join(30)
        assert not thread.is_alive()
