"""Compare rows with objects: a merge join of two streams, both in the order of storage ids.

Neither side is held in memory as a whole, however many rows and objects there are.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from safelight import keys
from safelight.catalog import RowKeys, RowScan
from safelight.library.reconcile.findings import Finding, Kind
from safelight.models import Status
from safelight.storage import StoredObject

_PAGE_SIZE = 1000
"""Rows in one query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoObjects:
    """The objects of one photo; or a single object, without a storage id, of an invalid key."""

    storage_id: str | None
    objects: tuple[StoredObject, ...]


async def scan_rows(scan: RowScan) -> AsyncIterator[RowKeys]:
    """Yield all rows by storage id, page by page, each as it is when its page is read."""
    after = ""
    while page := await scan.page(after=after, limit=_PAGE_SIZE):
        for row in page:
            yield row
        after = page[-1].storage_id


async def group_by_photo(listing: AsyncIterator[list[StoredObject]]) -> AsyncIterator[PhotoObjects]:
    """Group objects by photo; `listing` is of ``photos/``, in the order of keys."""
    current, objects = None, list[StoredObject]()
    async for batch in listing:
        for stored in batch:
            storage_id = keys.storage_id_of(stored.key)
            if storage_id is None:
                yield PhotoObjects(storage_id=None, objects=(stored,))
                continue
            if storage_id != current and current is not None:
                yield PhotoObjects(storage_id=current, objects=tuple(objects))
                objects.clear()
            current = storage_id
            objects.append(stored)
    if current is not None:
        yield PhotoObjects(storage_id=current, objects=tuple(objects))


async def merge_join(
    rows: AsyncIterator[RowKeys], photos: AsyncIterator[PhotoObjects]
) -> AsyncIterator[tuple[RowKeys | None, PhotoObjects | None]]:
    """Pair each row with its objects; None stands for the side that is missing."""
    row = await anext(rows, None)
    async for photo in photos:
        while photo.storage_id is not None and row and row.storage_id < photo.storage_id:
            yield row, None
            row = await anext(rows, None)
        if row and row.storage_id == photo.storage_id:
            yield row, photo
            row = await anext(rows, None)
        else:
            yield None, photo
    while row:
        yield row, None
        row = await anext(rows, None)


def discrepancies(
    row: RowKeys | None, photo: PhotoObjects | None, *, before: datetime
) -> list[Finding]:
    """Return what seems to be wrong with a pair, whose sides were read at different times.

    Nothing that was written or reserved since `before` is suspected. The objects of a row that is
    not a photo (not yet, or no longer) are left to the sweep.
    """
    objects = photo.objects if photo else ()
    if row is None:
        return [_orphan(stored) for stored in objects if stored.modified_at < before]
    if row.status != Status.READY:
        stale = row.status == Status.PENDING and row.reserved_at < before
        return [_about(row, Kind.STALE, keys.prefix(row.storage_id))] if stale else []
    original = keys.original(row.storage_id)
    by_key = {stored.key: stored for stored in objects}
    found = [
        _about(row, Kind.LOST if key == original else Kind.MISSING_RENDITION, key)
        for key in sorted(row.keys - by_key.keys())
    ]
    found += [
        _orphan(stored, row)
        for key, stored in by_key.items()
        if key not in row.keys and stored.modified_at < before
    ]
    if original in by_key and by_key[original].size != row.size:
        size = by_key[original].size
        detail = f"{size} bytes, but its row says {row.size}"
        found.append(_about(row, Kind.DAMAGED, original, size=size, detail=detail))
    return found


def _orphan(stored: StoredObject, row: RowKeys | None = None) -> Finding:
    id_ = row.id if row else None
    return Finding(kind=Kind.ORPHAN, key=stored.key, photo=id_, size=stored.size)


def _about(
    row: RowKeys, kind: Kind, key: str, *, size: int | None = None, detail: str = ""
) -> Finding:
    return Finding(kind=kind, key=key, photo=row.id, size=size, detail=detail)
