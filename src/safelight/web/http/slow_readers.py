"""Close connections whose clients have stopped reading the response."""

import asyncio
import fcntl
import struct
import termios
from typing import Final

_MIN_BYTES: Final = 16 * 1024
"""A client that reads less than this between two checks loses the connection."""


class ReaderWatch:
    """Aborts a connection if its client reads less than 16 KB in `seconds`.

    It is for the time in which nothing is written.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, seconds: float
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Watch from now on, if the client has anything left to read."""
        if self._timer is None and self._transport.get_write_buffer_size():
            self._schedule(_unread(self._transport))

    def stop(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self, unread: int) -> None:
        self._timer = self._loop.call_later(self._seconds, self._check, unread)

    def _check(self, before: int) -> None:
        unread = _unread(self._transport)
        self._timer = None
        if not self._transport.get_write_buffer_size():
            return
        if unread > before - _MIN_BYTES:
            self._transport.abort()
        else:
            self._schedule(unread)


def _unread(transport: asyncio.Transport) -> int:
    """Return the number of bytes that the client has not received, including the kernel's buffer.

    The kernel accepts more only when a third of its buffer is free, so by our own buffer alone a
    slow reader would look like one that has stopped.
    """
    try:
        descriptor = transport.get_extra_info("socket").fileno()
        in_kernel = fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4))
    except OSError:
        return transport.get_write_buffer_size()
    return transport.get_write_buffer_size() + int(struct.unpack("i", in_kernel)[0])
