"""A connection of uvicorn's that bounds what comes before a request's body: its head.

With httptools, uvicorn limits neither how large a head may be nor how long it may take: a client
could fill the memory with one header, or keep a connection for ever by a byte a minute.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 64 * 1024
"""Bytes of the request line and the headers; up to one more read of the socket may be taken."""
_HEAD_SECONDS = 20.0
"""What a head may take, from its first byte; and a new connection until that comes."""
_LINGER_BYTES = 2 * 1024 * 1024
_LINGER_SECONDS = 2.0


class Connection(HttpToolsProtocol):
    """Answers 431 to a head that is too large, and 408 to one that takes too long.

    A client that is still sending would get a reset instead of the answer. So what it sends is
    dropped for a while before the connection is closed.
    """

    head_seconds = _HEAD_SECONDS

    def __init__(self, *args: Any, **keywords: Any) -> None:  # noqa: ANN401  uvicorn's own
        super().__init__(*args, **keywords)
        self._head: int | None = None  # bytes of the head that is arriving; None: none is
        self._droppable: int | None = None  # after a refusal, what may still come
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._end_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser no more of a head than may be one."""
        if self._droppable is not None:
            self._drop(len(data))
            return
        while data and self._head is not None and not self.transport.is_closing():
            part, data = data[:MAX_HEAD], data[MAX_HEAD:]
            self._head += len(part)
            super().data_received(part)
            if self._head is not None and self._head > MAX_HEAD:
                self._refuse("431 Request Header Fields Too Large")
                return
        if data and not self.transport.is_closing():
            super().data_received(data)

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        if self._head is None:
            self._await_head(begun=1)

    def on_headers_complete(self) -> None:
        """End it."""
        self._head = None
        self._end_timer()
        super().on_headers_complete()

    def _await_head(self, *, begun: int = 0) -> None:
        self._head = begun
        self._end_timer()
        self._timer = self.loop.call_later(self.head_seconds, self._too_late)

    def _too_late(self) -> None:
        if self._head:
            self._refuse("408 Request Timeout")
        else:
            self.transport.close()

    def _refuse(self, status: str) -> None:
        self._end_timer()
        if self.transport.is_closing() or (self.cycle and not self.cycle.response_complete):
            self.transport.close()
            return
        reason = status.partition(" ")[2]
        self.transport.write(
            f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(reason)}\r\n"
            f"Connection: close\r\n\r\n{reason}".encode("ascii")
        )
        self.transport.write_eof()
        self._droppable = _LINGER_BYTES
        self._timer = self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    def _drop(self, count: int) -> None:
        assert self._droppable is not None  # noqa: S101  a refusal set it
        self._droppable -= count
        if self._droppable < 0:
            self.transport.close()

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
