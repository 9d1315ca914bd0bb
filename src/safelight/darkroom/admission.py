"""Admission control: a fair queue of limited length, and fewer slots while many clients read."""

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import repeat
from typing import Final

from safelight import errors

_WEIGHT: Final = 0.2
"""The weight of the last job in the moving average."""
_FIRST_ESTIMATE: Final = 0.5
_MIN_SECONDS, _MAX_SECONDS = 1, 300

_TURN: Final = 2
"""Jobs of one owner in a row, while many owners wait: enough to inspect a photo and render it."""
_FEW_OWNERS: Final = 4
"""Fewer than that have longer turns, which costs fewer processes."""

_LONG: Final = 2.0
"""Seconds. A photo of 12 megapixels takes a tenth of a second."""

_MANY_READS: Final = 5
_READ_WINDOW: Final = 1.0
"""Seconds. A gallery that uploads refreshes its list once a second: one alone is not many."""


@dataclass(slots=True, kw_only=True, eq=False)
class Ticket:
    """A job in the queue, or in a slot. It `continues` its owner's turn if it was preferred.

    It is `expensive` if it was estimated to be, and while it takes longer than `_LONG`. It takes
    `memory` bytes.
    """

    owner: str
    expensive: bool = False
    memory: int = 0
    admitted: "asyncio.Future[None]"
    continues: bool = False
    timer: asyncio.TimerHandle | None = None


class AdmissionQueue:
    """Runs up to `servers` jobs at once, while at most `max_waiting` others wait.

    Owners take turns: the next job is one of the owner who has fewest at work, and among those, of
    the one who was served longest ago. But one of `preferred` goes first, until its turn is over:
    the owners for whom something is ready, with the number of jobs done in their turn. An owner's
    jobs run in order.

    Expensive jobs don't hold up others: if there are several slots, one is kept for jobs that
    aren't. And while expensive ones are all that is at work, there are `extra` slots for owners who
    have none of them.

    All jobs at work together have up to `memory` bytes. One that doesn't fit keeps its place: those
    behind it start only as far as they leave it the memory that it waits for.

    `at_once` returns how many of the servers may be used at the moment, at least one; without it,
    all of them. Use `slot`, or `require_room`, `wait` and `leave` to measure the parts.
    """

    def __init__(
        self,
        *,
        servers: int,
        max_waiting: int,
        extra: int = 0,
        memory: int = 0,
        at_once: Callable[[], int] | None = None,
        preferred: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self.servers = servers
        self._limit = at_once or repeat(servers).__next__
        self._extra = extra
        self._memory = memory
        self.free_memory = memory
        self._running: set[Ticket] = set()
        self._max_waiting = max_waiting
        self._preferred = preferred
        self._queues: dict[str, deque[Ticket]] = {}
        """By owner; the one who was served longest ago comes first."""
        self._at_work: Counter[str] = Counter()
        self._average = _FIRST_ESTIMATE
        self._expensive: Counter[str] = Counter()
        self.waiting = 0
        self.working = 0

    @asynccontextmanager
    async def slot(self, owner: str = "") -> AsyncIterator[None]:
        """Wait for a slot, and hold it during the context. Raise Busy at once if too many wait."""
        self.require_room(owner)
        ticket = await self.wait(owner)
        started_at = time.monotonic()
        try:
            yield
        finally:
            self.leave(ticket, time.monotonic() - started_at)

    def require_room(self, owner: str = "") -> None:
        """Raise Busy, with the time to wait before the next attempt, if too many are waiting.

        If another owner has more than one job more waiting than this owner, its last is refused.
        """
        if self.waiting < self._max_waiting or self.working < self._limit():
            return
        longest = max(self._queues.values(), key=len, default=deque[Ticket]())
        dropped = longest[-1] if longest else None
        if (
            dropped is None
            or dropped.admitted.done()  # cancelled at the same moment
            or len(longest) <= len(self._queues.get(owner, ())) + 1
        ):
            raise errors.Busy(retry_after=self.estimated_wait())
        self._remove(dropped)
        dropped.admitted.set_exception(errors.Busy(retry_after=self.estimated_wait()))

    async def wait(self, owner: str = "", *, expensive: bool = False, memory: int = 0) -> Ticket:
        """Wait for a slot, and for memory in bytes; they are taken until `leave` is called.

        Raises Busy if the place in the queue was given to another owner.
        """
        admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        memory = min(memory, self._memory)
        ticket = Ticket(owner=owner, expensive=expensive, memory=memory, admitted=admitted)
        self._queues.setdefault(owner, deque()).append(ticket)
        self.waiting += 1
        try:
            self._admit()
            await admitted
        except asyncio.CancelledError:
            if admitted.cancelled():
                self._remove(ticket)
                self._admit()  # Others may have waited for the memory that it needed.
            elif not admitted.exception():  # the slot was granted at the same moment
                self._free(ticket)
                self._admit()
            raise
        return ticket

    def leave(self, ticket: Ticket, seconds: float) -> None:
        """Free a slot that was held for this long.

        The next job is admitted after this step of the event loop, since the same owner may be
        about to continue with the same photo.
        """
        self._average += _WEIGHT * (seconds - self._average)
        self._free(ticket)
        asyncio.get_running_loop().call_soon(self._admit)

    def estimated_wait(self) -> timedelta:
        """Estimate the time until all that are waiting now have had a slot."""
        at_once = self._limit()
        seconds = math.ceil((self.waiting + at_once) * self._average / at_once)
        return timedelta(seconds=min(max(seconds, _MIN_SECONDS), _MAX_SECONDS))

    def _admit(self) -> None:
        """Admit jobs while slots are free.

        When only `at_once` has risen, the next one is admitted when a job ends. That is soon: while
        any are waiting, at least one is working.
        """
        while ticket := self._next():
            self._remove(ticket)
            if queue := self._queues.pop(ticket.owner, None):
                self._queues[ticket.owner] = queue  # now served last
            self._at_work[ticket.owner] += 1
            self.working += 1
            self._running.add(ticket)
            self.free_memory -= ticket.memory
            if ticket.expensive:
                self._expensive[ticket.owner] += 1
            else:
                loop = asyncio.get_running_loop()
                ticket.timer = loop.call_later(_LONG, self._mark_expensive, ticket)
            ticket.admitted.set_result(None)

    def _mark_expensive(self, ticket: Ticket) -> None:
        """Count a job that takes long as expensive."""
        ticket.expensive = True
        self._expensive[ticket.owner] += 1
        self._admit()

    def _next(self) -> Ticket | None:
        """Return the job that is next, if there is a slot and memory for any."""
        if not self._queues or self.working >= self.servers + self._extra:
            return None
        turn = _TURN * max(1, _FEW_OWNERS // len(self._queues))
        preferred = self._preferred()
        owners = sorted(
            (preferred.get(owner, turn) >= turn, self._at_work[owner], position, owner)
            for position, owner in enumerate(self._queues)
        )
        reserved = 0
        for is_later, _, _, owner in owners:
            for ticket in filter(self._has_slot, self._queues[owner]):
                if ticket.memory <= self.free_memory - reserved:
                    ticket.continues = not is_later
                    return ticket
                # No one is held up for a job that has to wait for an expensive one anyway.
                if ticket.memory <= self.free_memory + self._memory_of_cheap():
                    reserved = max(reserved, ticket.memory)
        return None

    def _has_slot(self, ticket: Ticket) -> bool:
        if ticket.admitted.done():  # cancelled at the same moment
            return False
        limit, expensive = self._limit(), self._expensive.total()
        if ticket.expensive:
            return self.working < limit and expensive < max(1, self.servers - 1)
        if self.working < limit:
            return True
        # Even while there are fewer slots because many clients read.
        slots = self.servers + (0 if self._expensive[ticket.owner] else self._extra)
        return expensive == self.working < slots

    def _memory_of_cheap(self) -> int:
        """Return the memory that will soon be free: that of jobs at work that aren't expensive."""
        return sum(ticket.memory for ticket in self._running if not ticket.expensive)

    def _remove(self, ticket: Ticket) -> None:
        """Take a job out of the queue."""
        queue = self._queues[ticket.owner]
        queue.remove(ticket)
        if not queue:
            del self._queues[ticket.owner]
        self.waiting -= 1

    def _free(self, ticket: Ticket) -> None:
        self.working -= 1
        self._running.discard(ticket)
        self.free_memory += ticket.memory
        if ticket.timer:
            ticket.timer.cancel()
        counts = (self._at_work, self._expensive) if ticket.expensive else (self._at_work,)
        for count in counts:
            count[ticket.owner] -= 1
            if not count[ticket.owner]:
                del count[ticket.owner]


class ReadLoad:
    """Lowers the number of decoders while many clients read, which leaves one processor to those.

    With every processor busy decoding, each process on the way of a response (the server,
    PostgreSQL, the client) first waits until a decoder is descheduled: docs/decisions/0012.
    `clock` returns seconds.
    """

    def __init__(
        self, *, decoders: int, under_load: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._decoders = decoders
        self._under_load = under_load
        self._clock = clock
        self._reads: deque[float] = deque(maxlen=_MANY_READS)

    def record(self) -> None:
        """Record a request that reads."""
        self._reads.append(self._clock())

    def allowed_decoders(self) -> int:
        """Return how many decoders may run at the moment."""
        is_high = len(self._reads) == _MANY_READS and self._clock() - self._reads[0] < _READ_WINDOW
        return self._under_load if is_high else self._decoders
