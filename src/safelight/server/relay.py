"""Relay connections to a port on this machine's loopback address.

The relay runs in the service's process, so what an unauthenticated client can make it hold is
bounded: the number of connections, the bytes for each, and the time that one may be idle.
"""

import asyncio
import contextlib
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from safelight.web.http.connections import ConnectionLimiter

_CHUNK: Final = 64 * 1024
_SEND_BUFFER: Final = 256 * 1024
"""Bytes in the kernel's send buffer. A slow reader differs from a stopped one by whether bytes
leave the buffer, and a larger buffer drains too rarely to show that."""
_FINAL_SECONDS: Final = 2.0
"""How long a client may go on sending after the store has closed its side."""


class Relay:
    """Relays connections of ``asyncio.start_server(relay, …, limit=relay.limit)``.

    Connections beyond the bounds of `limiter` are closed at once, unless another is closed for
    them. A connection idle for `idle` in both directions is closed; a reader slower than about 3 kB
    a second counts as idle. Those of addresses for which `is_allowed` returns False are closed at
    once. Each connection holds at most about 0.5 MB of memory.
    """

    limit = _CHUNK
    """The reader's limit; asyncio pauses reading at twice as many bytes."""

    def __init__(
        self,
        port: int,
        limiter: ConnectionLimiter,
        *,
        idle: timedelta = timedelta(minutes=2),
        is_allowed: Callable[[str], bool] = lambda _address: True,
    ) -> None:
        self._port = port
        self._limiter = limiter
        self._is_allowed = is_allowed
        self._idle = idle.total_seconds()
        self._tasks: set[asyncio.Task[object]] = set()

    async def __call__(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Relay one connection until both sides are closed, or one of them fails."""
        task = asyncio.current_task()
        peer = writer.get_extra_info("peername")
        if (
            task is None
            or not peer
            or not self._is_allowed(peer[0])
            or not self._limiter.admit(connection := _Relayed(task), peer[0])
        ):
            writer.transport.abort()
            return
        self._tasks.add(task)
        try:
            await self._relay(reader, writer, lambda: self._limiter.mark_idle(connection))
        except asyncio.CancelledError:
            if not connection.is_evicted:
                raise
        finally:
            self._tasks.discard(task)
            self._limiter.release(connection)
            writer.transport.abort()

    async def close(self) -> None:
        """Abort all connections."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _relay(
        self, reader: StreamReader, writer: StreamWriter, on_activity: Callable[[], None]
    ) -> None:
        try:
            async with asyncio.timeout(self._idle):
                store_reader, store_writer = await asyncio.open_connection(
                    "127.0.0.1", self._port, limit=_CHUNK
                )
        except OSError:  # refused or timed out: the store is restarting
            return
        request = _Direction(reader, store_writer)
        response = _Direction(store_reader, writer)
        try:
            await self._copy_both(request, response, on_activity)
        finally:
            store_writer.transport.abort()

    async def _copy_both(
        self, request: "_Direction", response: "_Direction", on_activity: Callable[[], None]
    ) -> None:
        """Copy in both directions until the store closes, one side fails, or both are idle.

        A client that is still sending when the store closes gets a little more time: aborting its
        connection would replace the response by a reset.
        """
        try:
            async with asyncio.timeout(self._idle) as timeout, asyncio.TaskGroup() as group:
                deadline = _IdleDeadline(timeout, self._idle, on_activity)
                group.create_task(request.copy(deadline))
                await response.copy(deadline)
                deadline.fix(_FINAL_SECONDS)
        except* OSError:  # including a timeout
            pass


class _Relayed:
    """A connection that can be closed for another."""

    def __init__(self, task: asyncio.Task[object]) -> None:
        self._task = task
        self.is_evicted = False

    def evict(self) -> None:
        self.is_evicted = True
        self._task.cancel()


class _IdleDeadline:
    """Postpones a timeout with every chunk."""

    def __init__(
        self, timeout: asyncio.Timeout, idle: float, on_activity: Callable[[], None]
    ) -> None:
        self._timeout = timeout
        self._idle: float | None = idle
        self._on_activity = on_activity

    def postpone(self) -> None:
        self._on_activity()
        if self._idle is not None:
            self._reschedule(self._idle)

    def fix(self, seconds: float) -> None:
        """Set the deadline from now, and ignore further activity."""
        self._idle = None
        self._reschedule(seconds)

    def _reschedule(self, seconds: float) -> None:
        if not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time() + seconds)


@dataclass(frozen=True, slots=True)
class _Direction:
    """One direction of a connection."""

    reader: StreamReader
    writer: StreamWriter

    async def copy(self, deadline: _IdleDeadline) -> None:
        """Copy until the reader ends, then close the writer. Raises OSError if either fails."""
        self.writer.transport.set_write_buffer_limits(high=_CHUNK)
        with contextlib.suppress(OSError):
            connection = self.writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        while chunk := await self.reader.read(_CHUNK):
            self._check_open()
            self.writer.write(chunk)
            await self.writer.drain()
            deadline.postpone()
        self.writer.transport.set_write_buffer_limits(high=0)
        await self.writer.drain()  # until everything is sent
        self._check_open()
        self.writer.write_eof()

    def _check_open(self) -> None:
        if self.writer.is_closing():  # uvloop would raise RuntimeError
            raise ConnectionResetError
