"""The queue before the darkroom: of bounded length, and able to tell how long it is in time."""

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
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
    """`servers` with one job at a time each, and at most `max_waiting` jobs before them.

    `at_once` tells how many of the servers may work just now, at least one; None: all, always.
    """

    def __init__(
        self, *, servers: int, max_waiting: int, at_once: Callable[[], int] | None = None
    ) -> None:
        self.servers = servers
        self._at_once = at_once or (lambda: servers)
        self._max_waiting = max_waiting
        self._calls: deque[asyncio.Future[None]] = deque()
        self._average = _FIRST_GUESS
        self.waiting = 0
        self.working = 0
        self.waits = Durations(SLOW)
        self.turns = Durations(SLOW)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it. Raises Busy at once when too many wait already."""
        if not self._has_room() and self.waiting >= self._max_waiting:
            raise errors.Busy(retry_after=self.patience())
        self.waiting += 1
        try:
            with step("darkroom wait"), self.waits.timed():
                await self._called()
        finally:
            self.waiting -= 1
        began = time.monotonic()
        try:
            with step("darkroom work"), self.turns.timed():
                yield
        finally:
            self._average += _WEIGHT * (time.monotonic() - began - self._average)
            self._leave()

    def patience(self) -> timedelta:
        """How long it will take until all that are waiting now have had their turn."""
        at_once = self._at_once()
        seconds = math.ceil((self.waiting + at_once) * self._average / at_once)
        return timedelta(seconds=min(max(seconds, _SHORTEST), _LONGEST))

    def _has_room(self) -> bool:
        return self.working < self._at_once()

    async def _called(self) -> None:
        """Return when it is one's turn: a place is taken then, until `_leave`."""
        call: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._calls.append(call)
        self._call()
        try:
            await call
        except asyncio.CancelledError:
            if not call.cancelled():  # It was called at that very moment.
                self._leave()
            raise

    def _leave(self) -> None:
        self.working -= 1
        self._call()

    def _call(self) -> None:
        """Call who waits longest, as long as there is room.

        When there comes to be room by `at_once` alone, nobody is told before the next one leaves:
        soon, since at least one is always at work while somebody waits.
        """
        while self._calls and self._has_room():
            call = self._calls.popleft()
            if not call.done():
                self.working += 1
                call.set_result(None)
