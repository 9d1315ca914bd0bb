"""Tallies: what has happened in this process so far, in plain numbers.

They only grow. Whoever wants to know asks; nothing here knows of whom.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

QUICK: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds for what is to be over in milliseconds: answers, calls to the store."""
SLOW: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Bounds for what is waited for: decoding, and the turn for it."""


class Durations:
    """How long something took, each time.

    ``counts[n]`` is how often it took at most ``bounds[n]`` seconds and more than the bound
    before; the last of `counts` is how often it took longer than all bounds.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float] = QUICK) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        """Count one more."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count what happens in the context, however it ends."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(time.perf_counter() - began)


class Calls:
    """Calls by their verbs: how long they took, and how many of them failed."""

    def __init__(self) -> None:
        self.times: dict[str, Durations] = {}
        self.errors: Counter[str] = Counter()

    @contextmanager
    def timed(self, verb: str) -> Iterator[None]:
        """Count a call, however it ends; whether that is an error, `errors` is told apart."""
        with self.times.setdefault(verb, Durations()).timed():
            yield
