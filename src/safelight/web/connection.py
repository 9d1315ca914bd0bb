"""A connection of uvicorn's that bounds what a client can make it keep, and for how long.

With httptools, uvicorn limits neither how large a head or the trailers may be nor how long a head
may take, neither how many requests may wait for their turn nor how long an answer for its reader:
a client could fill the memory with one header, or keep a connection for ever by two bytes.
"""

import asyncio
import fcntl
import struct
import termios
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEAD = 64 * 1024
"""Bytes of the request line and the headers, or of what is between two pieces of a body and after
the last; up to one more read of the socket may be taken."""
MAX_HEADERS = 200
"""Lines of a head: a line of three bytes costs us two hundred."""
MAX_WAITING = 8
"""Requests that may wait for the answers to those before them."""
_HEAD_SECONDS = 20.0
"""What a head may take, from its first byte; and a new connection until that comes."""
_READER_SECONDS = 30.0
_READER_BYTES = 16 * 1024
"""What a reader has to take in that time while we wait for him."""
_LINGER_BYTES = 2 * 1024 * 1024
_LINGER_SECONDS = 2.0


class Connection(HttpToolsProtocol):
    """Answers 431 to a head that is too large, and 408 to one that takes too long.

    A client that is still sending would get a reset instead of the answer. So what it sends is
    dropped for a while before the connection is closed. It is closed without a word if its
    trailers are too large, if too many requests wait, or if nobody reads the answer. Trailers are
    dropped.
    """

    head_seconds = _HEAD_SECONDS
    reader_seconds = _READER_SECONDS

    def __init__(self, *args: Any, **keywords: Any) -> None:  # noqa: ANN401  uvicorn's own
        super().__init__(*args, **keywords)
        self._head: int | None = None  # bytes of the head that is arriving; None: none is
        self._between = 0  # bytes since the head or the last piece of the body
        self._in_message = False
        self._in_body = False
        self._running: RequestResponseCycle | None = None
        self._droppable: int | None = None  # after a refusal, what may still come
        self._timer: asyncio.TimerHandle | None = None
        self._reader_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer, and tell so to the request that is being answered.

        uvicorn tells it to the one that came last, which may still be waiting.
        """
        self._end_timer()
        self._end_reader_timer()
        if self._running and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser no more of a head, or of trailers, than may be one."""
        if self._droppable is not None:
            self._drop(len(data))
            return
        for at in range(0, len(data), MAX_HEAD):
            self._feed(data[at : at + MAX_HEAD])
            if self.transport.is_closing() or self._droppable is not None:
                return

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._in_message = True
        self._in_body = False
        if self._head is None:
            self._await_head(begun=1)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep it if it is one, and no trailer."""
        if self._head is None:
            return
        if len(self.headers) >= MAX_HEADERS:
            self._refuse("431 Request Header Fields Too Large")
            raise ValueError("too many headers")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """End the head, and answer the request if not too many wait already."""
        self._head = None
        self._between = 0
        self._end_timer()
        if len(self.pipeline) >= MAX_WAITING:
            self._close()
            raise ValueError("too many requests")
        self._in_body = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._between = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Take what comes next for a head."""
        self._in_message = self._in_body = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what could not be parsed, unless there is an answer or one before it is due."""
        if self._droppable is not None or self.transport.is_closing():
            return
        own_body = self._in_body and self._running is self.cycle and not self._has_begun
        if self._is_answering and not own_body:
            self._close()
        else:
            super().send_400_response(msg)
            self._watch_reader()

    def on_response_complete(self) -> None:
        """Go on to what waits, or see that the last answer is read."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch_reader()

    def pause_writing(self) -> None:
        """Wait for the reader, but not for ever."""
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        """Go on writing."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._end_reader_timer()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection over which nothing came."""
        self._close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _feed(self, part: bytes) -> None:
        if self._head is None and not self._in_message:
            self._await_head()  # if only empty lines come, the parser never says that one begins
        if self._head is None:
            self._between += len(part)
        else:
            self._head += len(part)
        super().data_received(part)
        if self._head is not None and self._head > MAX_HEAD:
            self._refuse("431 Request Header Fields Too Large")
        elif self._between > MAX_HEAD:
            self._close()

    @property
    def _has_begun(self) -> bool:
        """Whether any of the answer was written."""
        return self._running is not None and self._running.response_started

    @property
    def _is_answering(self) -> bool:
        return bool(self.cycle and not self.cycle.response_complete)

    def _await_head(self, *, begun: int = 0) -> None:
        self._head = begun
        self._end_timer()
        self._timer = self.loop.call_later(self.head_seconds, self._too_late)

    def _too_late(self) -> None:
        if self._is_answering:  # what came after the request has time until it is answered
            self._timer = self.loop.call_later(self.head_seconds, self._too_late)
        elif self._head:
            self._refuse("408 Request Timeout")
        else:
            self._close()

    def _refuse(self, status: str) -> None:
        self._end_timer()
        if self.transport.is_closing() or self._is_answering:
            self._close()
            return
        reason = status.partition(" ")[2]
        self.transport.write(
            f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(reason)}\r\n"
            f"Connection: close\r\n\r\n{reason}".encode("ascii")
        )
        self.transport.write_eof()
        self._droppable = _LINGER_BYTES
        self._timer = self.loop.call_later(_LINGER_SECONDS, self._close)

    def _drop(self, count: int) -> None:
        assert self._droppable is not None  # noqa: S101  a refusal set it
        self._droppable -= count
        if self._droppable < 0:
            self._close()

    def _close(self) -> None:
        """Close when all that was written has been read."""
        self._end_timer()
        self.transport.close()
        self._watch_reader()

    def _watch_reader(self) -> None:
        if self._reader_timer is None and self.transport.get_write_buffer_size():
            self._reader_timer = self._in_a_while(_unread(self.transport))

    def _in_a_while(self, unread: int) -> asyncio.TimerHandle:
        return self.loop.call_later(self.reader_seconds, self._check_reader, unread)

    def _check_reader(self, before: int) -> None:
        """Give up a reader who took too little. Nothing was written meanwhile."""
        unread = _unread(self.transport)
        self._reader_timer = None
        if not self.transport.get_write_buffer_size():
            return
        if unread > before - _READER_BYTES:
            self.transport.abort()
        else:
            self._reader_timer = self._in_a_while(unread)

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_reader_timer(self) -> None:
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None


def _unread(transport: asyncio.Transport) -> int:
    """Count the bytes that have not reached the reader, the kernel's share among them.

    The kernel takes more only when a third of its buffer is free: by ours alone, a slow reader
    could not be told from one that has stopped.
    """
    try:
        descriptor = transport.get_extra_info("socket").fileno()
        kernels = fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4))
    except OSError:
        return transport.get_write_buffer_size()
    return transport.get_write_buffer_size() + int(struct.unpack("i", kernels)[0])
