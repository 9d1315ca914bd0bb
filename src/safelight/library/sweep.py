"""The sweep: finish what a deletion, a crash or an unavailable store left undone.

A tombstone's objects, whose keys its row has, are deleted at once if the store answers. After
FORGET_AFTER, when no write that had begun before the deletion can still be in progress, everything
under its prefix is deleted, and then the row. A row that has been pending for STALE_AFTER becomes a
tombstone.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from safelight import keys
from safelight.catalog import Catalog, Tombstone
from safelight.crash_points import reached
from safelight.errors import StorageUnavailable, Unavailable
from safelight.storage import Bucket

_log = logging.getLogger(__name__)

STALE_AFTER = timedelta(hours=1)
FORGET_AFTER = timedelta(hours=1)
PURGE_DEADLINE = timedelta(seconds=3)
"""How long a response waits for a photo's objects to be deleted; after that, a job does it."""

_BATCH = 500
_AT_ONCE = 16
_MAX_ERRORS = 3


class Sweep:
    """Deletes the objects of tombstones, and then the tombstones."""

    def __init__(self, catalog: Catalog, bucket: Bucket, *, clock: Callable[[], datetime]) -> None:
        self._tombstones = catalog.tombstones
        self._claims = catalog.rendering_claims
        self._bucket = bucket
        self._clock = clock

    async def purge_now(self, tombstone: Tombstone, *, passing: str) -> None:
        """Delete a tombstone's objects now, or leave it to the job.

        Returns within PURGE_DEADLINE, plus the time of one statement. `passing` names the crash
        points.
        """
        try:
            async with asyncio.timeout(PURGE_DEADLINE.total_seconds()):
                (keys_of_photo,) = await self._keys([tombstone])
                await self._bucket.delete(keys_of_photo)
            reached(f"{passing}: objects gone")
            await self._tombstones.mark_purged([tombstone.id], now=self._clock())
        except (Unavailable, TimeoutError) as error:
            _log.warning(
                "photo %s will be purged later: %s", tombstone.id, str(error) or "the store is slow"
            )

    async def purge_some_now(self, tombstones: Sequence[Tombstone]) -> None:
        """Delete the objects of tombstones for up to PURGE_DEADLINE; leave the rest to the job."""
        try:
            async with asyncio.timeout(PURGE_DEADLINE.total_seconds()):
                await self.purge_all_now(tombstones[:_BATCH])
        except (Unavailable, TimeoutError) as error:
            _log.warning("photos will be purged later: %s", str(error) or "the store is slow")

    async def purge_all_now(self, tombstones: Sequence[Tombstone]) -> None:
        """Delete the objects of tombstones, however long it takes, or leave them to the job."""
        if errors := await self._purge_batch(tombstones):
            _log.warning("%d photos will be purged later: %s", len(errors), errors[0])

    async def run(self) -> int:
        """Abandon stale rows, purge tombstones, and delete old ones; return the number purged.

        Raises as `purge` does.
        """
        now = self._clock()
        await self._tombstones.abandon_stale(reserved_before=now - STALE_AFTER, now=now)
        reached("sweep: stale rows abandoned")
        try:
            purged = await self.purge()
        finally:  # a tombstone that can't be purged must not hold up old ones
            forgotten = await self._forget()
        return purged + forgotten

    async def purge(self) -> int:
        """Delete the objects of all recent tombstones; return the number of these.

        One that can't be purged doesn't hold up the others. After _MAX_ERRORS of them, the store is
        considered down. Raises Unavailable at the end if anything failed.
        """
        reached("purge: begun")
        since = self._clock() - FORGET_AFTER
        return await _process_batches(
            lambda after: self._tombstones.list_unpurged(
                deleted_since=since, after=after, limit=_BATCH
            ),
            self._purge_batch,
        )

    async def _forget(self) -> int:
        """Empty the prefixes of old tombstones and delete their rows; return their number."""
        before = self._clock() - FORGET_AFTER
        return await _process_batches(
            lambda after: self._tombstones.list_due(before=before, after=after, limit=_BATCH),
            self._forget_batch,
        )

    async def _purge_batch(self, batch: Sequence[Tombstone]) -> list[Unavailable]:
        stored = await self._keys(batch)
        try:
            await self._bucket.delete([key for each in stored for key in each])
        except StorageUnavailable:  # it doesn't say which of them failed
            by_id = {tombstone.id: each for tombstone, each in zip(batch, stored, strict=True)}
            purged, errors = await _try_each(
                batch, lambda tombstone: self._bucket.delete(by_id[tombstone.id])
            )
        else:
            purged, errors = list(batch), []
        reached("purge: objects gone")
        if purged:
            ids = [tombstone.id for tombstone in purged]
            await self._tombstones.mark_purged(ids, now=self._clock())
        reached("purge: noted")
        return errors

    async def _forget_batch(self, batch: Sequence[Tombstone]) -> list[Unavailable]:
        emptied, errors = await _try_each(
            batch, lambda tombstone: self._bucket.delete_prefix(keys.prefix(tombstone.storage_id))
        )
        reached("sweep: prefixes emptied")
        if emptied:
            await self._tombstones.delete(
                [tombstone.id for tombstone in emptied], now=self._clock()
            )
        reached("sweep: rows forgotten")
        return errors

    async def _keys(self, batch: Sequence[Tombstone]) -> list[list[str]]:
        """List the keys of each: those that its row has, and those claimed, as of earlier turns."""
        claimed = await self._claims.list_of_photos([each.storage_id for each in batch])
        return [
            [
                keys.original(each.storage_id),
                *each.renditions,
                *(key for key in claimed if keys.storage_id_of(key) == each.storage_id),
            ]
            for each in batch
        ]


async def _process_batches(
    list_batch: Callable[[int], Awaitable[list[Tombstone]]],
    process: Callable[[Sequence[Tombstone]], Awaitable[list[Unavailable]]],
) -> int:
    """Process everything listed, batch by batch; return the number. Raises the first error."""
    count, after, errors = 0, 0, list[Unavailable]()
    while len(errors) < _MAX_ERRORS and (batch := await list_batch(after)):
        failed = await process(batch)
        errors += failed
        count += len(batch) - len(failed)
        after = batch[-1].id
    if errors:
        raise errors[0]
    return count


async def _try_each(
    batch: Sequence[Tombstone], work: Callable[[Tombstone], Awaitable[None]]
) -> tuple[list[Tombstone], list[Unavailable]]:
    """Do `work` for each, several at once; return those done, and the errors of the others.

    After _MAX_ERRORS errors the rest isn't tried.
    """
    waiting, done, errors = iter(batch), list[Tombstone](), list[Unavailable]()

    async def work_through() -> None:
        for tombstone in waiting:
            if len(errors) >= _MAX_ERRORS:
                return
            try:
                await work(tombstone)
            except Unavailable as error:
                errors.append(error)
            else:
                done.append(tombstone)

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(work_through())
    return done, errors
