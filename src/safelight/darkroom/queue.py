"""The queue before the darkroom: of bounded length, and able to tell how long it is in time."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from safelight import errors
from safelight.tallies import SLOW, Durations
from safelight.trail import step

_WEIGHT: Final = 0.2
"""What the last job counts in the moving average of all."""
_FIRST_GUESS: Final = 0.5
_SHORTEST, _LONGEST = 1, 300


class Queue:
    """`servers` with one job at a time each, and at most `max_waiting` jobs before them."""

    def __init__(self, *, servers: int, max_waiting: int) -> None:
        self.servers = servers
        self._max_waiting = max_waiting
        self._free = asyncio.Semaphore(servers)
        self._average = _FIRST_GUESS
        self.waiting = 0
        self.working = 0
        self.waits = Durations(SLOW)
        self.turns = Durations(SLOW)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it. Raises Busy at once when too many wait already."""
        if self._free.locked() and self.waiting >= self._max_waiting:
            raise errors.Busy(retry_after=self.patience())
        self.waiting += 1
        try:
            with step("darkroom wait"), self.waits.timed():
                await self._free.acquire()
        finally:
            self.waiting -= 1
        began = time.monotonic()
        self.working += 1
        try:
            with step("darkroom work"), self.turns.timed():
                yield
        finally:
            self.working -= 1
            self._average += _WEIGHT * (time.monotonic() - began - self._average)
            self._free.release()

    def patience(self) -> timedelta:
        """How long it will take until all that are waiting now have had their turn."""
        seconds = math.ceil((self.waiting + self.servers) * self._average / self.servers)
        return timedelta(seconds=min(max(seconds, _SHORTEST), _LONGEST))
