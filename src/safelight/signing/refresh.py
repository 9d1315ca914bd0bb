"""Credentials that expire, and are refreshed ahead of time."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from safelight.errors import SettingsError
from safelight.signing.sigv4 import Credentials

_log = logging.getLogger(__name__)

MIN_REMAINING = timedelta(minutes=15)
"""Credentials that expire sooner than this sign no more links."""

REFRESH_AHEAD = timedelta(minutes=15)
"""How long before MIN_REMAINING new credentials are fetched."""

MIN_FETCH_INTERVAL = timedelta(minutes=1)
"""Minimum time between two fetches, if the first returned nothing newer."""

RECHECK_INTERVAL = timedelta(minutes=5)
"""How often session credentials without a known expiry are read again."""


class RefreshingCredentials:
    """Credentials that are replaced before they expire.

    `fetch` returns the newest credentials. It blocks, so it runs on a thread, never twice at a
    time. If it raises SettingsError, the old credentials stay. `clock` returns aware datetimes and
    is checked every `check_interval`, since it may jump: after a laptop slept, its credentials may
    have expired long ago. Everything but `current` belongs to one event loop.
    """

    def __init__(
        self,
        first: Credentials,
        fetch: Callable[[], Credentials],
        *,
        clock: Callable[[], datetime],
        check_interval: timedelta = timedelta(seconds=10),
    ) -> None:
        self.current = first
        """The newest credentials at hand; from any thread."""
        self._fetch = fetch
        self._clock = clock
        self._check_interval = check_interval.total_seconds()
        self._fetched_at: datetime | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._due = _due_at(first, clock())

    @property
    def is_due(self) -> bool:
        """Whether new credentials should be fetched."""
        return self._due is not None and self._clock() >= self._due

    async def refresh(self, refused: Credentials) -> bool:
        """Fetch newer credentials after a refusal, and return whether there are any.

        At most once in MIN_FETCH_INTERVAL, since a store may refuse for other reasons.
        """
        if refused == self.current and not self._fetched_recently():
            await self._refresh_once()
        return refused != self.current

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Refresh ahead of time while the context lasts."""
        refreshing = asyncio.create_task(self._refresh_ahead())
        try:
            yield
        finally:
            for task in filter(None, (refreshing, self._fetching)):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _refresh_ahead(self) -> None:
        while True:
            await asyncio.sleep(self._check_interval)
            if self.is_due:
                await self._refresh_once()

    def _fetched_recently(self) -> bool:
        return (
            self._fetched_at is not None
            and abs(self._clock() - self._fetched_at) < MIN_FETCH_INTERVAL
        )

    async def _refresh_once(self) -> None:
        """Refresh, or wait for the refresh under way. It continues if this call is cancelled."""
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._replace())
        await asyncio.shield(self._fetching)

    async def _replace(self) -> None:
        try:
            fetched = await asyncio.to_thread(self._fetch)
        except SettingsError as error:
            _log.warning("can't refresh the credentials: %s", error)
            fetched = self.current
        self._fetched_at = now = self._clock()
        if fetched != self.current:
            _log.info(
                "using new credentials, which expire at %s", fetched.expires_at or "an unknown time"
            )
            self.current, self._due = fetched, _due_at(fetched, now)
        elif self._due is not None:
            self._due = max(
                self._due, now + (MIN_FETCH_INTERVAL if fetched.expires_at else RECHECK_INTERVAL)
            )


def _due_at(credentials: Credentials, now: datetime) -> datetime | None:
    """Return when to refresh: as late as is safe, since links change with credentials.

    Credentials that live for little more than MIN_REMAINING are replaced half-way there. Keys
    without a session token stay until they are refused.
    """
    expires_at = credentials.expires_at
    if expires_at is None:
        return None if credentials.session_token is None else now + RECHECK_INTERVAL
    spare = expires_at - now - MIN_REMAINING
    return max(now + MIN_FETCH_INTERVAL, expires_at - MIN_REMAINING - min(REFRESH_AHEAD, spare / 2))
