"""The sweep: what a deletion, a crash or a store that was away left undone is done later.

A tombstone's objects, whose keys its row tells, are deleted at once if the store answers. After
FORGET_AFTER, when nothing that was under way at its death can still write, whatever lies under its
prefix goes, and only then the row. A row that has been pending for STALE_AFTER becomes a
tombstone.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from safelight import keys
from safelight.catalog import Catalog, Doomed
from safelight.crash_points import reached
from safelight.errors import StorageUnavailable, Unavailable
from safelight.storage import Storage

_log = logging.getLogger(__name__)

STALE_AFTER = timedelta(hours=1)
FORGET_AFTER = timedelta(hours=1)
AT_MOST = timedelta(seconds=3)
"""How long an answer waits for its photo's objects to be deleted; a job does it otherwise."""

_BATCH = 500
_AT_ONCE = 16
_TOO_MANY = 3


class Sweep:
    """Deletes the objects that tombstones name, and then the tombstones."""

    def __init__(
        self, catalog: Catalog, storage: Storage, *, clock: Callable[[], datetime]
    ) -> None:
        self._catalog = catalog
        self._storage = storage
        self._clock = clock

    async def purge_soon(self, doomed: Doomed, *, passing: str) -> None:
        """Delete a tombstone's objects now, or leave it to the job; `passing` names crash points.

        Returns within AT_MOST, and a little for the note.
        """
        try:
            async with asyncio.timeout(AT_MOST.total_seconds()):
                await self._storage.delete(_known([doomed]))
            reached(f"{passing}: objects gone")
            await self._catalog.tombstones.note_purged([doomed.id], now=self._clock())
        except (Unavailable, TimeoutError) as error:
            _log.warning("photo %s is purged later: %s", doomed.id, error or "the store is slow")

    async def once(self) -> int:
        """Do a whole round; returns the number of tombstones purged. Raises as `purge` does."""
        now = self._clock()
        await self._catalog.tombstones.abandon_stale(reserved_before=now - STALE_AFTER, now=now)
        reached("sweep: stale rows abandoned")
        try:
            purged = await self.purge()
        finally:  # one that can't be purged keeps no old one
            forgotten = await self._forget()
        return purged + forgotten

    async def purge(self) -> int:
        """Delete the objects of every fresh tombstone; returns the number of these.

        One that can't be purged doesn't hold up the others. After _TOO_MANY of them the store is
        taken to be away. Whatever failed is raised at the end: Unavailable.
        """
        reached("purge: begun")
        since = self._clock() - FORGET_AFTER
        return await _each_batch(
            lambda after: self._catalog.tombstones.fresh(
                buried_since=since, after=after, limit=_BATCH
            ),
            self._purged,
        )

    async def _forget(self) -> int:
        """Empty the prefixes of old tombstones, and drop these; returns their number."""
        before = self._clock() - FORGET_AFTER
        return await _each_batch(
            lambda after: self._catalog.tombstones.settled(
                before=before, after=after, limit=_BATCH
            ),
            self._emptied,
        )

    async def _purged(self, batch: Sequence[Doomed]) -> list[Unavailable]:
        try:
            await self._storage.delete(_known(batch))
        except StorageUnavailable:  # of which of them, it doesn't tell
            gone, errors = await _tried(batch, lambda each: self._storage.delete(_known([each])))
        else:
            gone, errors = list(batch), []
        reached("purge: objects gone")
        if gone:
            await self._catalog.tombstones.note_purged([d.id for d in gone], now=self._clock())
        reached("purge: noted")
        return errors

    async def _emptied(self, batch: Sequence[Doomed]) -> list[Unavailable]:
        gone, errors = await _tried(
            batch, lambda each: self._storage.delete_prefix(keys.prefix(each.name))
        )
        reached("sweep: prefixes emptied")
        if gone:
            await self._catalog.tombstones.forget([d.id for d in gone], now=self._clock())
        reached("sweep: rows forgotten")
        return errors


async def _each_batch(
    listed: Callable[[int], Awaitable[list[Doomed]]],
    done: Callable[[Sequence[Doomed]], Awaitable[list[Unavailable]]],
) -> int:
    """Do all that is listed, a batch after the other; returns how many. Raises what failed."""
    count, after, errors = 0, 0, list[Unavailable]()
    while len(errors) < _TOO_MANY and (batch := await listed(after)):
        failed = await done(batch)
        errors += failed
        count += len(batch) - len(failed)
        after = batch[-1].id
    if errors:
        raise errors[0]
    return count


async def _tried(
    batch: Sequence[Doomed], work: Callable[[Doomed], Awaitable[None]]
) -> tuple[list[Doomed], list[Unavailable]]:
    """Do something to each, several at once; gives those done, and the errors of the others.

    After _TOO_MANY errors the rest isn't tried.
    """
    waiting, done, errors = iter(batch), list[Doomed](), list[Unavailable]()

    async def hand() -> None:
        for each in waiting:
            if len(errors) >= _TOO_MANY:
                return
            try:
                await work(each)
            except Unavailable as error:
                errors.append(error)
            else:
                done.append(each)

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(hand())
    return done, errors


def _known(batch: Sequence[Doomed]) -> list[str]:
    """List the keys that the rows tell."""
    originals = [keys.original(each.name) for each in batch]
    return originals + [key for each in batch for key in each.renditions]
