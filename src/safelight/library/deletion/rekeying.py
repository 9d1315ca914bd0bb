"""Revoke the links of photos: copy their objects to new keys, and delete the old ones.

A link is bound to a key, so it dies with the object at that key. The row says so first
(`revoked_at`), and a job finishes what a request, a crash or an unavailable store has left undone.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import keys
from safelight.catalog import Catalog, Reservation, Tombstone
from safelight.crash_points import reached
from safelight.errors import Busy, NotFound, SafelightError, StorageUnavailable, Unavailable
from safelight.library.sweep import Sweep
from safelight.library.tasks import enqueue_purge, enqueue_render_for_row
from safelight.models import Caption, Photo
from safelight.storage import Bucket

_log = logging.getLogger(__name__)

DEADLINE: Final = timedelta(seconds=3)
"""How long a response waits for links to die; what has begun goes on, and a job does the rest."""
_AT_ONCE: Final = 16
_ATTEMPTS: Final = 5
"""Attempts to swap the keys of a photo whose row others change."""
_BATCH: Final = 500
_MAX_ERRORS: Final = 3


class OriginalMissing(Exception):
    """The store has no original to copy. Reconcile sees to it."""


class Rekeying:
    """Gives the photos whose links were revoked other keys."""

    def __init__(
        self, catalog: Catalog, bucket: Bucket, sweep: Sweep, *, clock: Callable[[], datetime]
    ) -> None:
        self._catalog = catalog
        self._bucket = bucket
        self._sweep = sweep
        self._clock = clock
        self._photos: set[int] = set()
        """The ids of those that this process is copying."""
        self._warned: set[int] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._one_run = asyncio.Lock()

    async def run_now(self, owner: str, ids: Sequence[int]) -> None:
        """Re-key photos whose links were just revoked, for up to DEADLINE; the job does the rest.

        Never raises.
        """
        batch = [(owner, id_) for id_ in ids]
        stop = asyncio.Event()
        task = asyncio.create_task(self._try_each(batch, stop))
        self._keep(task)
        done, _ = await asyncio.wait({task}, timeout=DEADLINE.total_seconds())
        stop.set()
        errors = task.result() if done and not task.exception() else []
        if errors or not done:
            _log.warning(
                "links of up to %d photos will die later: %s",
                len(ids),
                errors[0] if errors else "the store is slow",
            )

    async def run(self) -> int:
        """Re-key all photos whose links are to die; return their number.

        One that can't be copied doesn't hold up the others. After _MAX_ERRORS of them the store
        counts as unavailable, and the first error is raised.
        """
        async with self._one_run:
            count, after = 0, 0
            while batch := await self._catalog.trash.list_revoked(after=after, limit=_BATCH):
                errors = await self._try_each([(photo.owner, photo.id) for photo in batch])
                count += len(batch) - len(errors)
                after = batch[-1].id
                if errors:
                    raise errors[0]
            return count

    async def close(self) -> None:
        """Wait a moment for what is in progress; the job does what is not done then."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2)
        for task in list(self._tasks):
            task.cancel()

    async def rekey(self, owner: str, id_: int) -> None:
        """Give a photo new keys if its links were revoked; repeating it does no harm.

        Raises NotFound if the photo is deleted, and Unavailable while its objects can't be copied.
        """
        photo = await self._catalog.photo(owner, id_, in_trash_too=True)
        if photo.revoked_at is None or id_ in self._photos:
            return
        self._photos.add(id_)
        try:
            await self._rekey(photo)
        finally:
            self._photos.discard(id_)

    async def _rekey(self, photo: Photo) -> None:
        storage_id = keys.new_storage_id()
        reservation = await self._catalog.reservations.reserve(
            photo.owner,
            Caption(),
            storage_id=storage_id,
            now=self._clock(),
            renditions=[
                replace(each, key=f"{keys.prefix(storage_id)}{_suffix(each.key)}")
                for each in photo.renditions
            ],
        )
        reached("rekey: row reserved")
        try:
            tombstone = await self._move(photo, reservation)
        except BaseException:
            self._keep(asyncio.create_task(self._undo(reservation)))
            raise
        if tombstone is None:
            await self._undo(reservation)
            return
        reached("rekey: keys swapped")
        await self._sweep.purge_now(tombstone, passing="rekey")
        reached("rekey: purge noted")

    async def _move(self, photo: Photo, reservation: Reservation) -> Tombstone | None:
        """Copy a photo's objects, and swap its keys; return None if another process did."""
        copied = set[str]()
        for _ in range(_ATTEMPTS):
            await self._copy(photo, reservation.storage_id, copied)
            reached("rekey: objects copied")
            if tombstone := await self._swap(photo, reservation, copied):
                return tombstone
            photo = await self._catalog.photo(photo.owner, photo.id, in_trash_too=True)
            if photo.revoked_at is None:
                return None
        raise Busy

    async def _swap(
        self, photo: Photo, reservation: Reservation, copied: set[str]
    ) -> Tombstone | None:
        async def enqueue(connection: AsyncConnection) -> None:
            await enqueue_purge(connection)
            if any(_suffix(each.key) not in copied for each in photo.renditions):
                await enqueue_render_for_row(connection, owner=photo.owner, id_=photo.id)

        return await self._catalog.rekeyed.swap(
            photo, reservation, copied, now=self._clock(), in_transaction=enqueue
        )

    async def _copy(self, photo: Photo, storage_id: str, copied: set[str]) -> None:
        """Copy the objects that are not copied yet, and add the last parts of their keys.

        Renditions that don't exist are left out, and those deleted that the photo has lost since
        they were copied. Raises OriginalMissing.
        """
        original, folder = keys.original(photo.storage_id), keys.prefix(storage_id)
        named = {_suffix(key): key for key in (original, *(r.key for r in photo.renditions))}
        if lost := copied - named.keys():
            await self._bucket.delete([f"{folder}{suffix}" for suffix in lost])
            copied -= lost
        for suffix, key in named.items():
            if suffix in copied:
                continue
            to, is_original = f"{folder}{suffix}", key == original
            try:
                await self._bucket.copy(key, to, size=photo.size if is_original else 0)
            except NotFound:
                if is_original:
                    raise OriginalMissing(original) from None
                continue
            if is_original and await self._bucket.size(to) != await self._bucket.size(key):
                raise StorageUnavailable from RuntimeError(f"{to} is not a copy of {key}")
            copied.add(suffix)

    async def _undo(self, reservation: Reservation) -> None:
        try:
            tombstone = await self._catalog.reservations.abandon(
                reservation, now=self._clock(), in_transaction=enqueue_purge
            )
            if tombstone:
                await self._sweep.purge_now(tombstone, passing="undo")
        except SafelightError as error:
            _log.warning("reservation %s is left to the sweep: %s", reservation.id, error)

    async def _try_each(
        self, photos: Sequence[tuple[str, int]], stop: asyncio.Event | None = None
    ) -> list[Unavailable]:
        """Re-key each, several at once, until `stop` is set; return the errors.

        After _MAX_ERRORS errors the rest isn't tried.
        """
        waiting, errors = iter(photos), list[Unavailable]()

        async def work_through() -> None:
            for owner, id_ in waiting:
                if len(errors) >= _MAX_ERRORS or (stop and stop.is_set()):
                    return
                try:
                    await self.rekey(owner, id_)
                except NotFound:  # deleted for good meanwhile
                    pass
                except OriginalMissing as error:
                    if id_ not in self._warned:
                        _log.warning("links of photo %d still work: %s is missing", id_, error)
                    self._warned.add(id_)
                except Unavailable as error:
                    errors.append(error)

        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(work_through())
        return errors

    def _keep(self, task: "asyncio.Task[Any]") -> None:
        """Hold a reference to a task, which the event loop does not."""
        self._tasks.add(task)

        def end(ended: "asyncio.Task[Any]") -> None:
            self._tasks.discard(ended)
            if not ended.cancelled() and (error := ended.exception()):
                _log.warning("links will die later: %s", error)

        task.add_done_callback(end)


def _suffix(key: str) -> str:
    """Return the last part of a key, which stays the same: what it is, or a preset's digest."""
    return key.rpartition("/")[2]
