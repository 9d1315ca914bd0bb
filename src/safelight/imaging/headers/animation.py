"""How long browsers show the frames of an animation."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

_TOO_SHORT: Final = timedelta(milliseconds=11)
_INSTEAD: Final = timedelta(milliseconds=100)
MAX_DURATION: Final = timedelta(days=3650)
"""More than any animation lasts. Some fields hold a number of seconds that no column has."""


def duration_of(delays: Iterable[timedelta]) -> timedelta:
    """Return how long frames with these delays last in a browser.

    All browsers play frames of at most 10 ms at 100 ms, since old files say 0 for "normal speed".
    They cut a delay to whole milliseconds.
    """
    total = sum((_INSTEAD if each < _TOO_SHORT else each for each in delays), timedelta(0))
    return min(total, MAX_DURATION)
