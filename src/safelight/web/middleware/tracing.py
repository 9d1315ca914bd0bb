"""An OpenTelemetry span for each request. Imported only when traces are configured."""

from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from safelight.tracing import request_id
from safelight.web.middleware.request_log import RequestMetrics

_SERVER_ERROR = 500


class TracingMiddleware:
    """Traces requests, inside the middleware that gives them their ids.

    A span has method, route and status, but neither path nor query, which may contain a sign-in
    code. It continues the client's trace (``traceparent``).
    """

    def __init__(self, app: ASGIApp, *, request_metrics: RequestMetrics) -> None:
        self._app = app
        self._request_metrics = request_metrics
        self._tracer = trace.get_tracer("safelight")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with self._span(scope) as span:

            async def send_traced(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _record_status(span, message["status"])
                await send(message)

            try:
                await self._app(scope, receive, send_traced)
            except Exception as error:
                span.set_status(StatusCode.ERROR, type(error).__name__)
                raise
            finally:
                route = self._request_metrics.route(scope)
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.route", route)

    def _span(self, scope: Scope) -> Any:
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


def _record_status(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= _SERVER_ERROR:
        span.set_status(StatusCode.ERROR)
