"""Who reads while pictures are decoded: enough of them, and a processor is left to them.

With every processor busy, each hand that an answer passes through (the server, PostgreSQL, the
client itself) waits for a decoder to be put aside first: docs/decisions/0012.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Final

_MANY: Final = 5
_WITHIN: Final = 1.0
"""Seconds. A gallery that uploads asks for its list once a second: alone it is not many."""


class Readers:
    """Counts what was read of late. `clock` gives seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: deque[float] = deque(maxlen=_MANY)

    def note(self) -> None:
        """Note that something is read."""
        self._last.append(self._clock())

    def many(self) -> bool:
        """Tell whether they are so many that they should be left room."""
        return len(self._last) == _MANY and self._clock() - self._last[0] < _WITHIN
