"""The sweep deletes the objects of tombstones later, and one failure does not stop the others."""

import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from safelight import keys
from safelight.errors import StorageUnavailable
from safelight.library import Library
from safelight.library.sweep import FORGET_AFTER, STALE_AFTER, Sweep
from safelight.models import Caption
from safelight.storage import Bucket
from support import pictures
from support.memory_library import statuses
from support.reconcile import keys_of, list_objects, store_orphan

OWNER = "o"
MINUTE = timedelta(minutes=1)


class _FailingBucket(Bucket):
    """A library's bucket that refuses to delete below some prefixes."""

    def __init__(self, bucket: Bucket, refused: Sequence[str]) -> None:
        self.__dict__.update(bucket.__dict__)
        self._refused = tuple(refused)
        self.deletions = 0

    async def delete(self, keys: Sequence[str]) -> None:
        self.deletions += 1
        if any(key.startswith(self._refused) for key in keys):
            raise StorageUnavailable
        await super().delete(keys)

    async def delete_prefix(self, prefix: str) -> None:
        if prefix in self._refused:
            raise StorageUnavailable
        await super().delete_prefix(prefix)


def _sweep(
    library: Library, *, later: timedelta = timedelta(0), bucket: Bucket | None = None
) -> Sweep:
    now, backends = library.now() + later, library.backends
    return Sweep(backends.catalog, bucket or backends.bucket, clock=lambda: now)


async def _delete_rows(library: Library, count: int, *, now: datetime | None = None) -> list[str]:
    """Delete new photos without purging them, and return the prefixes of their objects."""
    prefixes = []
    for _ in range(count):
        data = io.BytesIO(pictures.jpeg(64, comment=uuid4().bytes))
        photo = (await library.add(OWNER, data)).photo
        await library.backends.catalog.soft_delete(OWNER, photo.id, now=now or library.now())
        prefixes.append(keys.prefix(photo.storage_id))
    return prefixes


async def test_purge_deletes_the_objects_and_keeps_the_row(memory_library: Library) -> None:
    await _delete_rows(memory_library, 3)
    assert await _sweep(memory_library).purge() == 3
    assert await list_objects(memory_library) == set()
    assert await statuses(memory_library) == ["deleted"] * 3
    assert await _sweep(memory_library).purge() == 0


async def test_old_tombstone_is_forgotten_with_all_of_its_prefix(memory_library: Library) -> None:
    (prefix,) = await _delete_rows(memory_library, 1)
    await _sweep(memory_library).run()
    await store_orphan(memory_library, f"{prefix}{'a' * 32}")  # by a write that was still running
    await _sweep(memory_library, later=FORGET_AFTER - MINUTE).run()
    assert await statuses(memory_library) == ["deleted"]
    await _sweep(memory_library, later=FORGET_AFTER + MINUTE).run()
    assert await statuses(memory_library) == []
    assert await list_objects(memory_library) == set()


async def test_stale_reservation_is_abandoned(memory_library: Library) -> None:
    photo = (await memory_library.add(OWNER, io.BytesIO(pictures.jpeg(64)))).photo
    reservation = await memory_library.backends.catalog.reservations.reserve(
        OWNER, Caption(), storage_id=keys.new_storage_id(), now=memory_library.now()
    )
    await store_orphan(memory_library, keys.original(reservation.storage_id))
    await _sweep(memory_library, later=STALE_AFTER - MINUTE).run()
    assert await statuses(memory_library) == ["ready", "pending"]
    await _sweep(memory_library, later=STALE_AFTER + MINUTE).run()
    assert await statuses(memory_library) == ["ready", "deleted"]
    assert await list_objects(memory_library) == keys_of(photo)


async def test_failing_tombstone_does_not_stop_the_others(memory_library: Library) -> None:
    prefixes = await _delete_rows(memory_library, 4)
    later = FORGET_AFTER + MINUTE
    failing = _FailingBucket(memory_library.backends.bucket, [prefixes[1]])
    with pytest.raises(StorageUnavailable):
        await _sweep(memory_library, later=later, bucket=failing).run()
    assert await statuses(memory_library) == ["deleted"]
    await _sweep(memory_library, later=later).run()
    assert await statuses(memory_library) == []


async def test_failing_recent_tombstone_does_not_keep_old_ones(memory_library: Library) -> None:
    soon = memory_library.now() + FORGET_AFTER / 2
    recent = await _delete_rows(memory_library, 1, now=soon)
    await _delete_rows(memory_library, 2)
    failing = _FailingBucket(memory_library.backends.bucket, recent)
    with pytest.raises(StorageUnavailable):
        await _sweep(memory_library, later=FORGET_AFTER + MINUTE, bucket=failing).run()
    assert await statuses(memory_library) == ["deleted"]


async def test_store_that_is_down_is_not_called_for_every_tombstone(
    memory_library: Library,
) -> None:
    prefixes = await _delete_rows(memory_library, 6)
    down = _FailingBucket(memory_library.backends.bucket, prefixes)
    with pytest.raises(StorageUnavailable):
        await _sweep(memory_library, bucket=down).purge()
    assert down.deletions == 4  # one call for all of them, and three for single ones
    assert await statuses(memory_library) == ["deleted"] * 6
