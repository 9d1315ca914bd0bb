"""The reconciler: compares rows with objects, in both directions, and repairs differences.

The two sides are read at different times, so each suspicion is checked again: for a missing
object, the object and then its row; for an orphan, in a transaction that locks the row.
docs/decisions/0009-reconcile.md explains why that is enough.
"""

import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import keys
from safelight.catalog import Catalog, RowKeys, remove_renditions
from safelight.crash_points import reached
from safelight.errors import NotFound
from safelight.library.reconcile.compare import discrepancies, group_by_photo, merge_join, scan_rows
from safelight.library.reconcile.findings import (
    UNREPAIRABLE,
    Finding,
    Kind,
    Progress,
    ProgressCounter,
    ReconcileOptions,
)
from safelight.library.reconcile.month_counts import find_miscounts
from safelight.library.reconcile.orphans import OrphanFinder
from safelight.library.reconcile.quarantine import Quarantine, QuarantinedObject, Step
from safelight.library.tasks import enqueue_render_for_row
from safelight.models import Status
from safelight.storage import Bucket, MultipartUploads

_log = logging.getLogger(__name__)

_PROGRESS_INTERVAL = 1000
"""Rows and objects between two reports of progress; with `verify`, there is one for each photo."""
_MAX_ORPHANS_UNATTENDED = 100
"""The daily run moves at most this many orphans, or 1 % of the number of rows."""


async def _no_pause(_point: str) -> None:
    pass


class Reconciler:
    """Compares all rows of a catalog with all objects of its bucket.

    Several may run at once, beside all other work. Raises Unavailable if an engine is down; repairs
    made until then stay, and the next run does the rest. `settle` is called before a run that
    repairs, to finish what the rows have begun. `pause` is for tests: it is awaited at each crash
    point.
    """

    def __init__(
        self,
        catalog: Catalog,
        bucket: Bucket,
        multipart: MultipartUploads,
        settle: Callable[[], Awaitable[object]],
        *,
        clock: Callable[[], datetime],
        pause: Step = _no_pause,
    ) -> None:
        self._rows = catalog.row_scan
        self._claims = catalog.rendering_claims
        self._month_drift = catalog.month_drift
        self._bucket = bucket
        self._settle = settle
        self._clock = clock
        self._pause = pause
        self._quarantine = Quarantine(bucket, clock=clock, step=self._step)
        self._orphans = OrphanFinder(catalog.uploads, bucket, multipart, self._quarantine)

    async def run(self, options: ReconcileOptions) -> AsyncIterator[Finding | Progress]:
        """Yield the differences, and the progress in between; the last progress is `done`."""
        count = ProgressCounter()
        if options.apply:
            await self._settle()
        async for event in self._compare(options, count):
            yield event
        before = self._clock() - options.grace
        for findings in (
            self._orphans.find(options, count, before=before),
            self._empty_quarantine(options),
            find_miscounts(self._month_drift, repair=options.apply),
        ):
            async for finding in findings:
                count.add(finding)
                yield finding
        yield count.progress(done=True)

    async def undo(self, *, apply: bool) -> AsyncIterator[Finding | Progress]:
        """Put back the objects in quarantine, except those of deleted photos."""
        count = ProgressCounter()
        async for batch in self._quarantine.list_objects():
            count.objects += len(batch)
            rows = await self._find_rows(batch)
            for quarantined in batch:
                row = rows.get(keys.storage_id_of(quarantined.key) or "")
                if row and row.status == Status.DELETED:
                    continue
                finding = Finding(kind=Kind.QUARANTINED, key=quarantined.key, size=quarantined.size)
                if apply:
                    finding = replace(finding, mended=await self._put_back(quarantined))
                count.add(finding)
                yield finding
        yield count.progress(done=True)

    async def run_daily(self) -> Progress:
        """Repair what is safe to repair unattended, and log what an operator has to handle.

        Orphans are moved into quarantine, from where they can be put back. Many at once look like
        a wrong or restored database, so these are left in place.
        """
        seen = await self._run_logged(ReconcileOptions())
        orphans = seen.found.get(Kind.ORPHAN, 0)
        keep_orphans = orphans > max(_MAX_ORPHANS_UNATTENDED, seen.rows // 100)
        if keep_orphans:
            _log.warning(
                "%d objects have no row, which is too many to move into quarantine unattended: see"
                " 'safelight reconcile'",
                orphans,
            )
        if not seen.found:
            return seen
        if miscounts := seen.found.get(Kind.MISCOUNTED):
            _log.warning("correcting %d wrong counts of months", miscounts)
        return await self._run_logged(
            ReconcileOptions(apply=True, keep_orphans=keep_orphans), level=logging.INFO
        )

    async def _run_logged(
        self, options: ReconcileOptions, *, level: int = logging.WARNING
    ) -> Progress:
        progress = Progress()
        async for event in self.run(options):
            if isinstance(event, Progress):
                progress = event
            elif event.kind in UNREPAIRABLE:
                _log.log(level, "photo %s is %s %s", event.photo, event.kind, event.detail)
        return progress

    async def _compare(
        self, options: ReconcileOptions, count: ProgressCounter
    ) -> AsyncIterator[Finding | Progress]:
        before = self._clock() - options.grace
        listing = self._bucket.list_objects(keys.PHOTOS)
        reported_at = 0
        async for row, photo in merge_join(scan_rows(self._rows), group_by_photo(listing)):
            count.rows += row is not None
            count.objects += len(photo.objects) if photo else 0
            suspicions = discrepancies(row, photo, before=before)
            for suspicion in suspicions:
                if finding := await self._check(suspicion, row, options):
                    count.add(finding)
                    yield finding
            if options.verify and row and row.keys and photo and not suspicions:
                if finding := await self._verify(row, count):
                    count.add(finding)
                    yield finding
                yield count.progress()
            elif count.rows + count.objects >= reported_at + _PROGRESS_INTERVAL:
                reported_at = count.rows + count.objects
                yield count.progress()

    async def _check(
        self, suspicion: Finding, row: RowKeys | None, options: ReconcileOptions
    ) -> Finding | None:
        """Check a suspicion again, and repair it if asked to; None if nothing is wrong."""
        await self._step("reconcile: suspected")
        if suspicion.kind == Kind.ORPHAN or row is None:
            return await self._check_orphan(suspicion, options)
        if suspicion.kind == Kind.STALE:
            again = await self._read_row(row)
            return suspicion if again and again.status == Status.PENDING else None
        if suspicion.kind == Kind.DAMAGED:
            return suspicion if await self._is_named(suspicion.key, row) else None
        return await self._check_missing(suspicion, row, options)

    async def _check_orphan(self, suspicion: Finding, options: ReconcileOptions) -> Finding | None:
        key, storage_id = suspicion.key, keys.storage_id_of(suspicion.key)
        if await self._claims.exists(key):  # the sweep sees to it
            return None
        if options.moves_orphans:
            moved = await self._move_orphan(key, storage_id)
            return replace(suspicion, mended=True) if moved else None
        row = (await self._rows.find([storage_id])).get(storage_id) if storage_id else None
        return None if _may_name(row, key) else suspicion

    async def _move_orphan(self, key: str, storage_id: str | None) -> bool:
        """Move an object into quarantine while its row is locked, unless the row may name it."""
        if storage_id is None:
            return await self._quarantine.move_in(key)

        async def work(connection: AsyncConnection, row: RowKeys | None) -> bool:
            await self._step("reconcile: row held")
            if _may_name(row, key) or not await self._quarantine.move_in(key):
                return False
            if row:
                # A job that is about to name this rendition assumes that its object exists.
                await remove_renditions(connection, row)
            await self._step("reconcile: row changed")
            return True

        return await self._rows.with_locked_row(storage_id, work)

    async def _check_missing(
        self, suspicion: Finding, row: RowKeys, options: ReconcileOptions
    ) -> Finding | None:
        key = suspicion.key
        if await self._bucket.size(key) is not None or not await self._is_named(key, row):
            return None
        quarantine_key = await self._quarantine.find(key)
        finding = replace(suspicion, kind=Kind.DISPLACED) if quarantine_key else suspicion
        if not options.apply or finding.kind == Kind.LOST:
            return finding

        async def work(connection: AsyncConnection, locked: RowKeys | None) -> bool:
            await self._step("reconcile: row held")
            if not (locked and key in locked.keys) or await self._bucket.size(key) is not None:
                return False
            if quarantine_key:
                return await self._quarantine.put_back(quarantine_key, key)
            await remove_renditions(connection, locked, [key])
            await enqueue_render_for_row(connection, owner=locked.owner, id_=locked.id)
            await self._step("reconcile: row changed")
            return True

        return replace(finding, mended=await self._rows.with_locked_row(row.storage_id, work))

    async def _verify(self, row: RowKeys, count: ProgressCounter) -> Finding | None:
        """Read a photo's original, and compare its SHA-256 with the row's."""
        key, digest = keys.original(row.storage_id), hashlib.sha256()
        try:
            size = await self._bucket.read(key, digest.update)
        except NotFound:  # it was deleted in the meantime, or the next run finds it lost
            return None
        count.bytes += size
        if digest.hexdigest() == row.sha256 or not await self._is_named(key, row):
            return None
        detail = "its bytes have another SHA-256 than its row says"
        return Finding(kind=Kind.DAMAGED, key=key, photo=row.id, size=size, detail=detail)

    async def _empty_quarantine(self, options: ReconcileOptions) -> AsyncIterator[Finding]:
        """Delete expired objects, but put back those that a row names."""
        async for batch in self._quarantine.list_objects():
            expired = [each for each in batch if self._quarantine.is_expired(each)]
            if batch and not expired:  # the oldest come first
                return
            rows = await self._find_rows(expired)
            for quarantined in expired:
                key, size = quarantined.key, quarantined.size
                row = rows.get(keys.storage_id_of(key) or "")
                if row and key in row.keys:
                    lost = Finding(kind=Kind.LOST, key=key, photo=row.id, size=size)
                    if missing := await self._check_missing(lost, row, options):
                        yield missing
                        continue
                yield Finding(kind=Kind.EXPIRED, key=key, size=size, mended=options.apply)
                if options.apply:
                    await self._bucket.delete([quarantined.quarantine_key])

    async def _put_back(self, quarantined: QuarantinedObject) -> bool:
        """Put an object back, unless its photo is deleted."""

        async def work(_connection: AsyncConnection | None, row: RowKeys | None) -> bool:
            if row and row.status == Status.DELETED:
                return False
            return await self._quarantine.put_back(quarantined.quarantine_key, quarantined.key)

        storage_id = keys.storage_id_of(quarantined.key)
        if storage_id is None:
            return await work(None, None)
        return await self._rows.with_locked_row(storage_id, work)

    async def _find_rows(self, batch: Sequence[QuarantinedObject]) -> dict[str, RowKeys]:
        return await self._rows.find(
            [id_ for each in batch if (id_ := keys.storage_id_of(each.key))]
        )

    async def _read_row(self, row: RowKeys) -> RowKeys | None:
        return (await self._rows.find([row.storage_id])).get(row.storage_id)

    async def _is_named(self, key: str, row: RowKeys) -> bool:
        """Return whether the row still names the key."""
        again = await self._read_row(row)
        return again is not None and key in again.keys

    async def _step(self, point: str) -> None:
        reached(point)
        await self._pause(point)


def _may_name(row: RowKeys | None, key: str) -> bool:
    """Return whether a row names a key, or may come to: only photos name all of their keys."""
    return row is not None and (row.status != Status.READY or key in row.keys)
