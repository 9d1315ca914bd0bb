"""A uvicorn protocol that limits the memory and time that a client can use.

With httptools, uvicorn limits none of these: the size of heads and trailers, the time for a head,
the number of pipelined requests, and the time that a client takes to read a response. A client
could fill the memory with one header, or keep a connection open forever with two bytes.
"""

import asyncio
from typing import Any, ClassVar

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from safelight.web.http.connections import ConnectionLimiter
from safelight.web.http.security_headers import SECURITY_HEADERS
from safelight.web.http.slow_readers import ReaderWatch

MAX_HEAD = 64 * 1024
"""Bytes of the request line and headers, of what separates two pieces of a body, and of trailers.
Up to one more read of the socket is accepted."""
MAX_HEADERS = 200
"""Lines in a head: parsing a line of three bytes takes two hundred bytes of memory."""
MAX_WAITING = 8
"""Pipelined requests that may wait for the responses to earlier ones."""
_HEAD_SECONDS = 20.0
"""Time for a head from its first byte, and for a new connection until then."""
_READER_SECONDS = 30.0
_LINGER_BYTES = 2 * 1024 * 1024
_LINGER_SECONDS = 2.0


class HttpProtocol(HttpToolsProtocol):
    """Answers 431 to a head that is too large, and 408 to a head that takes too long.

    A client that is still sending would get a reset instead of the response, so its bytes are
    dropped for a while before the connection is closed. The connection is closed without a
    response if trailers are too large, too many requests wait, or the client stops reading.
    Trailers are dropped.
    """

    head_seconds = _HEAD_SECONDS
    reader_seconds = _READER_SECONDS

    limiter: ClassVar[ConnectionLimiter | None] = None
    """Bounds the connections of the server."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._head: int | None = None  # bytes of the arriving head, if there is one
        self._between = 0  # bytes since the head or the last piece of the body
        self._in_message = False
        self._in_body = False
        self._running: RequestResponseCycle | None = None
        self._linger_bytes_left: int | None = None  # bytes that may still arrive after a refusal
        self._timer: asyncio.TimerHandle | None = None
        self._reader_watch: ReaderWatch | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Wait for the first head, or close if there are too many connections."""
        super().connection_made(transport)
        self._reader_watch = ReaderWatch(self.loop, transport, self.reader_seconds)
        if self.limiter and not self.limiter.admit(self, _peer(transport)):
            transport.write(_plain_response("503 Service Unavailable", "Too many connections."))
            transport.close()
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers, and mark the running request as disconnected.

        uvicorn marks only the latest request, which may still be waiting.
        """
        if self.limiter:
            self.limiter.release(self)
        self._cancel_timer()
        self._stop_watching_reader()
        if self._running and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, but no more than the limit of a head or of trailers."""
        if self._linger_bytes_left is not None:
            self._discard(len(data))
            return
        for at in range(0, len(data), MAX_HEAD):
            part = data[at : at + MAX_HEAD]
            if self._head is None and not self._in_message:
                self._await_head()  # the parser reports no message while only empty lines arrive
            if self._head is None:
                self._between += len(part)
            else:
                self._head += len(part)
            super().data_received(part)
            if self._head is not None and self._head > MAX_HEAD:
                self._refuse("431 Request Header Fields Too Large")
            elif self._between > MAX_HEAD:
                self._close()
            if self.transport.is_closing() or self._linger_bytes_left is not None:
                return

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._in_message = True
        self._in_body = False
        if self._head is None:
            self._await_head(received=1)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header; trailers are dropped."""
        if self._head is None:
            return
        if len(self.headers) >= MAX_HEADERS:
            self._refuse("431 Request Header Fields Too Large")
            raise ValueError("too many headers")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """End the head, and start the request unless too many are waiting."""
        self._head = None
        self._between = 0
        self._cancel_timer()
        if len(self.pipeline) >= MAX_WAITING:
            self._close()
            raise ValueError("too many requests")
        self._in_body = True
        if self.limiter:
            self.limiter.mark_busy(self)
        if self.parser.get_http_version() < "1.1":  # it knows no interim responses (RFC 9110, 15.2)
            self.expect_100_continue = False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Receive a piece of the body."""
        self._between = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the message: what follows is a head."""
        self._in_message = self._in_body = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer a malformed request, unless a response has started or an earlier one is due."""
        if self._linger_bytes_left is not None or self.transport.is_closing():
            return
        own_body = self._in_body and self._running is self.cycle and not self._has_started
        if self._is_answering and not own_body:
            self._close()
        else:
            self.transport.write(_plain_response("400 Bad Request", msg))
            self.transport.close()
            self._watch_reader()

    def on_response_complete(self) -> None:
        """Start the next request, or make sure that the last response is read."""
        super().on_response_complete()
        if self.limiter and self.cycle.response_complete:  # otherwise the next one has arrived
            self.limiter.mark_idle(self)
        if self.transport.is_closing():
            self._watch_reader()

    def pause_writing(self) -> None:
        """Wait for the client to read, for a limited time."""
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        """Continue writing."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._stop_watching_reader()

    def evict(self) -> None:
        """Close an idle connection at once, to make place for another."""
        self._cancel_timer()
        self.transport.abort()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection."""
        self._close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    @property
    def _has_started(self) -> bool:
        """Return whether the response has started."""
        return self._running is not None and self._running.response_started

    @property
    def _is_answering(self) -> bool:
        return bool(self.cycle and not self.cycle.response_complete)

    def _await_head(self, *, received: int = 0) -> None:
        self._head = received
        self._cancel_timer()
        self._timer = self.loop.call_later(self.head_seconds, self._time_out_head)

    def _time_out_head(self) -> None:
        if self._is_answering:  # bytes after the request may wait for its response
            self._timer = self.loop.call_later(self.head_seconds, self._time_out_head)
        elif self._head:
            self._refuse("408 Request Timeout")
        else:
            self._close()

    def _refuse(self, status: str) -> None:
        self._cancel_timer()
        if self.transport.is_closing() or self._is_answering:
            self._close()
            return
        self.transport.write(_plain_response(status, status.partition(" ")[2]))
        self.transport.write_eof()
        self._linger_bytes_left = _LINGER_BYTES
        self._timer = self.loop.call_later(_LINGER_SECONDS, self._close)

    def _discard(self, count: int) -> None:
        assert self._linger_bytes_left is not None
        self._linger_bytes_left -= count
        if self._linger_bytes_left < 0:
            self._close()

    def _close(self) -> None:
        """Close once the client has read everything."""
        self._cancel_timer()
        self.transport.close()
        self._watch_reader()

    def _watch_reader(self) -> None:
        if self._reader_watch:
            self._reader_watch.start()

    def _stop_watching_reader(self) -> None:
        if self._reader_watch:
            self._reader_watch.stop()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _peer(transport: asyncio.BaseTransport) -> str:
    """Return the address at the other end of the connection."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) else ""


def _plain_response(status: str, text: str) -> bytes:
    """Return a whole response, for a request that reaches no app."""
    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Length": str(len(text)),
        "Cache-Control": "no-store",
        **SECURITY_HEADERS,
        "Connection": "close",
    }
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", text]).encode("ascii")
