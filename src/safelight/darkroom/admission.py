"""Admission control: a fair queue of limited length, in which clients go before jobs."""

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import repeat
from typing import Final

from safelight import errors
from safelight.darkroom.ticket import Lane, Ticket

_WEIGHT: Final = 0.2
"""The weight of the last job in the moving average."""
_FIRST_ESTIMATE: Final = 0.5
_MIN_SECONDS, _MAX_SECONDS = 1, 300

_TURN: Final = 2
"""Decodes of one owner in a row, while many owners wait: another owner costs another process."""
_FEW_OWNERS: Final = 4
"""Fewer than that have longer turns, which costs fewer processes."""

_LONG: Final = 2.0
"""Seconds. A photo of 12 megapixels takes a tenth of a second."""

_PATIENCE: Final = 5.0
"""Seconds after which work in the background no longer waits for all clients to be served."""


class AdmissionQueue:
    """Runs up to `servers` decodes for clients at once, while at most `max_waiting` others wait.

    Owners take turns: the next decode is one of the owner who has fewest at work, and among those,
    of the one who was served longest ago. But one for which something is ready goes first, until
    its turn is over: `done_in_turn` returns the number of decodes done in the turn of a lane, None
    if nothing is ready for it. An owner's decodes run in order.

    Expensive ones don't hold up others: if there are several slots, one is kept for those that
    aren't. And while expensive ones are all that is at work, there are `extra` slots for owners who
    have none of them.

    Work in the background takes slots that no client wants. After `_PATIENCE`, one at a time also
    starts beside those of clients, unless there are fewer slots at the moment. It never holds up a
    client: since its process has a low priority, it isn't counted, and it gives way if a client
    needs its memory. It is never refused for a full queue: callers limit
    its number.

    All at work together have up to `memory` bytes. A decode that doesn't fit keeps its place: those
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
        done_in_turn: Callable[[Lane], int | None] | None = None,
    ) -> None:
        self.servers = servers
        self._limit = at_once or repeat(servers).__next__
        self._extra = extra
        self._memory = memory
        self.free_memory = memory
        self._running: set[Ticket] = set()
        self._max_waiting = max_waiting
        self._done_in_turn = done_in_turn
        self._queues: dict[Lane, deque[Ticket]] = {}
        """The one that was served longest ago comes first."""
        self._at_work: Counter[Lane] = Counter()
        self._average = _FIRST_ESTIMATE
        self._expensive: Counter[str] = Counter()
        """Decodes of clients, by owner."""
        self.waiting = 0
        """Decodes that clients wait for, and that wait for a slot themselves."""
        self._serving = 0
        """Decodes of clients at work."""

    @property
    def working(self) -> int:
        """The number of decodes at work, also in the background."""
        return len(self._running)

    def free_slots(self, *, background: bool) -> int:
        """Return how many more clients could be served, or how much more work in the background."""
        used = self.working - self._serving if background else self._serving
        return max(0, self.servers - used)

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

        If another owner has more than one more waiting than this owner, its last is refused.
        """
        if self.waiting < self._max_waiting or self._serving < self._limit():
            return
        queues = [queue for (background, _), queue in self._queues.items() if not background]
        longest = max(queues, key=len, default=deque[Ticket]())
        dropped = longest[-1] if longest else None
        if (
            dropped is None
            or dropped.admitted.done()  # cancelled at the same moment
            or len(longest) <= len(self._queues.get((False, owner), ())) + 1
        ):
            raise errors.Busy(retry_after=self.estimated_wait())
        self._remove(dropped)
        dropped.admitted.set_exception(errors.Busy(retry_after=self.estimated_wait()))

    async def wait(
        self,
        owner: str = "",
        *,
        expensive: bool = False,
        memory: int = 0,
        background: bool = False,
    ) -> Ticket:
        """Wait for a slot, and for memory in bytes; they are taken until `leave` is called.

        Raises Busy if the place in the queue was given to another owner.
        """
        loop = asyncio.get_running_loop()
        admitted: asyncio.Future[None] = loop.create_future()
        ticket = Ticket(
            owner=owner,
            background=background,
            lane=(background, owner),
            expensive=expensive,
            memory=min(memory, self._memory),
            admitted=admitted,
        )
        self._queues.setdefault(ticket.lane, deque()).append(ticket)
        if background:
            ticket.timer = loop.call_later(_PATIENCE, self._lose_patience, ticket)
        else:
            self.waiting += 1
        try:
            self._admit()
            await admitted
        except asyncio.CancelledError:
            if admitted.cancelled():
                self._remove(ticket)
                self._admit()  # Others may have waited for the memory that it needed.
            elif not admitted.exception():  # the slot was granted at the same moment
                self.leave(ticket)
            raise
        return ticket

    def leave(self, ticket: Ticket, seconds: float | None = None) -> None:
        """Free a slot that was held for this long, or not at all.

        The next one is admitted after this step of the event loop, since the same owner may be
        about to continue with the same photo.
        """
        self._running.discard(ticket)
        self.free_memory += ticket.memory
        if ticket.timer:
            ticket.timer.cancel()
        self._at_work -= Counter([ticket.lane])
        if not ticket.background:
            self._serving -= 1
            if ticket.expensive:
                self._expensive -= Counter([ticket.owner])
            if seconds is not None:
                self._average += _WEIGHT * (seconds - self._average)
        if self._queues:
            asyncio.get_running_loop().call_soon(self._admit)

    def estimated_wait(self) -> timedelta:
        """Estimate the time until all that are waiting now have had a slot."""
        at_once = self._limit()
        seconds = math.ceil((self.waiting + at_once) * self._average / at_once)
        return timedelta(seconds=min(max(seconds, _MIN_SECONDS), _MAX_SECONDS))

    def _admit(self) -> None:
        """Admit decodes while slots are free.

        When only `at_once` has risen, the next one is admitted when one ends. That is soon: while
        any are waiting, at least one is working.
        """
        while ticket := self._next():
            self._remove(ticket)
            if queue := self._queues.pop(ticket.lane, None):
                self._queues[ticket.lane] = queue  # now served last
            self._at_work[ticket.lane] += 1
            self._running.add(ticket)
            self.free_memory -= ticket.memory
            if not ticket.background:
                self._serving += 1
                if ticket.expensive:
                    self._expensive[ticket.owner] += 1
                else:
                    loop = asyncio.get_running_loop()
                    ticket.timer = loop.call_later(_LONG, self._mark_expensive, ticket)
            ticket.admitted.set_result(None)

    def _mark_expensive(self, ticket: Ticket) -> None:
        """Count a decode that takes long as expensive."""
        ticket.expensive = True
        self._expensive[ticket.owner] += 1
        self._admit()

    def _lose_patience(self, ticket: Ticket) -> None:
        ticket.is_patient = False
        self._admit()

    def _next(self) -> Ticket | None:
        """Return the decode that is next, if there is a slot and memory for any."""
        if not self._queues:
            return None
        turn = _TURN * max(1, _FEW_OWNERS // len(self._queues))
        all_served = self._serving >= self.servers + self._extra
        lanes = []
        for position, lane in enumerate(self._queues):
            background, _ = lane
            if background or not all_served:
                done = self._done_in_turn(lane) if self._done_in_turn else None
                is_later = done is None or done >= turn
                lanes.append((background, is_later, self._at_work[lane], position, lane))
        reserved = 0
        for background, is_later, _, _, lane in sorted(lanes):
            for ticket in filter(self._has_slot, self._queues[lane]):
                if ticket.memory <= self.free_memory - reserved:
                    ticket.continues = not is_later
                    return ticket
                # No one is held up for a decode that has to wait for an expensive one anyway.
                if ticket.memory <= self.free_memory + self._memory_soon_free():
                    reserved = max(reserved, ticket.memory)
                    if not background:
                        self._reclaim(ticket.memory)
        return None

    def _has_slot(self, ticket: Ticket) -> bool:
        if ticket.admitted.done():  # cancelled at the same moment
            return False
        if not self._running:  # there is always one slot
            return True
        limit, serving, expensive = self._limit(), self._serving, self._expensive.total()
        if ticket.background:
            is_first = self.working == serving and limit == self.servers
            return self.working < limit or (is_first and not ticket.is_patient)
        if ticket.expensive:
            return serving < limit and expensive < max(1, self.servers - 1)
        if serving < limit:
            return True
        # Even while there are fewer slots because many clients read.
        slots = self.servers + (0 if self._expensive[ticket.owner] else self._extra)
        return expensive == serving < slots

    def _memory_soon_free(self) -> int:
        """Return the memory at work that a client gets soon: all but that of expensive decodes."""
        return sum(
            ticket.memory for ticket in self._running if ticket.background or not ticket.expensive
        )

    def _reclaim(self, memory: int) -> None:
        """Have work in the background give way until this much memory is free, or will be."""
        free = self.free_memory
        for ticket in tuple(self._running):
            if ticket.background and free < memory:
                free += ticket.memory
                if not ticket.has_given_way:
                    ticket.has_given_way = True
                    ticket.give_way()

    def _remove(self, ticket: Ticket) -> None:
        """Take a decode out of the queue."""
        queue = self._queues[ticket.lane]
        queue.remove(ticket)
        if not queue:
            del self._queues[ticket.lane]
        if ticket.timer:
            ticket.timer.cancel()
        if not ticket.background:
            self.waiting -= 1
