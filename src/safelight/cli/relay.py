"""A relay: what comes to it goes on to one port of this machine's loopback, and back.

It is in the service's own process, so what strangers can make it keep is bounded: in connections,
in bytes for each, and in the time that one may be silent.
"""

import asyncio
import contextlib
import socket
from asyncio import StreamReader, StreamWriter
from dataclasses import dataclass
from datetime import timedelta

_PIECE = 64 * 1024
_KERNEL = 256 * 1024
"""What the kernel may hold of what goes out: a slow reader is told from one that has stopped by
whether anything leaves, and out of a larger buffer it leaves too seldom."""
_GOODBYE = 2.0
"""Seconds that a visitor is heard when the store has said all."""


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
            await self._both_ways(_Way(reader, there), _Way(back, writer))
        finally:
            there.transport.abort()

    async def _both_ways(self, there: "_Way", back: "_Way") -> None:
        """Pass on in both directions until the store has said all, one has failed or none moves.

        A visitor who hasn't said all by then is heard a little longer, into the store: if the
        connection were closed on them, they would get a reset instead of the answer.
        """
        try:
            async with asyncio.timeout(self._idle) as timeout, asyncio.TaskGroup() as passing:
                patience = _Patience(timeout, self._idle)
                passing.create_task(there.pass_on(patience))
                await back.pass_on(patience)
                patience.give(_GOODBYE)
        except* OSError:  # which a timeout is too
            pass


class _Patience:
    """Moves the end of a timeout away for as long as anything moves."""

    def __init__(self, timeout: asyncio.Timeout, idle: float) -> None:
        self._timeout = timeout
        self._idle: float | None = idle

    def moved(self) -> None:
        if self._idle is not None:
            self._reschedule(self._idle)

    def give(self, seconds: float) -> None:
        """Give so long from now, whatever moves."""
        self._idle = None
        self._reschedule(seconds)

    def _reschedule(self, seconds: float) -> None:
        if not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time() + seconds)


@dataclass(frozen=True, slots=True)
class _Way:
    """One direction of a connection."""

    reader: StreamReader
    writer: StreamWriter

    async def pass_on(self, patience: _Patience) -> None:
        """Pass on what is read, as fast as it's taken, and its end. OSError if either is gone."""
        _keep_little(self.writer)
        while piece := await self.reader.read(_PIECE):
            _check_open(self.writer)
            self.writer.write(piece)
            await self.writer.drain()
            patience.moved()
        self.writer.transport.set_write_buffer_limits(high=0)
        await self.writer.drain()  # until all is taken
        _check_open(self.writer)
        self.writer.write_eof()


def _check_open(writer: StreamWriter) -> None:
    if writer.is_closing():  # then uvloop would raise a RuntimeError
        raise ConnectionResetError


def _keep_little(writer: StreamWriter) -> None:
    writer.transport.set_write_buffer_limits(high=_PIECE)
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL)
