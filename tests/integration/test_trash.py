"""The trash: photos leave lists and counts, and come back; nothing else treats them differently."""

import asyncio
import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import keys
from safelight.catalog import RowKeys
from safelight.engines import EmbeddedEngines
from safelight.errors import InvalidRequest, NotFound, StorageFull
from safelight.jobs import JobState
from safelight.library import Library
from safelight.library.deletion import rekeying
from safelight.library.lifecycle import utc_now
from safelight.library.sweep import FORGET_AFTER
from safelight.models import Caption, Order, Photo, Status
from support import pictures
from support.databases import database
from support.memory_library import open_memory_library, statuses
from support.reconcile import LOOK, keys_of, list_objects, reconcile


async def _noop(_connection: object) -> None:
    pass


async def _add(library: Library, width: int = 40) -> Photo:
    return (await library.add("ann", io.BytesIO(pictures.png(width, 30)))).photo


async def _listed(library: Library) -> set[int]:
    """Return the ids that every list of the owner has, and check the counts of months."""
    found = []
    for order in Order:
        page = await library.page("ann", order=order)
        found.append({id_ for id_, _ in page.photos})
        months = await library.months("ann", order=order)
        assert sum(month.count for month in months) == len(found[-1])
    assert found[0] == found[1]
    assert await library.backends.catalog.month_drift.find("ann") == []
    return found[0]


async def _mark(library: Library, *ids: int) -> list[int]:
    return await library.backends.catalog.trash.trash(
        "ann", ids, now=library.now(), in_transaction=_noop
    )


async def test_trashed_photo_leaves_lists_and_counts(memory_library: Library) -> None:
    library = memory_library
    kept, trashed = await _add(library, 40), await _add(library, 50)
    assert await _mark(library, trashed.id, 2**70) == [trashed.id]
    assert await _mark(library, trashed.id) == [], "it is there already"
    assert await _listed(library) == {kept.id}
    with pytest.raises(NotFound):
        await library.photo("ann", trashed.id)
    with pytest.raises(NotFound):
        await library.edit("ann", trashed.id, title="x")
    result = await library.shift_dates("ann", [kept.id, trashed.id], timedelta(hours=1))
    assert (result.done, result.missing) == ((kept.id,), (trashed.id,))
    trash = library.backends.catalog.trash
    assert [id_ for id_, _ in (await trash.page("ann", after=None, limit=9)).photos] == [trashed.id]
    assert [photo.id for photo in await trash.restore("ann", [kept.id, trashed.id])] == [trashed.id]
    assert await _listed(library) == {kept.id, trashed.id}


async def test_trash_is_paged_with_the_last_trashed_first(memory_library: Library) -> None:
    library = memory_library
    ids = [(await _add(library, 40 + n)).id for n in range(5)]
    for id_ in ids:
        await _mark(library, id_)
    trash = library.backends.catalog.trash
    first = await trash.page("ann", after=None, limit=3)
    rest = await trash.page("ann", after=first.next, limit=3)
    assert [id_ for id_, _ in (*first.photos, *rest.photos)] == ids[::-1]
    assert rest.next is None
    assert await trash.count("ann") == (5, 5)
    assert await trash.count("ben") == (0, 0)


async def test_duplicate_of_a_trashed_photo_restores_it(memory_library: Library) -> None:
    library = memory_library
    photo = await _add(library)
    await _mark(library, photo.id)
    again = await library.add("ann", io.BytesIO(pictures.png(40, 30)))
    assert (again.created, again.photo.id, again.photo.trashed_at) == (False, photo.id, None)
    assert await _listed(library) == {photo.id}


async def test_duplicate_declared_at_reservation_is_restored(memory_library: Library) -> None:
    library = memory_library
    photo = await _add(library)
    await _mark(library, photo.id)
    begun = await library.uploads.begin(
        "ann", size=photo.size, content_type="image/png", sha256=photo.sha256
    )
    assert getattr(begun, "photo", None) is not None
    assert await _listed(library) == {photo.id}


async def test_duplicate_in_a_transaction_restores_with_its_commit(memory_library: Library) -> None:
    library = memory_library
    photo = await _add(library)
    await _mark(library, photo.id)

    async def add_and_fail(connection: object) -> None:
        again = await library.add(
            "ann",
            io.BytesIO(pictures.png(40, 30)),
            within=connection,  # type: ignore[arg-type]
        )
        assert again.photo.trashed_at is None
        raise LookupError

    with pytest.raises(LookupError):
        await library.backends.catalog.transaction(add_and_fail)
    assert await _listed(library) == set(), "the transaction was rolled back"


# Re-keying, over a bucket in memory


async def test_trashing_moves_the_objects_to_newkeys_of(memory_library: Library) -> None:
    library = memory_library
    photo = await _add(library, 400)
    assert photo.renditions
    await library.trash("ann", photo.id)
    trashed = (await library.list_trash("ann")).photos[0]
    assert trashed.id == photo.id
    assert (trashed.trashed_at is not None, trashed.revoked_at) == (True, None)
    assert trashed.storage_id != photo.storage_id
    assert [each.name for each in trashed.renditions] == [each.name for each in photo.renditions]
    assert await list_objects(library) == keys_of(trashed)
    with pytest.raises(NotFound):
        await library.trash("ann", photo.id)
    restored = await library.restore("ann", photo.id)
    assert await list_objects(library) == keys_of(restored) == keys_of(trashed)
    assert await _listed(library) == {photo.id}
    with pytest.raises(NotFound):
        await library.restore("ann", photo.id)


async def test_revoked_links_die_and_the_photo_stays(memory_library: Library) -> None:
    library = memory_library
    photo = await _add(library, 400)
    await library.revoke_links("ann", photo.id)
    found = await library.photo("ann", photo.id)
    assert found.storage_id != photo.storage_id
    assert await list_objects(library) == keys_of(found)
    assert await reconcile(library, replace(LOOK, verify=True)) == []
    with pytest.raises(NotFound):
        await library.revoke_links("ben", photo.id)


async def test_old_prefix_is_emptied_by_the_second_sweep(
    postgres: EmbeddedEngines, tmp_path: Path
) -> None:
    """What was written there after the first, by a job that had begun before, is not left."""
    now = [utc_now()]
    with database(postgres) as url:
        async with open_memory_library(url, tmp_path, clock=lambda: now[0]) as library:
            photo = await _add(library)
            await library.revoke_links("ann", photo.id)
            late = keys.rendition(photo.storage_id, "0" * 16)
            await library.backends.bucket.put(late, b"late", content_type="image/webp")
            now[0] += FORGET_AFTER + timedelta(minutes=1)
            await library.components.sweep.run()
            assert await list_objects(library) == keys_of(await library.photo("ann", photo.id))
            assert await statuses(library) == ["ready"]


@pytest.mark.parametrize("change", ["edit", "demand", "restore", "delete", "rekey", "prune"])
async def test_changes_during_the_copy_lose_nothing(
    memory_library: Library, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    library = memory_library
    photo = await _add(library, 400)
    bucket, copy, copied = library.backends.bucket, library.backends.bucket.copy, list[str]()

    async def change_meanwhile(key: str, to: str, *, size: int = 0) -> None:
        copied.append(to)
        await copy(key, to, size=size)
        if len(copied) > 1:
            return
        match change:
            case "edit":
                await library.edit("ann", photo.id, title="edited")
            case "demand":
                await library.renditions.get_or_make("ann", photo.id, "w2560")
            case "restore":
                await library.backends.catalog.trash.trash(
                    "ann", [photo.id], now=library.now(), in_transaction=_noop
                )
                await library.restore("ann", photo.id)
            case "delete":
                await library.delete("ann", photo.id)
            case "rekey":
                library.components.rekeying._photos.clear()
                await library.components.rekeying.rekey("ann", photo.id)
            case "prune":
                names = [photo.renditions[0].name]
                current = await library.photo("ann", photo.id)
                await library.backends.catalog.renditions.remove(current, names)
                await bucket.delete([photo.renditions[0].key])

    monkeypatch.setattr(bucket, "copy", change_meanwhile)
    await library.revoke_links("ann", photo.id)
    await asyncio.gather(*library.components.rekeying._tasks)
    monkeypatch.undo()
    if change == "delete":
        assert await list_objects(library) == set()
        return
    await library.components.rekeying.run()
    moved = await library.photo("ann", photo.id)
    assert moved.storage_id != photo.storage_id
    assert moved.revoked_at is None
    assert moved.title == ("edited" if change == "edit" else "")
    assert await list_objects(library) == keys_of(moved)
    assert await reconcile(library, replace(LOOK, verify=True)) == []


async def test_rendition_that_is_missing_is_made_again(memory_library: Library) -> None:
    library = memory_library
    photo = await _add(library, 400)
    await library.backends.bucket.delete([photo.renditions[0].key])
    await library.revoke_links("ann", photo.id)
    moved = await library.photo("ann", photo.id)
    assert len(moved.renditions) == len(photo.renditions) - 1
    assert (await library.jobs.count())[JobState.WAITING] == 3, "rekey, purge and render"
    rendered = await library.render("ann", photo.id)
    assert await list_objects(library) == keys_of(rendered)


async def test_photo_whose_original_is_missing_keeps_itskeys_of(memory_library: Library) -> None:
    """Reconcile can still put the original back."""
    library = memory_library
    photo = await _add(library, 400)
    original = keys.original(photo.storage_id)
    bucket = library.backends.bucket
    await bucket.copy(original, "photos/elsewhere")
    await bucket.delete([original])
    await library.revoke_links("ann", photo.id)
    assert (await library.photo("ann", photo.id)).storage_id == photo.storage_id
    await bucket.copy("photos/elsewhere", original)
    await bucket.delete(["photos/elsewhere"])
    await library.components.rekeying.run()
    assert (await library.photo("ann", photo.id)).storage_id != photo.storage_id


async def test_trashing_while_the_store_is_away_revokes_later(
    memory_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = memory_library
    photo = await _add(library, 400)

    async def fail(*_: object, **__: object) -> None:
        raise StorageFull

    monkeypatch.setattr(library.backends.bucket, "copy", fail)
    await library.trash("ann", photo.id)
    assert await _listed(library) == set()
    trashed = (await library.list_trash("ann")).photos[0]
    assert trashed.storage_id == photo.storage_id
    assert trashed.revoked_at is not None
    with pytest.raises(StorageFull):
        await library.components.rekeying.run()
    monkeypatch.undo()
    await library.restore("ann", photo.id)
    await library.components.rekeying.run()
    moved = await library.photo("ann", photo.id)
    assert moved.storage_id != photo.storage_id
    await asyncio.gather(*library.components.rekeying._tasks)
    assert await list_objects(library) == keys_of(moved)


async def test_slow_copy_goes_on_after_the_answer(
    memory_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = memory_library
    photo = await _add(library)
    copy, may_go_on = library.backends.bucket.copy, asyncio.Event()

    async def wait(key: str, to: str, *, size: int = 0) -> None:
        await may_go_on.wait()
        await copy(key, to, size=size)

    monkeypatch.setattr(library.backends.bucket, "copy", wait)
    monkeypatch.setattr(rekeying, "DEADLINE", timedelta(0))
    await library.trash("ann", photo.id)
    assert await list_objects(library) == keys_of(photo)
    may_go_on.set()
    await asyncio.gather(*library.components.rekeying._tasks)
    trashed = (await library.list_trash("ann")).photos[0]
    assert trashed.storage_id != photo.storage_id
    assert await list_objects(library) == keys_of(trashed)


async def test_many_are_trashed_restored_and_deleted(memory_library: Library) -> None:
    library = memory_library
    photos = [await _add(library, 40 + n) for n in range(20)]
    ids = [photo.id for photo in photos]
    result = await library.trash_many("ann", [*ids, ids[0], 10**20])
    assert (result.done, result.missing) == (tuple(ids), (10**20,))
    assert await _listed(library) == set()
    old = {key for photo in photos for key in keys_of(photo)}
    assert not old & await list_objects(library)
    assert (await library.restore_many("ann", ids[:10])).done == tuple(ids[:10])
    assert (await library.delete_many("ann", [*ids[5:15], 7**9])).missing == (7**9,)
    assert await _listed(library) == set(ids[:5])
    assert await library.empty_trash("ben") == 0
    assert await library.empty_trash("ann") == 5
    assert len(await list_objects(library)) == 5 * len(keys_of(photos[0]))
    with pytest.raises(InvalidRequest):
        await library.trash_many("ann", list(range(501)))


async def test_trash_is_emptied_when_its_time_is_over(
    postgres: EmbeddedEngines, tmp_path: Path
) -> None:
    now, deleted = [utc_now()], list[int]()
    with database(postgres) as url:
        async with open_memory_library(
            url, tmp_path, clock=lambda: now[0], trash_days=7
        ) as library:

            @library.on_deleted
            async def note(photo: Photo, _connection: object) -> None:
                deleted.append(photo.id)

            early, late = await _add(library, 40), await _add(library, 50)
            await library.trash("ann", early.id)
            now[0] += timedelta(days=1)
            await library.trash("ann", late.id)
            assert deleted == []
            now[0] += timedelta(days=6, seconds=1)
            trashed = (await library.list_trash("ann")).photos
            assert library.deletes_at(trashed[0]) == now[0] + timedelta(days=1, seconds=-1)
            assert await library.components.trash.delete_expired() == 1
            assert deleted == [early.id]
            assert [photo.id for photo in (await library.list_trash("ann")).photos] == [late.id]
            assert await list_objects(library) == keys_of(trashed[0])


async def test_without_a_trash_photos_are_deleted_at_once(
    postgres: EmbeddedEngines, tmp_path: Path
) -> None:
    with database(postgres) as url:
        async with open_memory_library(url, tmp_path, trash_days=0) as library:
            one, *others = [await _add(library, 40 + n) for n in range(3)]
            await library.trash("ann", one.id)
            assert (await library.trash_many("ann", [each.id for each in others])).missing == ()
            assert (await library.list_trash("ann")).photos == ()
            assert await list_objects(library) == set()


async def test_row_is_found_by_a_storage_id_that_moves_while_it_is_waited_for(
    memory_library: Library,
) -> None:
    """Otherwise reconcile would take the copies of a photo for orphans."""
    library = memory_library
    photo = await _add(library)
    catalog = library.backends.catalog
    pending = await catalog.reservations.reserve(
        "ann", Caption(), storage_id=keys.new_storage_id(), now=library.now()
    )
    swapped, waiting = asyncio.Event(), asyncio.Event()

    async def hold(connection: AsyncConnection) -> None:
        swapped.set()
        await waiting.wait()

    async def status_of(storage_id: str) -> Status | None:
        async def status(_connection: AsyncConnection, row: RowKeys | None) -> Status | None:
            return row.status if row else None

        return await catalog.row_scan.with_locked_row(storage_id, status)

    async def is_blocked() -> bool:
        query = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(await catalog.read(lambda connection: connection.scalar(query)))

    async with asyncio.TaskGroup() as group:
        group.create_task(
            catalog.rekeyed.swap(photo, pending, {"original"}, now=utc_now(), in_transaction=hold)
        )
        await swapped.wait()
        new = group.create_task(status_of(pending.storage_id))
        while not await is_blocked():  # noqa: ASYNC110  locks give no notice
            await asyncio.sleep(0.01)
        waiting.set()
    assert new.result() is Status.READY
    assert await status_of(photo.storage_id) is Status.DELETED
