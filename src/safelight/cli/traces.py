"""Traces for OpenTelemetry: spans are sent to a collector, if one is configured."""

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Final

import safelight
from safelight.errors import SettingsError
from safelight.settings import TraceSettings
from safelight.trail import request_id, trace_by

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer as OpenTelemetrys

_TIMEOUT: Final = 1
"""Seconds that a collector may take for a batch; the end of the program waits no longer for it."""


def exported(settings: TraceSettings) -> AbstractContextManager[None]:
    """Send spans to the collector as long as the context lasts, what is left at its end too.

    Whatever else can be told of it (headers, the sampler, the service's name) is told by
    OpenTelemetry's own variables, ``OTEL_…``. Raises SettingsError if the extra isn't installed.
    """
    if settings.endpoint_url is None:
        return contextlib.nullcontext()
    return _exported(settings.endpoint_url)


@contextmanager
def _exported(endpoint: str) -> Iterator[None]:
    try:
        # An extra, only when used.
        from opentelemetry import trace  # noqa: PLC0415
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SettingsError(
            "SAFELIGHT_TRACES__ENDPOINT_URL needs the extra: pip install 'safelight[otel]'."
        ) from error
    resource = Resource.create({"service.version": safelight.__version__})
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": "safelight"}))
    provider = TracerProvider(resource=resource)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=_TIMEOUT)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    trace_by(Steps(provider.get_tracer("safelight")))
    try:
        yield
    finally:
        trace_by(None)
        provider.shutdown()


class Steps:
    """Makes spans of steps. What an error says stays here: only its kind is told."""

    def __init__(self, tracer: "OpenTelemetrys") -> None:
        self._tracer = tracer

    @contextmanager
    def step(self, name: str, facts: Mapping[str, str | int]) -> Iterator[None]:
        """Have a span for as long as the context lasts."""
        from opentelemetry.trace import StatusCode  # noqa: PLC0415  an extra, only when used

        told = {f"safelight.{each}": fact for each, fact in facts.items()}
        told["safelight.request_id"] = request_id.get() or ""
        with self._tracer.start_as_current_span(
            name, attributes=told, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except BaseException as error:
                span.set_status(StatusCode.ERROR, type(error).__name__)
                raise
