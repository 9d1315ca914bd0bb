"""Credentials that end, and are followed by others before they do."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from safelight.errors import SettingsError
from safelight.sigv4 import Credentials

_log = logging.getLogger(__name__)

LEAST_LEFT = timedelta(minutes=15)
"""Credentials that end sooner than this sign no more links."""

AHEAD = timedelta(minutes=15)
"""How long before LEAST_LEFT others are asked for."""

PATIENCE = timedelta(minutes=1)
"""From one question to the next, when the first brought nothing better."""

REREAD = timedelta(minutes=5)
"""How often session credentials are read again whose end nobody tells."""


class Renewed:
    """The credentials of the moment, and who asks for the next ones in time.

    `issue` gives credentials, as new as there are; it blocks, so it is run on a thread, and never
    twice at a time. It raises SettingsError if there are none: the old ones stay then. `clock`
    gives aware datetimes and is looked at every `look`, since it may jump: a laptop that slept
    wakes with credentials that are long over. All but `current` belongs to one event loop.
    """

    def __init__(
        self,
        first: Credentials,
        issue: Callable[[], Credentials],
        *,
        clock: Callable[[], datetime],
        look: timedelta = timedelta(seconds=10),
    ) -> None:
        self._current = first
        self._issue = issue
        self._clock = clock
        self._look = look.total_seconds()
        self._asked_at: datetime | None = None
        self._asking: asyncio.Task[None] | None = None
        self._due = _due(first, clock())

    def current(self) -> Credentials:
        """Give the newest ones at hand, from any thread; never waits."""
        return self._current

    @property
    def overdue(self) -> bool:
        """Whether others should be asked for."""
        return self._due is not None and self._clock() >= self._due

    async def renew(self, refused: Credentials) -> bool:
        """Ask for others, since the store refused these; tell whether there are any.

        At most one question in PATIENCE, lest a store that refuses for another reason have us
        ask without end.
        """
        if refused == self._current and not self._asked_lately():
            await self._ask()
        return refused != self._current

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ask ahead of time for as long as the context lasts."""
        keeping = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            for task in filter(None, (keeping, self._asking)):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._look)
            if self.overdue:
                await self._ask()

    def _asked_lately(self) -> bool:
        return self._asked_at is not None and abs(self._clock() - self._asked_at) < PATIENCE

    async def _ask(self) -> None:
        """Ask, or wait for the answer that somebody waits for already. Cancelled, it goes on."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._take())
        await asyncio.shield(self._asking)

    async def _take(self) -> None:
        try:
            issued = await asyncio.to_thread(self._issue)
        except SettingsError as error:
            _log.warning("there are no new credentials: %s", error)
            issued = self._current
        self._asked_at = now = self._clock()
        if issued != self._current:
            _log.info("new credentials, good until %s", issued.expires_at or "further notice")
            self._current, self._due = issued, _due(issued, now)
        elif self._due is not None:
            self._due = max(self._due, now + (PATIENCE if issued.expires_at else REREAD))


def _due(credentials: Credentials, now: datetime) -> datetime | None:
    """Tell when to ask for the next: as late as is safe, since links change with credentials.

    Those that live for little more than LEAST_LEFT are replaced half-way there. Keys that are not
    a session's stay until they are refused.
    """
    end = credentials.expires_at
    if end is None:
        return None if credentials.session_token is None else now + REREAD
    spare = end - now - LEAST_LEFT
    return max(now + PATIENCE, end - LEAST_LEFT - min(AHEAD, spare / 2))
