"""Prometheus metrics of a library in this process.

They are not in Prometheus' default registry, since a process may run several libraries.
``/metrics`` exports them all.
"""

from collections import Counter as PlainCounter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import Counter

from safelight.errors import SafelightError

SHORT_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Buckets for operations that take milliseconds: responses, and calls to the store."""
LONG_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""Buckets for decoding, and waiting for it."""


class LibraryMetrics:
    """The counts of one library."""

    def __init__(self) -> None:
        self.uploads = Counter(
            "safelight_uploads",
            "Uploads by outcome: added, there (a duplicate), interrupted, or an error code.",
            ["outcome"],
            registry=None,
        )
        self.added_bytes = Counter("safelight_added_bytes", "Bytes of added photos.", registry=None)
        self.deletions = Counter("safelight_deletions", "Deleted photos.", registry=None)
        # Plain counters: they are incremented for each photo of a page, and labels() is slow.
        self.hits: PlainCounter[str] = PlainCounter()
        """Hits by cache."""
        self.misses: PlainCounter[str] = PlainCounter()

    def count_added(self, *, created: bool, size: int) -> None:
        """Count a successful upload of `size` bytes; not `created` for a duplicate."""
        self.uploads.labels("added" if created else "there").inc()
        if created:
            self.added_bytes.inc(size)

    @contextmanager
    def count_failures(self) -> Iterator[None]:
        """Count an upload that fails in the context, by the error's code."""
        try:
            yield
        except SafelightError as error:
            self.uploads.labels(error.code).inc()
            raise
        except BaseException:
            self.uploads.labels("interrupted").inc()
            raise
