"""The outermost middleware, around each request until its response has been sent, and its errors.

It undoes what proxies have done to the request, gives it an id, counts and logs it, adds security
headers to the response, answers errors in other middleware with a 500, and closes the connection
where that is needed. One middleware does this, so that each message passes one wrapper of `receive`
and one of `send`.
"""

import asyncio
import re
import secrets
import time
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from safelight import errors
from safelight.tracing import request_id
from safelight.web.auth.cookie import COOKIES
from safelight.web.error_log import log_unexpected
from safelight.web.http.accept import accepts_html
from safelight.web.http.paths import PathPrefix
from safelight.web.http.proxies import TrustedProxies
from safelight.web.http.security_headers import add_security_headers
from safelight.web.middleware.request_log import NO_RESPONSE, RequestMetrics
from safelight.web.problems import ErrorPage, internal_error, make_problem

_DRAIN_BYTES = 1024 * 1024
_DRAIN_SECONDS = 2.0
_DRAIN_PAUSE = 1.5 / _DRAIN_BYTES
"""Seconds per byte. Without a pause, the allowance is used up before a proxy has read the response,
and the reset makes it answer 502."""
_DRAIN_SILENCE = 0.5
"""Seconds to wait after "Expect: 100-continue", which proxies send without waiting."""

EXCHANGE: Final = "safelight.exchange"
"""In the scope: the Exchange of the request."""

_is_valid_id = re.compile(r"[A-Za-z0-9._-]{8,128}").fullmatch
"""The ids accepted from clients: safe in log lines, headers and queries."""


class Drain:
    """Whether the process is draining. If so, /readyz answers 503 and load balancers avoid it."""

    def __init__(self) -> None:
        self.begun = False


class ExchangeMiddleware:
    """Handles what all requests have in common.

    Client, scheme, host and path are set to the client's own before other middleware reads them.
    A well-formed X-Request-Id of the client is used as the request's id; log lines, jobs and the
    response carry it. Once the drain has begun, each connection is closed after its next response:
    otherwise a load balancer could send a request on a connection as it closes.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        proxies: TrustedProxies,
        prefix: PathPrefix,
        request_metrics: RequestMetrics,
        drain: Drain,
    ) -> None:
        self._app = app
        self._proxies = proxies
        self._prefix = prefix
        self._request_metrics = request_metrics
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # In place, so that the connection sees it.
        self._proxies.apply(scope)
        if self._prefix.prefix or scope.get("root_path"):
            self._prefix.apply(scope)
        exchange = scope[EXCHANGE] = Exchange(scope, receive, send, self._drain)
        reset_token = request_id.set(exchange.id)
        self._request_metrics.in_progress.inc()
        started_at = time.perf_counter()
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception as error:  # noqa: BLE001  whatever it is, the client gets a response
            log_unexpected(error)
            if not exchange.has_started:
                await internal_error()(scope, receive, exchange.send)
            # Otherwise uvicorn closes the connection, as the response is incomplete.
        finally:
            self._request_metrics.in_progress.dec()
            self._request_metrics.record(scope, exchange.status, time.perf_counter() - started_at)
            request_id.reset(reset_token)


class Exchange:
    """One request and its response.

    After a response that comes before the end of the request's body, up to 1 MB or two seconds
    more are received and dropped, and then the connection is closed. The kernel resets a
    connection that is closed with unread bytes, and the client loses the response.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, drain: Drain) -> None:
        headers = Headers(scope=scope)
        ids = headers.getlist("x-request-id")
        self.id = ids[0] if len(ids) == 1 and _is_valid_id(ids[0]) else secrets.token_hex(16)
        self.status = NO_RESPONSE
        self.has_whole_body = (
            "transfer-encoding" not in headers and headers.get("content-length", "0") == "0"
        )
        self._silent = headers.get("expect", "").lower() == "100-continue"
        self._scope = scope
        self._receive = receive
        self._send = send
        self._drain = drain

    @property
    def has_started(self) -> bool:
        """Whether the response has started."""
        return self.status != NO_RESPONSE

    async def receive(self) -> Message:
        """Receive the next message from the client."""
        message = await self._receive()
        self._silent = False
        if message["type"] != "http.request" or not message.get("more_body", False):
            self.has_whole_body = True
        return message

    async def send(self, message: Message) -> None:
        """Send a message of the response."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            add_security_headers(headers, self._scope)
            for cookie in self._scope.get("state", {}).get(COOKIES, ()):
                headers.append("Set-Cookie", cookie.decode("latin-1"))
            headers["X-Request-Id"] = self.id
            if self._drain.begun or not self.has_whole_body:
                headers["Connection"] = "close"
            await self._send(message)
        elif self.has_whole_body or message.get("more_body", False):
            await self._send(message)
        else:
            await self._send({**message, "more_body": True})
            await self._drop_body()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _drop_body(self) -> None:
        """Receive and drop the rest of the request's body, for a while."""
        left = _DRAIN_BYTES
        end = time.monotonic() + _DRAIN_SECONDS
        timeout = _DRAIN_SILENCE if self._silent else _DRAIN_SECONDS
        while not self.has_whole_body and left > 0:
            try:
                async with asyncio.timeout(min(timeout, end - time.monotonic())):
                    message = await self.receive()
            except TimeoutError:
                return
            timeout = _DRAIN_SECONDS
            dropped = len(message.get("body", b""))
            left -= dropped
            if not self.has_whole_body:
                await asyncio.sleep(dropped * _DRAIN_PAUSE)


class ErrorMiddleware:
    """Answers 500, as a page for browsers, if the app fails before its response has started.

    A request that is cancelled by the shutdown gets a 503. Both have the headers that the outer
    middleware adds, so that the pages of other origins can read them.
    """

    def __init__(self, app: ASGIApp, *, render_page: ErrorPage) -> None:
        self._app = app
        self._render_page = render_page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange: Exchange = scope[EXCHANGE]
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if exchange.has_started:
                raise
            exchange.has_whole_body = True  # a process that shuts down doesn't wait for it
            # uvicorn would answer 500 and log a traceback.
            await shutting_down()(scope, receive, send)
        except Exception as error:
            if exchange.has_started:
                raise
            log_unexpected(error)
            await self._respond(scope)(scope, receive, send)

    def _respond(self, scope: Scope) -> Response:
        request = Request(scope)
        if accepts_html(request.headers):
            try:
                return self._render_page(request, errors.SafelightError())
            except Exception as error:  # noqa: BLE001  the page may fail for the same reason
                log_unexpected(error)
        return internal_error()


def shutting_down() -> Response:
    """Return the response to a request that the shutdown has cancelled."""
    return make_problem(
        503,
        errors.Busy.code,
        "The service is shutting down. Try again in a few seconds.",
        {"Connection": "close", "Retry-After": "5"},
    )
