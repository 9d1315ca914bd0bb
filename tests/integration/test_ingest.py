"""The steps of an upload: what exists after each of them, and what a failure leaves behind."""

import asyncio
import hashlib
import io
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from safelight import crash_points, errors, keys
from safelight.jobs import JobState
from safelight.library import Library
from safelight.library.sweep import FORGET_AFTER, STALE_AFTER, Sweep
from safelight.models import Caption, Photo
from support import pictures
from support.memory_library import statuses
from support.reconcile import keys_of, list_objects

OWNER = "o"
DATA = pictures.jpeg(900, 600)


async def _add(library: Library, data: bytes = DATA, owner: str = OWNER) -> Photo:
    return (await library.add(owner, io.BytesIO(data), Caption(filename="cat.jpg"))).photo


async def _sweep(library: Library) -> None:
    """Sweep once the rows are stale, and again once their tombstones can be forgotten."""
    for later in (STALE_AFTER, STALE_AFTER + FORGET_AFTER):
        now = library.now() + later + timedelta(minutes=1)
        clock = partial(datetime.fromtimestamp, now.timestamp(), UTC)
        await Sweep(library.backends.catalog, library.backends.bucket, clock=clock).run()


async def test_new_photo_has_its_original_and_first_renditions(memory_library: Library) -> None:
    photo = await _add(memory_library)
    assert (photo.size, photo.sha256) == (len(DATA), hashlib.sha256(DATA).hexdigest())
    assert [rendition.width for rendition in photo.renditions] == [320, 640, 900]
    assert await list_objects(memory_library) == keys_of(photo)
    assert await memory_library.photo(OWNER, photo.id) == photo


async def test_job_makes_the_remaining_renditions(library_with_jobs: Library) -> None:
    photo = await _add(library_with_jobs)
    waiting = (await library_with_jobs.jobs.list(task="develop")).counts[JobState.WAITING]
    assert waiting == 1
    whole = await library_with_jobs.render(OWNER, photo.id)
    assert len(whole.renditions) > len(photo.renditions)
    assert await list_objects(library_with_jobs) == keys_of(whole)


async def test_large_photo_gets_all_renditions_at_once(
    memory_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    darkroom = memory_library.backends.darkroom
    monkeypatch.setattr(darkroom, "has_large_photos", True)
    photo = await _add(memory_library, pictures.jpeg(1500, 1000))
    assert [rendition.width for rendition in photo.renditions] == [320, 640, 1280, 1500]
    assert await list_objects(memory_library) == keys_of(photo)
    assert (await memory_library.jobs.list()).oldest == []


async def test_narrow_photo_needs_no_job(memory_library: Library) -> None:
    await _add(memory_library, pictures.jpeg(300, 200))
    assert (await memory_library.jobs.list()).oldest == []


async def test_same_bytes_return_the_first_photo(memory_library: Library) -> None:
    first = await _add(memory_library)
    again = await memory_library.add(OWNER, io.BytesIO(DATA), Caption(title="Another"))
    assert (again.photo, again.created) == (first, False)
    assert await _add(memory_library, owner="another") != first
    assert await statuses(memory_library) == ["ready", "ready"]


async def test_duplicate_is_found_without_a_decoder(
    memory_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decoder that an image has taken over must not choose the photo that is returned."""
    first = await _add(memory_library)
    monkeypatch.setattr(memory_library.backends.darkroom, "inspect", None)
    assert await _add(memory_library) == first


async def test_same_bytes_at_once_make_one_photo(memory_library: Library) -> None:
    added = await asyncio.gather(*[memory_library.add(OWNER, io.BytesIO(DATA)) for _ in range(5)])
    await memory_library.components.ingest.wait_for_undo()
    assert len({result.photo.id for result in added}) == 1
    assert sum(result.created for result in added) == 1
    assert await list_objects(memory_library) == keys_of(added[0].photo)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", errors.EmptyFile),
        (b"not a photo", errors.UnsupportedType),
        (DATA[:-2000], errors.CorruptImage),
    ],
)
async def test_invalid_bytes_store_nothing(
    memory_library: Library, data: bytes, error: type[errors.Invalid]
) -> None:
    with pytest.raises(error):
        await _add(memory_library, data)
    assert await statuses(memory_library) == []
    assert await list_objects(memory_library) == set()


@pytest.mark.parametrize("failing", range(4))
async def test_failed_write_is_undone(
    memory_library: Library, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    bucket, writes = memory_library.backends.bucket, list[str]()
    put = bucket.put

    async def put_or_fail(key: str, *given: Any, **options: Any) -> None:
        writes.append(key)
        if len(writes) > failing:
            raise errors.StorageUnavailable
        await put(key, *given, **options)

    monkeypatch.setattr(bucket, "put", put_or_fail)
    with pytest.raises(errors.StorageUnavailable):
        await _add(memory_library)
    await memory_library.components.ingest.wait_for_undo()
    assert len(writes) == 4, "all of them have ended"
    assert await statuses(memory_library) == ["deleted"]
    assert await list_objects(memory_library) == set()


async def test_cancelled_upload_is_undone(
    memory_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = asyncio.Event()

    async def wait_forever(*_: object, **__: object) -> None:
        started.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(memory_library.backends.bucket, "put", wait_forever)
    task = asyncio.create_task(_add(memory_library))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await memory_library.components.ingest.wait_for_undo()
    assert await statuses(memory_library) == ["deleted"]
    assert await list_objects(memory_library) == set()


async def test_row_names_each_object_before_it_is_stored(
    memory_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = memory_library.backends.bucket
    put = bucket.put

    async def check_and_put(key: str, *given: Any, **options: Any) -> None:
        (row,) = await memory_library.backends.catalog.row_scan.page(after="", limit=10)
        assert row.status == "pending"
        assert key in {keys.original(row.storage_id), *row.renditions}
        await put(key, *given, **options)

    monkeypatch.setattr(bucket, "put", check_and_put)
    photo = await _add(memory_library)
    assert await list_objects(memory_library) == keys_of(photo)


class _Killed(BaseException):
    """Ends an upload as the end of its process does."""


@pytest.mark.parametrize("point", [point for point in crash_points.ADD if "add:" in point])
async def test_sweep_removes_what_a_crash_left(
    memory_library: Library, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    def kill(reached: str) -> None:
        if reached == point:
            raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr("safelight.library.ingest.reached", kill)
        patch.setattr("safelight.library.ingest.Ingest._start_undo", lambda *_: None)
        with pytest.raises(_Killed):
            await _add(memory_library)
    is_published = point == "add: row ready"
    assert (await memory_library.page(OWNER)).photos == (((1, 1),) if is_published else ())
    await _sweep(memory_library)
    assert await statuses(memory_library) == (["ready"] if is_published else [])
    photos = await memory_library.photos(OWNER, [1])
    assert await list_objects(memory_library) == {key for photo in photos for key in keys_of(photo)}
    # The same bytes can be added again.
    assert (await _add(memory_library)).sha256 == hashlib.sha256(DATA).hexdigest()


@pytest.mark.parametrize("committed", [True, False])
async def test_photo_exists_if_the_hosts_transaction_commits(
    memory_library: Library, *, committed: bool
) -> None:
    engine = create_async_engine(memory_library.database_url)
    async with engine.connect() as connection:
        transaction = await connection.begin()
        added = await memory_library.add(OWNER, io.BytesIO(DATA), within=connection)
        assert (await memory_library.page(OWNER)).photos == ()
        await (transaction.commit() if committed else transaction.rollback())
    await engine.dispose()
    await _sweep(memory_library)
    ids = [id_ for id_, _ in (await memory_library.page(OWNER)).photos]
    assert ids == ([added.photo.id] if committed else [])
    assert await list_objects(memory_library) == (keys_of(added.photo) if committed else set())


async def test_deleted_photo_has_no_objects(memory_library: Library) -> None:
    photo = await _add(memory_library)
    await memory_library.delete(OWNER, photo.id)
    assert await list_objects(memory_library) == set()
    with pytest.raises(errors.NotFound):
        await memory_library.delete(OWNER, photo.id)
