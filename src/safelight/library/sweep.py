"""The sweep: what a crash or a store that was away left undone is done later.

A tombstone's objects are deleted at once if the store answers, again after FORGET_AFTER (nothing
that was under way at its death can still write then), and only then the row goes. A row that has
been pending for STALE_AFTER becomes a tombstone.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from safelight import keys
from safelight.catalog import Catalog, Doomed
from safelight.errors import Unavailable
from safelight.storage import Storage

_log = logging.getLogger(__name__)

EVERY = timedelta(seconds=30)
STALE_AFTER = timedelta(hours=1)
FORGET_AFTER = timedelta(hours=1)
_BATCH = 500
_TOO_MANY = 3


class Sweep:
    """Empties the prefixes that tombstones name."""

    def __init__(
        self, catalog: Catalog, storage: Storage, *, clock: Callable[[], datetime]
    ) -> None:
        self._catalog = catalog
        self._storage = storage
        self._clock = clock

    async def purge_soon(self, doomed: Doomed) -> None:
        """Delete a tombstone's objects now; if an engine is away, the next round does it."""
        try:
            await self._purge(doomed)
        except Unavailable as error:
            _log.warning("photo %s is purged later: %s", doomed.id, error)

    async def once(self) -> int:
        """Do a whole round; returns the number of tombstones purged.

        One that can't be purged doesn't hold up the others. After _TOO_MANY of them the store is
        taken to be away, and that is raised: Unavailable.
        """
        now = self._clock()
        await self._catalog.sessions.clear(now=now)
        await self._catalog.abandon_stale(reserved_before=now - STALE_AFTER, now=now)
        purged = failures = 0
        while not failures and (
            batch := await self._catalog.doomed(purged_before=now - FORGET_AFTER, limit=_BATCH)
        ):
            for doomed in batch:
                error = await self._tried(doomed)
                failures += error is not None
                purged += error is None
                if error and failures == _TOO_MANY:
                    raise error
        return purged

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do a round now and then for as long as the context lasts."""
        task = asyncio.create_task(self._for_ever())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _for_ever(self) -> None:
        while True:
            try:
                await self.once()
            except Unavailable as error:
                _log.warning("the sweep waits: %s", error)
            except Exception:  # noqa: BLE001  a round that fails must not end all the others
                _log.exception("the sweep failed")
            await asyncio.sleep(EVERY.total_seconds())

    async def _tried(self, doomed: Doomed) -> Unavailable | None:
        try:
            await self._purge(doomed)
        except Unavailable as error:
            return error
        return None

    async def _purge(self, doomed: Doomed) -> None:
        now = self._clock()
        await self._storage.delete_prefix(keys.prefix(doomed.name))
        await self._catalog.purged(doomed, now=now, forget_before=now - FORGET_AFTER)
