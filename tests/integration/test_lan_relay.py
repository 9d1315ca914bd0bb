"""The relay that opens the embedded store's port to the network, before stores of many habits."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta

import psutil
import pytest
import uvloop

from safelight.cli.relay import Relay

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
MiB = 1024 * 1024


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
        visitor.settimeout(10)
        visitor.connect(("127.0.0.1", self.port))
        return visitor

    def under_way(self) -> int:
        return len(self.relay._under_way)


@asynccontextmanager
async def _relaying(store: Serve | None, **limits: object) -> AsyncIterator[Way]:
    behind, visited = await _behind(store or _echo)
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
        assert ready.wait(10)
        assert way is not None
        yield way
    finally:
        over.set()
        thread.join(10)
        assert not thread.is_alive()


def _all(visitor: socket.socket) -> bytes:
    return b"".join(iter(lambda: visitor.recv(65536), b""))


def _wait_for(what: Callable[[], bool], seconds: float = 10) -> None:
    over = threading.Event()
    for _ in range(int(seconds * 100)):
        if what():
            return
        over.wait(0.01)
    raise AssertionError("it does not come to be")


def _sockets() -> int:
    return len(psutil.Process().net_connections())


def test_what_is_said_comes_back_whole_and_in_order() -> None:
    said = bytes(range(256)) * 4096
    with relaying(_echo) as way, way.connect() as visitor:
        sender = threading.Thread(target=lambda: (visitor.sendall(said * 8), _end(visitor)))
        sender.start()
        assert _all(visitor) == said * 8
        sender.join()


def _end(visitor: socket.socket) -> None:
    visitor.shutdown(socket.SHUT_WR)


def test_a_visitor_who_has_said_all_still_hears_the_answer() -> None:
    async def answers_at_the_end(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        said = await reader.read(-1)
        writer.write(b"heard " + said)
        writer.close()

    with relaying(answers_at_the_end) as way, way.connect() as visitor:
        visitor.sendall(b"all of it")
        _end(visitor)
        assert _all(visitor) == b"heard all of it"


def test_much_said_before_the_store_is_reached_is_kept() -> None:
    """One that sent a quarter of a mebibyte was once cut off, if connecting took a while."""
    said = bytes(4 * MiB)
    with relaying(_echo) as way:
        visitors = [way.connect() for _ in range(8)]
        threads = [threading.Thread(target=visitor.sendall, args=(said,)) for visitor in visitors]
        for thread in threads:
            thread.start()
        for visitor in visitors:
            left = len(said)
            while left:
                left -= len(visitor.recv(65536))
        for thread, visitor in zip(threads, visitors, strict=True):
            thread.join()
            visitor.close()


def test_nothing_is_left_of_connections_that_ended_in_good_order() -> None:
    """Each once left two sockets behind, when the store ended first or the visitor did."""

    async def ends_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"bye")
        writer.close()

    for store in (ends_first, _echo):
        with relaying(store) as way:
            before = _sockets()
            for _ in range(50):
                with way.connect() as visitor:
                    visitor.sendall(b"hello")
                    if store is _echo:
                        _end(visitor)
                    assert _all(visitor)
            _wait_for(lambda: way.under_way() == 0)
            _wait_for(lambda: _sockets() <= before)


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_nothing_is_left_of_a_visitor_who_went_in_the_middle(*, reset: bool) -> None:
    gone = threading.Event()

    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                writer.write(bytes(65536))
                await writer.drain()
        gone.set()

    with relaying(endless) as way:
        visitor = way.connect()
        assert visitor.recv(1000)
        if reset:
            visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        visitor.close()
        _wait_for(lambda: way.under_way() == 0)
        assert gone.wait(10)


def test_a_store_that_is_away_closes_the_connection_at_once() -> None:
    with relaying(None) as way, way.connect() as visitor:
        with contextlib.suppress(ConnectionResetError):
            assert visitor.recv(100) == b""
        _wait_for(lambda: way.under_way() == 0)


def test_a_store_that_breaks_off_breaks_off_for_the_visitor_too() -> None:
    async def breaks_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.transport.abort()

    with relaying(breaks_off) as way, way.connect() as visitor:
        visitor.sendall(b"hello")
        with contextlib.suppress(ConnectionResetError):
            assert visitor.recv(100) == b""
        _wait_for(lambda: way.under_way() == 0)


def test_an_answer_that_came_before_all_was_said_is_heard() -> None:
    async def refuses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"refused")
        writer.write_eof()
        await asyncio.sleep(0.3)
        writer.transport.abort()

    with relaying(refuses) as way, way.connect() as visitor:
        with contextlib.suppress(OSError):
            for _ in range(100):
                visitor.sendall(bytes(65536))
        with contextlib.suppress(ConnectionResetError):
            assert visitor.recv(100) == b"refused"


def test_a_slow_reader_of_twenty_megabytes_costs_little_memory() -> None:
    size = 20 * MiB
    written = 0

    async def sends(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        while written < size:
            writer.write(bytes(65536))
            await writer.drain()
            written += 65536
        writer.close()

    with relaying(sends) as way, way.connect(small=True) as visitor:
        before = psutil.Process().memory_info().rss
        most, left = 0, size
        for _ in range(100):
            left -= len(visitor.recv(16384))
            most = max(most, psutil.Process().memory_info().rss - before)
        # The kernel's buffers on both sides of the relay hold some of it, never all.
        assert written < size - 8 * MiB
        while left:
            left -= len(visitor.recv(65536))
            most = max(most, psutil.Process().memory_info().rss - before)
        assert most < 6 * MiB
        assert visitor.recv(1) == b""


def test_one_connection_too_many_is_closed_and_the_others_go_on() -> None:
    with relaying(_echo, most=3) as way:
        visitors = [way.connect() for _ in range(3)]
        for visitor in visitors:
            visitor.sendall(b"x")
            assert visitor.recv(1) == b"x"
        with way.connect() as late, contextlib.suppress(ConnectionResetError):
            assert late.recv(1) == b""
        visitors.pop().close()
        _wait_for(lambda: way.under_way() == 2)
        with way.connect() as welcome:
            welcome.sendall(b"y")
            assert welcome.recv(1) == b"y"
        for visitor in visitors:
            visitor.sendall(b"z")
            assert visitor.recv(1) == b"z"
            visitor.close()


def test_a_visitor_who_does_nothing_is_ended_and_one_who_does_a_little_is_not() -> None:
    with (
        relaying(_echo, idle=timedelta(seconds=2)) as way,
        way.connect() as idle,
        way.connect() as busy,
    ):
        for _ in range(25):
            busy.sendall(b"x")
            assert busy.recv(1) == b"x"
            threading.Event().wait(0.1)
        assert idle.recv(1) == b""
        busy.sendall(b"x")
        assert busy.recv(1) == b"x"


def test_a_visitor_who_takes_nothing_is_ended() -> None:
    gone = threading.Event()

    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                writer.write(bytes(65536))
                await writer.drain()
        gone.set()

    with (
        relaying(endless, idle=timedelta(seconds=0.5)) as way,
        way.connect(small=True) as visitor,
    ):
        assert visitor.recv(1000)
        assert gone.wait(15)
        _wait_for(lambda: way.under_way() == 0)


def test_closing_ends_what_is_under_way() -> None:
    with relaying(_echo) as way:
        visitor = way.connect()
        visitor.sendall(b"x")
        assert visitor.recv(1) == b"x"
    with visitor, contextlib.suppress(ConnectionResetError):
        assert visitor.recv(1) == b""
