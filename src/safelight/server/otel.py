"""Export traces to an OpenTelemetry collector, if one is configured."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import safelight
from safelight.errors import SettingsError
from safelight.http_clients import authorities_file, on_loopback
from safelight.settings import TraceSettings
from safelight.tracing import request_id, set_tracer

if TYPE_CHECKING:
    import requests
    from opentelemetry.trace import Tracer

_TIMEOUT: Final = 1
"""Seconds per batch, which is also the longest that exporting delays shutdown."""


@contextmanager
def export_traces(settings: TraceSettings, authorities: str | None = None) -> Iterator[None]:
    """Export spans while the context lasts, and flush them when it ends.

    OpenTelemetry's own variables (``OTEL_…``) set headers, the sampler and the service name.
    Certificate `authorities` (PEM) are trusted besides the usual ones. Raises SettingsError if the
    extra isn't installed.
    """
    if settings.endpoint_url is None:
        yield
        return
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise SettingsError(
            "SAFELIGHT_TRACES__ENDPOINT_URL needs an extra: run pip install 'safelight[otel]'."
        ) from error
    resource = Resource.create({"service.version": safelight.__version__})
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": "safelight"}))
    provider = TracerProvider(resource=resource)
    with authorities_file(authorities) as file:
        exporter = OTLPSpanExporter(
            endpoint=f"{settings.endpoint_url}/v1/traces",
            timeout=_TIMEOUT,
            certificate_file=file,
            session=_open_session(settings.endpoint_url),
        )
        provider.add_span_processor(BatchSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
        set_tracer(OtelTracer(provider.get_tracer("safelight")))
        try:
            yield
        finally:
            set_tracer(None)
            provider.shutdown()


def _open_session(url: str) -> "requests.Session | None":
    """Return a session that ignores the proxies of the environment if no proxy can reach `url`."""
    import requests  # a dependency of the exporter

    if not on_loopback(url):
        return None
    session = requests.Session()
    session.trust_env = False
    return session


class OtelTracer:
    """Records spans. Of errors only the type is exported, since messages may be private."""

    def __init__(self, tracer: "Tracer") -> None:
        self._tracer = tracer

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, str | int]) -> Iterator[None]:
        """Record a span while the context lasts."""
        from opentelemetry.trace import StatusCode

        prefixed = {f"safelight.{key}": value for key, value in attributes.items()}
        prefixed["safelight.request_id"] = request_id.get() or ""
        with self._tracer.start_as_current_span(
            name, attributes=prefixed, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except BaseException as error:
                span.set_status(StatusCode.ERROR, type(error).__name__)
                raise
