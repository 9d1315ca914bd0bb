"""The metrics of this process for Prometheus, at ``/metrics``."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final

import prometheus_client
from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from safelight.errors import CatalogUnavailable
from safelight.library import Library
from safelight.settings import MetricsSettings
from safelight.settings.validators import reveal
from safelight.web.auth.auth import Authenticator, bearer_token, is_same_secret
from safelight.web.middleware.request_log import RequestMetrics

_JOBS_TIMEOUT: Final = timedelta(seconds=2)
"""The timeout of the job counts; after it they are left out."""


def metrics_router(
    library: Library,
    request_metrics: RequestMetrics,
    authenticator: Authenticator,
    settings: MetricsSettings,
) -> APIRouter:
    """Make the router of ``/metrics``.

    It accepts the API's authentication or `settings.token`, unless it is public.
    """
    router = APIRouter(include_in_schema=False)
    collector = LibraryCollector(library, request_metrics)
    registry = CollectorRegistry()
    for source in (ProcessCollector(registry=None), GCCollector(CollectorRegistry()), collector):
        registry.register(source)
    # Without this, a second sample for each counter has the time of its creation.
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no types

    @router.get("/metrics", response_class=Response)
    async def metrics(request: Request) -> Response:
        if not (settings.public or _has_metrics_token(request, settings)):
            await authenticator(request)
        await collector.load_jobs()
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        headers = {"Cache-Control": "no-store", "Content-Type": content_type}
        return Response(encode(registry), headers=headers)

    return router


def _has_metrics_token(request: Request, settings: MetricsSettings) -> bool:
    if settings.token is None:
        return False
    return is_same_secret(bearer_token(request) or "", reveal(settings.token))


class LibraryCollector(Collector):
    """Collects the metrics of requests and of a library, once it is started."""

    def __init__(self, library: Library, request_metrics: RequestMetrics) -> None:
        self._library = library
        self._request_metrics = request_metrics
        self._jobs: dict[str, int] = {}

    async def load_jobs(self) -> None:
        """Load the job counts from the catalog; they are the same for all processes.

        Without the catalog they are left out.
        """
        self._jobs = {}
        with contextlib.suppress(CatalogUnavailable, TimeoutError):
            async with asyncio.timeout(_JOBS_TIMEOUT.total_seconds()):
                counts = await self._library.jobs.count()
                self._jobs = {str(state): count for state, count in counts.items()}

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        library, requests = self._library.metrics, self._request_metrics
        backends = self._library.backends
        bucket, darkroom, links = backends.bucket, backends.darkroom, backends.link_signer
        for metric in (
            requests.requests,
            requests.seconds,
            requests.in_progress,
            library.uploads,
            library.added_bytes,
            library.deletions,
            darkroom.deaths,
            darkroom.wait_seconds,
            darkroom.work_seconds,
            bucket.seconds,
            bucket.calls,
            bucket.errors,
        ):
            yield from metric.collect()
        yield CounterMetricFamily("safelight_links_signed", "Signed links.", value=links.signed)
        hits = {**library.hits, "links": links.reused}
        misses = {**library.misses, "links": links.signed}
        yield _counters("safelight_cache_hits", "Cache hits.", "cache", hits)
        yield _counters("safelight_cache_misses", "Cache misses.", "cache", misses)
        queue = darkroom.queue
        for name, text, value in (
            ("safelight_darkroom_waiting", "Images waiting for a decoder.", queue.waiting),
            ("safelight_darkroom_working", "Images being decoded.", queue.working),
            (
                "safelight_darkroom_places",
                "Maximum number of images decoded at once.",
                queue.servers,
            ),
        ):
            yield GaugeMetricFamily(name, text, value=value)
        jobs = GaugeMetricFamily("safelight_jobs", "Unfinished jobs.", labels=["state"])
        for state, count in self._jobs.items():
            jobs.add_metric([state], count)
        yield jobs


def _counters(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
