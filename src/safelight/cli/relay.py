"""A relay: what comes to it goes on to one port of this machine's loopback, and what that says back.

It is in the service's own process, so what strangers can make it keep is bounded: in connections,
in bytes for each, and in the time that one may be silent.
"""

import asyncio
import contextlib
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from datetime import timedelta

_PIECE = 64 * 1024
_KERNEL = 256 * 1024
"""What the kernel may hold of what goes out: a slow reader is told from one that has stopped by
whether anything leaves, and out of a larger buffer it leaves too seldom."""
_GOODBYE = 5.0
"""Seconds in which the last bytes of a connection have to be taken."""


class Relay:
    """Serves connections by ``asyncio.start_server(relay, …, limit=relay.limit)``.

    Of `most` connections at once the next is closed without a word. One on which nothing moves for
    `idle`, in either direction, is ended; a reader slower than some 3 kB a second counts as one
    that has stopped. Each holds at most about half a mebibyte of our memory.
    """

    limit = _PIECE
    """For the reader of a connection: it is told to pause at twice as much."""

    def __init__(
        self, port: int, *, most: int = 256, idle: timedelta = timedelta(minutes=2)
    ) -> None:
        self._port = port
        self._most = most
        self._idle = idle.total_seconds()
        self._under_way: set[asyncio.Task[object]] = set()

    async def __call__(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Relay one connection until both of its ends are done, or one of them is gone."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  asyncio makes one for each connection
        if len(self._under_way) >= self._most:
            writer.transport.abort()
            return
        self._under_way.add(task)
        try:
            await self._relayed(reader, writer)
        finally:
            self._under_way.discard(task)
            writer.transport.abort()

    async def close(self) -> None:
        """End all connections, whatever is under way on them."""
        ending = list(self._under_way)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def _relayed(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            async with asyncio.timeout(self._idle):
                back, there = await asyncio.open_connection("127.0.0.1", self._port, limit=_PIECE)
        except OSError:  # refused, or a timeout: the store is being started again
            return
        try:
            with contextlib.suppress(TimeoutError):
                await self._both_ways((reader, there), (back, writer))
            await _bid_goodbye(there, writer)
        finally:
            there.transport.abort()

    async def _both_ways(self, *ways: tuple[StreamReader, StreamWriter]) -> None:
        """Pass on in both directions; ends when both have ended or one has failed."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._idle) as patience:

            def moved() -> None:
                if not patience.expired():
                    patience.reschedule(loop.time() + self._idle)

            with contextlib.suppress(OSError):
                await _all_or_none([_pass_on(*way, moved) for way in ways])


async def _all_or_none(works: "list[asyncio._CoroutineLike[None]]") -> None:
    raise NotImplementedError


async def _pass_on(reader: StreamReader, writer: StreamWriter, moved: Callable[[], None]) -> None:
    """Pass on what is read, as fast as it's taken, and then its end. OSError if either is gone."""
    _keep_little(writer)
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()
        moved()
    writer.write_eof()


def _keep_little(writer: StreamWriter) -> None:
    writer.transport.set_write_buffer_limits(high=_PIECE)
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL)


async def _bid_goodbye(*writers: StreamWriter) -> None:
    """Close, but let what was written go out first."""
    for writer in writers:
        writer.close()
    with contextlib.suppress(OSError):
        async with asyncio.timeout(_GOODBYE):
            for writer in writers:
                await writer.wait_closed()
