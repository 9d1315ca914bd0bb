"""The relay that opens the embedded store's port to the network, before stores of many habits."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from datetime import timedelta

import psutil
import pytest

from integration.relaying import echo, relaying

MiB = 1024 * 1024


def _all(visitor: socket.socket) -> bytes:
    return b"".join(iter(lambda: visitor.recv(65536), b""))


def _wait_for(what: Callable[[], bool], seconds: float = 30) -> None:
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
    with relaying(echo) as way, way.connect() as visitor:

        def send() -> None:
            visitor.sendall(said * 8)
            _end(visitor)

        sender = threading.Thread(target=send)
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
    with relaying(echo) as way:
        visitors = [way.connect() for _ in range(8)]
        threads = [threading.Thread(target=visitor.sendall, args=(said,)) for visitor in visitors]
        for thread in threads:
            thread.start()
        for visitor in visitors:
            left = len(said)
            while left:
                heard = visitor.recv(65536)
                assert heard, "it was cut off"
                left -= len(heard)
        for thread, visitor in zip(threads, visitors, strict=True):
            thread.join()
            visitor.close()


@pytest.mark.parametrize("visitor_ends_first", [True, False])
def test_nothing_is_left_of_connections_that_ended_in_good_order(
    *, visitor_ends_first: bool
) -> None:
    """Each once left two sockets behind, whoever ended first."""

    async def ends_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"bye")
        writer.close()

    with relaying(echo if visitor_ends_first else ends_first) as way:
        before = _sockets()
        for _ in range(50):
            with way.connect() as visitor:
                visitor.sendall(b"hello")
                if visitor_ends_first:
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
        assert gone.wait(30)


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


def test_slow_readers_get_the_last_byte_long_after_the_store_has_said_it() -> None:
    """However much the kernel keeps for them, for one of these sizes the end is with the relay."""
    said = bytes(range(256)) * 3200
    sizes = range(32_000, len(said), 32_000)

    async def sends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said[: int(await reader.readline())])
        writer.close()

    with relaying(sends) as way, contextlib.ExitStack() as stack:
        visitors = [stack.enter_context(way.connect(small=True)) for _ in sizes]
        for size, visitor in zip(sizes, visitors, strict=True):
            visitor.sendall(b"%d\n" % size)
        threading.Event().wait(3)
        assert [len(_all(visitor)) for visitor in visitors] == list(sizes)


def test_one_connection_too_many_is_closed_and_the_others_go_on() -> None:
    with relaying(echo, most=3) as way:
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
        relaying(echo, idle=timedelta(seconds=2)) as way,
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
        assert gone.wait(30)
        _wait_for(lambda: way.under_way() == 0)


def test_closing_ends_what_is_under_way() -> None:
    with relaying(echo) as way:
        visitor = way.connect()
        visitor.sendall(b"x")
        assert visitor.recv(1) == b"x"
    with visitor, contextlib.suppress(ConnectionResetError):
        assert visitor.recv(1) == b""
