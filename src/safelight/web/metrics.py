"""The numbers of this process for Prometheus, at ``/metrics``."""

import asyncio
import contextlib
import hmac
from collections.abc import Iterator
from datetime import timedelta
from itertools import accumulate
from typing import Final

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from safelight.errors import CatalogUnavailable
from safelight.library import Library
from safelight.settings import MetricsSettings
from safelight.tallies import Durations
from safelight.web.ledger import Ledger
from safelight.web.photos import ProblemRoute
from safelight.web.visitors import Visitors

_PATIENCE: Final = timedelta(seconds=2)
"""How long the catalog is asked for the jobs; without an answer they are left out."""


def metrics_router(
    library: Library, ledger: Ledger, visitors: Visitors, settings: MetricsSettings
) -> APIRouter:
    """Make the router of ``/metrics``.

    It is for whoever may use the API, for who bears `settings.token`, or, if it is public, for
    all.
    """
    router = APIRouter(include_in_schema=False, route_class=ProblemRoute)
    numbers = Numbers(library, ledger)
    registry = CollectorRegistry()
    for collector in (ProcessCollector(registry=None), GCCollector(CollectorRegistry()), numbers):
        registry.register(collector)

    @router.get("/metrics", response_class=Response)
    async def metrics(request: Request) -> Response:
        if not (settings.public or _bears(request, settings)):
            await visitors(request)
        await numbers.ask()
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        headers = {"Cache-Control": "no-store", "Content-Type": content_type}
        return Response(encode(registry), headers=headers)

    return router


def _bears(request: Request, settings: MetricsSettings) -> bool:
    if settings.token is None:
        return False
    offered = request.headers.get("authorization", "").encode("utf-8", "surrogatepass")
    return hmac.compare_digest(offered, f"Bearer {settings.token.get_secret_value()}".encode())


class Numbers(Collector):
    """Collects what the ledger and the library have counted, at the moment when it is asked for."""

    def __init__(self, library: Library, ledger: Ledger) -> None:
        self._library = library
        self._ledger = ledger
        self._jobs: dict[str, int] = {}

    async def ask(self) -> None:
        """Ask the catalog for what only it knows, the jobs, which are the same for all processes.

        While it is away they are not told.
        """
        self._jobs = {}
        with contextlib.suppress(CatalogUnavailable, TimeoutError):
            async with asyncio.timeout(_PATIENCE.total_seconds()):
                counts = await self._library.job_counts()
                self._jobs = {str(state): count for state, count in counts.items()}

    def collect(self) -> Iterator[Metric]:
        """Give all of it."""
        yield from self._requests()
        yield from self._photos()
        yield from self._darkroom()
        yield from self._storage()
        jobs = GaugeMetricFamily("safelight_jobs", "Jobs that are not done.", labels=["state"])
        for state, count in self._jobs.items():
            jobs.add_metric([state], count)
        yield jobs

    def _requests(self) -> Iterator[Metric]:
        answers = CounterMetricFamily(
            "safelight_requests",
            "Requests; the status is 0 if the client went away first.",
            labels=["route", "method", "status"],
        )
        for (route, method, status), count in list(self._ledger.answers.items()):
            answers.add_metric([route, method, str(status)], count)
        yield answers
        times = HistogramMetricFamily(
            "safelight_request_seconds",
            "From a request's head to the end of its answer.",
            labels=["route", "method"],
        )
        for labels, durations in list(self._ledger.times.items()):
            _add(times, labels, durations)
        yield times
        yield _gauge("safelight_requests_under_way", "Requests.", self._ledger.under_way)

    def _photos(self) -> Iterator[Metric]:
        tally, links = self._library.tally, self._library.parts.links
        uploads = "Uploads, by what became of them: added, there already, or an error's code."
        yield _by("safelight_uploads", uploads, "outcome", tally.uploads)
        yield _counter(
            "safelight_added_bytes", "Bytes of photos that were added.", tally.bytes_added
        )
        yield _counter("safelight_deletions", "Photos that were deleted.", tally.deletions)
        yield _counter("safelight_links_signed", "Links that were signed.", links.signed)
        hits = {**tally.hits, "links": links.reused}
        misses = {**tally.misses, "links": links.signed}
        yield _by("safelight_cache_hits", "What was found ready made.", "cache", hits)
        yield _by("safelight_cache_misses", "What had to be made.", "cache", misses)

    def _darkroom(self) -> Iterator[Metric]:
        darkroom = self._library.parts.darkroom
        queue = darkroom.queue
        yield _gauge("safelight_darkroom_waiting", "Pictures that wait for a turn.", queue.waiting)
        yield _gauge("safelight_darkroom_working", "Pictures that are worked on.", queue.working)
        yield _gauge("safelight_darkroom_places", "How many can be at once.", queue.servers)
        deaths = "Decoders that a picture brought down."
        yield _counter("safelight_darkroom_deaths", deaths, darkroom.deaths)
        waits = HistogramMetricFamily("safelight_darkroom_wait_seconds", "Waiting for a turn.")
        _add(waits, (), queue.waits)
        yield waits
        turns = HistogramMetricFamily("safelight_darkroom_work_seconds", "Working on a picture.")
        _add(turns, (), queue.turns)
        yield turns

    def _storage(self) -> Iterator[Metric]:
        calls = self._library.parts.storage.calls
        times = HistogramMetricFamily(
            "safelight_storage_seconds", "Calls to the store, by their verb.", labels=["verb"]
        )
        for verb, durations in list(calls.times.items()):
            _add(times, (verb,), durations)
        yield times
        done = {verb: sum(each.counts) for verb, each in list(calls.times.items())}
        yield _by("safelight_storage_calls", "Calls to the store.", "verb", done)
        errors = {verb: calls.errors[verb] for verb in done}
        yield _by("safelight_storage_errors", "Those that failed.", "verb", errors)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _by(name: str, text: str, label: str, values: dict[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _add(family: HistogramMetricFamily, labels: tuple[str, ...], durations: Durations) -> None:
    """Add a histogram as Prometheus has them: each bucket contains those before it."""
    bounds = [*map(str, durations.bounds), "+Inf"]
    buckets = list(zip(bounds, accumulate(durations.counts), strict=True))
    family.add_metric(labels, buckets, durations.sum)
