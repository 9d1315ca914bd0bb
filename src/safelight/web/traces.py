"""A span of OpenTelemetry's for each request; imported only when traces are configured."""

from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from safelight.trail import request_id
from safelight.web.ledger import Ledger

_SERVERS_FAULT = 500


class Traces:
    """Traces requests; it goes inside what gives them their ids.

    A span tells method, route and status, but neither the path nor the query, which may hold a
    sign-in code. A trace that the client began (``traceparent``) is gone on with.
    """

    def __init__(self, app: ASGIApp, *, ledger: Ledger) -> None:
        self._app = app
        self._ledger = ledger
        self._tracer = trace.get_tracer("safelight")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with self._span(scope) as span:

            async def sending(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _tell_status(span, message["status"])
                await send(message)

            try:
                await self._app(scope, receive, sending)
            except Exception as error:
                span.set_status(StatusCode.ERROR, type(error).__name__)
                raise
            finally:
                route = self._ledger.route(scope)
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.route", route)

    def _span(self, scope: Scope) -> Any:  # noqa: ANN401  its type is private to contextlib
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        return self._tracer.start_as_current_span(
            scope["method"],
            context=propagate.extract(headers),
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": scope["method"],
                "url.scheme": scope["scheme"],
                "safelight.request_id": request_id.get() or "",
            },
            record_exception=False,
            set_status_on_exception=False,
        )


def _tell_status(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= _SERVERS_FAULT:
        span.set_status(StatusCode.ERROR)
