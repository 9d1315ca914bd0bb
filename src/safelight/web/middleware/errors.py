"""Turn unexpected errors into responses, inside the middleware that adds CORS headers."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from safelight import errors
from safelight.web.error_log import log_unexpected
from safelight.web.http.accept import accepts_html
from safelight.web.middleware.exchange import EXCHANGE, Exchange, shutting_down
from safelight.web.problems import ErrorPage, internal_error


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
