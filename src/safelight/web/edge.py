"""What stands around the whole app, as plain ASGI: hosts, headers, early answers.

A client that is still sending when the answer is there would get a reset instead of the answer:
the kernel sends one when a socket is closed with bytes unread. So after an early answer the body
is received a little longer, into nothing.
"""

import asyncio
import time
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from safelight.errors import UnknownHost
from safelight.web.hosts import told_host
from safelight.web.problems import answer

_DRAIN_BYTES = 1024 * 1024
_DRAIN_SECONDS = 2.0
_DRAIN_PAUSE = 1.5 / _DRAIN_BYTES
"""Seconds a byte. Dropped as fast as they come, those bytes are over before a proxy has read the
answer; then the reset makes a 502 of it."""
_DRAIN_SILENCE = 0.5
"""How long who promised to wait for a 100 is waited for: proxies promise it, but do not wait."""

HEAD = "safelight.head"
"""In the scope of a GET that was a HEAD, which must change nothing at all."""

_FOUND = ("route", "path_params", "endpoint", "root_path")
"""What routing leaves in a scope."""

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
}
"""On every answer; a page sets the Content-Security-Policy that it needs."""


class SecurityHeaders:
    """Adds the security headers that an answer doesn't have yet."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, sending)


class KnownHosts:
    """Refuses requests to host names that aren't configured (DNS rebinding); `*` allows any."""

    def __init__(self, app: ASGIApp, *, allowed: Iterable[str]) -> None:
        self._app = app
        self._allowed = frozenset(host.strip("[]").lower() for host in allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or self._knows(scope):
            await self._app(scope, receive, send)
        else:
            await answer(UnknownHost())(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        """`*` allows any, but for what is no host at all."""
        host = told_host(Headers(scope=scope))
        return host is not None and ("*" in self._allowed or host in self._allowed)


class Heads:
    """Answers HEAD as GET without the body: what a GET would be told, and no method of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            await send({**message, "body": b""} if "body" in message else message)

        asked: Scope = {**scope, "method": "GET", HEAD: True}
        try:
            await self._app(asked, receive, sending)
        finally:  # the ledger looks there for the route that was found
            scope.update({name: asked[name] for name in _FOUND if name in asked})


class EarlyAnswers:
    """Lets a client that is still sending read the answer.

    After an answer that came before the end of the body, at most a mebibyte or two seconds more
    are received and dropped; then the connection is closed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(receive, send, waits=_waits(scope))
        await self._app(scope, exchange.receive, exchange.send)


class _Exchange:
    """One request with a body, and its answer."""

    def __init__(self, receive: Receive, send: Send, *, waits: bool) -> None:
        self._receive = receive
        self._send = send
        self._arrived = False
        self._silent = waits

    async def receive(self) -> Message:
        message = await self._receive()
        self._silent = False
        if message["type"] != "http.request" or not message.get("more_body", False):
            self._arrived = True
        return message

    async def send(self, message: Message) -> None:
        if self._arrived:
            await self._send(message)
        elif message["type"] == "http.response.start":
            MutableHeaders(scope=message)["Connection"] = "close"
            await self._send(message)
        elif message.get("more_body", False):
            await self._send(message)
        else:
            await self._send({**message, "more_body": True})
            await self._drain()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _drain(self) -> None:
        left = _DRAIN_BYTES
        end = time.monotonic() + _DRAIN_SECONDS
        patience = _DRAIN_SILENCE if self._silent else _DRAIN_SECONDS
        while not self._arrived and left > 0:
            try:
                async with asyncio.timeout(min(patience, end - time.monotonic())):
                    message = await self.receive()
            except TimeoutError:
                return
            patience = _DRAIN_SECONDS
            dropped = len(message.get("body", b""))
            left -= dropped
            if not self._arrived:
                await asyncio.sleep(dropped * _DRAIN_PAUSE)


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _waits(scope: Scope) -> bool:
    return Headers(scope=scope).get("expect", "").lower() == "100-continue"
