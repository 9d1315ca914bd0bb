"""The reconciler compares rows with objects, in both directions, and repairs differences."""

import asyncio
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import date, timedelta
from xml.etree.ElementTree import Element

import pytest
from sqlalchemy import delete, text

from safelight import crash_points, keys
from safelight.catalog.tables import uploads
from safelight.errors import OperatorError
from safelight.jobs import JobState
from safelight.library import Library, StartedUpload
from safelight.library.processing.renditions import RenderedPhoto, RenditionMaker
from safelight.library.reconcile.findings import Finding, Kind, Progress, ReconcileOptions
from safelight.models import Caption, Upload
from safelight.storage import Bucket
from support.direct_uploads import send
from support.parts import make_reconciler, make_renditions
from support.reconcile import (
    APPLY,
    LOOK,
    add_photo,
    keys_of,
    list_missing,
    list_objects,
    reconcile,
    reconciler,
    store_orphan,
    summarize,
)

DAY = timedelta(days=1)


@pytest.fixture
def library(memory_library: Library) -> Library:
    return memory_library


async def test_consistent_library_has_no_findings(library: Library) -> None:
    kept, removed = await add_photo(library), await add_photo(library)
    await library.delete("o", removed.id)
    before = await list_objects(library)
    assert await reconcile(library, replace(APPLY, verify=True)) == []
    assert await list_objects(library) == before == keys_of(kept)


async def test_missing_rendition_is_made_again(library: Library) -> None:
    photo = await add_photo(library)
    key = photo.renditions[1].key
    await library.backends.bucket.delete([key])
    assert await reconcile(library, LOOK) == [(Kind.MISSING_RENDITION, key, False)]
    assert await library.photo("o", photo.id) == photo
    assert await reconcile(library, APPLY) == [(Kind.MISSING_RENDITION, key, True)]
    shorter = await library.photo("o", photo.id)
    assert key not in keys_of(shorter)
    assert (await library.jobs.list(task="develop")).counts[JobState.WAITING] == 1
    await library.render("o", photo.id)
    assert await reconcile(library, LOOK) == []
    assert await list_objects(library) == keys_of(photo)


async def test_lost_original_is_reported_and_its_row_is_kept(library: Library) -> None:
    photo = await add_photo(library)
    original = keys.original(photo.storage_id)
    await library.backends.bucket.delete([original])
    for plan in (LOOK, APPLY):
        assert await reconcile(library, plan) == [(Kind.LOST, original, False)]
    assert await library.photo("o", photo.id) == photo


async def test_changed_original_is_reported(library: Library) -> None:
    short, changed = await add_photo(library), await add_photo(library)
    storage = library.backends.bucket
    for photo, data in ((short, b"x"), (changed, b"x" * changed.size)):
        await storage.delete([keys.original(photo.storage_id)])
        await store_orphan(library, keys.original(photo.storage_id), data)
    first = (Kind.DAMAGED, keys.original(short.storage_id), False)
    assert await reconcile(library, APPLY) == [first]
    both = await reconcile(library, replace(APPLY, verify=True))
    assert sorted(both) == sorted([first, (Kind.DAMAGED, keys.original(changed.storage_id), False)])


@pytest.mark.parametrize("of", ["no photo", "a photo", "an invalid key"])
async def test_orphan_is_quarantined_after_the_grace_period(library: Library, of: str) -> None:
    photo = await add_photo(library)
    key = {
        "no photo": keys.original(keys.new_storage_id()),
        "a photo": keys.rendition(photo.storage_id, "a" * 32),
        "an invalid key": "photos/another's/picture é.jpg",
    }[of]
    await store_orphan(library, key)
    grace = ReconcileOptions(apply=True, grace=DAY)
    assert await reconcile(library, grace) == []
    assert await reconcile(library, replace(grace, apply=False), later=2 * DAY) == [
        (Kind.ORPHAN, key, False)
    ]
    assert key in await list_objects(library)
    days = {(library.now() + 2 * DAY).date()}
    assert await reconcile(library, grace, later=2 * DAY) == [(Kind.ORPHAN, key, True)]
    days.add((library.now() + 2 * DAY).date())
    assert await list_objects(library) == keys_of(photo)
    (quarantined,) = await list_objects(library, "quarantine/")
    assert quarantined in {keys.quarantine_key(key, day) for day in days}


async def test_wrong_count_of_a_month_is_corrected(
    library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    await add_photo(library)
    months = await library.months("o")

    async def miscount(order: str) -> None:
        change = "INSERT INTO safelight_month_changes (owner, sort, month, change)"
        await library.backends.catalog.transaction(
            lambda c: c.execute(text(f"{change} VALUES ('o', '{order}', '2019-05-01', 2)"))
        )

    await miscount("taken")
    assert await reconcile(library, LOOK) == [(Kind.MISCOUNTED, "", False)]
    (finding,) = [
        event async for event in reconciler(library).run(APPLY) if isinstance(event, Finding)
    ]
    assert finding == Finding(
        kind=Kind.MISCOUNTED,
        key="",
        detail="2019-05 of owner 'o' (order=taken): counted 2, but has 0",
        mended=True,
    )
    assert await reconcile(library, LOOK) == []
    assert await library.months("o") == months
    await miscount("added")
    assert (await library.reconciler.run_daily()).mended == {Kind.MISCOUNTED: 1}
    assert "correcting 1 wrong counts of months" in caplog.text
    assert await reconcile(library, LOOK) == []


async def test_undo_puts_quarantined_objects_back(library: Library) -> None:
    photo = await add_photo(library)
    key = await store_orphan(library, keys.rendition(photo.storage_id, "b" * 32))
    await reconcile(library, APPLY)
    look = [event async for event in reconciler(library).undo(apply=False)]
    assert summarize(look) == [(Kind.QUARANTINED, key, False)]
    assert key not in await list_objects(library)
    undone = [event async for event in reconciler(library).undo(apply=True)]
    assert summarize(undone) == [(Kind.QUARANTINED, key, True)]
    assert await list_objects(library) == {*keys_of(photo), key}
    assert await list_objects(library, "quarantine/") == set()
    read = bytearray()
    await library.backends.bucket.fetch(key, read.extend)
    assert read == b"left behind"


async def test_undo_leaves_objects_of_deleted_photos(library: Library) -> None:
    photo = await add_photo(library)
    await store_orphan(library, keys.rendition(photo.storage_id, "b" * 32))
    await reconcile(library, APPLY)
    await library.delete("o", photo.id)
    assert summarize([event async for event in reconciler(library).undo(apply=True)]) == []
    assert await list_objects(library) == set()
    assert len(await list_objects(library, "quarantine/")) == 1


async def test_quarantined_object_is_deleted_after_seven_days(library: Library) -> None:
    key = await store_orphan(library, keys.original(keys.new_storage_id()))
    await reconcile(library, APPLY)
    assert await reconcile(library, APPLY, later=7 * DAY) == []
    assert await reconcile(library, LOOK, later=8 * DAY) == [(Kind.EXPIRED, key, False)]
    assert len(await list_objects(library, "quarantine/")) == 1
    assert await reconcile(library, APPLY, later=8 * DAY) == [(Kind.EXPIRED, key, True)]
    assert await list_objects(library, "quarantine/") == set()


@pytest.mark.parametrize("days", [0, 30])
async def test_quarantined_object_of_a_photo_is_put_back(library: Library, days: int) -> None:
    photo = await add_photo(library)
    storage, original = library.backends.bucket, keys.original(photo.storage_id)
    for key in (original, photo.renditions[0].key):
        await storage.copy(key, keys.quarantine_key(key, library.now().date()))
        await storage.delete([key])
    later = timedelta(days=days)
    assert {kind for kind, _, _ in await reconcile(library, LOOK, later=later)} >= {Kind.DISPLACED}
    assert await reconcile(library, APPLY, later=later) == [
        (Kind.DISPLACED, key, True) for key in sorted([original, photo.renditions[0].key])
    ]
    assert await list_missing(library) == set()
    assert await list_objects(library, "quarantine/") == set()
    assert await reconcile(library, replace(LOOK, verify=True), later=later) == []


async def test_objects_of_unsettled_rows_are_left_to_the_sweep(library: Library) -> None:
    catalog, now = library.backends.catalog, library.now()
    pending = await catalog.reservations.reserve(
        "o", Caption(), storage_id=keys.new_storage_id(), now=now
    )
    deleted = await add_photo(library)
    await catalog.soft_delete("o", deleted.id, now=now)
    left = {await store_orphan(library, keys.original(pending.storage_id)), *keys_of(deleted)}
    unsettled = make_reconciler(library.backends, _nothing, clock=library.now)
    assert summarize([event async for event in unsettled.run(APPLY)]) == [
        (Kind.STALE, keys.prefix(pending.storage_id), False)
    ]
    assert await list_objects(library) == left
    assert await reconcile(library, replace(LOOK, grace=DAY)) == []


async def _nothing() -> None:
    pass


async def test_orphan_that_becomes_a_rendition_again_is_kept(library: Library) -> None:
    """A preset that is configured again finds its old object, which was an orphan until then."""
    photo = await add_photo(library)
    parts = library.backends
    await parts.catalog.renditions.remove(photo, [made.name for made in photo.renditions])

    class Slow(RenditionMaker):
        async def store(self, rendered: RenderedPhoto, *others: Awaitable[None]) -> None:
            await super().store(rendered, *others)
            found.append(await reconcile(library, APPLY))

    found: list[object] = []
    whole = await make_renditions(parts, kind=Slow).render_missing(
        await library.photo("o", photo.id)
    )
    assert found == [[]], "it is claimed"
    assert keys_of(whole) == keys_of(photo)
    assert await list_missing(library) == set()


class _Killed(BaseException):
    """Ends the reconciler at a crash point; an open transaction is rolled back."""


@pytest.mark.parametrize("point", crash_points.RECONCILE)
@pytest.mark.parametrize("nth", [0, 1, 2])
async def test_next_run_completes_an_interrupted_one(
    library: Library, point: str, nth: int
) -> None:
    photo, removed = await add_photo(library), await add_photo(library)
    await store_orphan(library, keys.original(keys.new_storage_id()))
    await store_orphan(library, keys.rendition(photo.storage_id, "c" * 32))
    await library.backends.bucket.delete([removed.renditions[0].key])
    passed = list[str]()

    async def kill(reached: str) -> None:
        passed.append(reached)
        if passed.count(point) > nth:
            raise _Killed

    with suppress(_Killed):
        async for _ in reconciler(library, pause=kill).run(APPLY):
            pass
    assert passed.count(point) > min(nth, 1)
    assert await list_missing(library) <= {removed.renditions[0].key}
    await reconcile(library, APPLY)
    assert await reconcile(library, LOOK) == []
    named = keys_of(photo) | keys_of(await library.photo("o", removed.id))
    assert await list_objects(library) == named
    assert len(await list_objects(library, "quarantine/")) == 2


async def test_daily_run_leaves_many_orphans_in_place(library: Library) -> None:
    photo = await add_photo(library)
    left = [await store_orphan(library, keys.original(keys.new_storage_id())) for _ in range(101)]
    tally = await reconciler(library, later=2 * DAY).run_daily()
    assert tally.found == {Kind.ORPHAN: 101}
    assert await list_objects(library) == {*keys_of(photo), *left}
    await library.backends.bucket.delete(left[1:])
    await library.backends.bucket.delete([photo.renditions[0].key])
    tally = await reconciler(library, later=2 * DAY).run_daily()
    assert tally.mended == {Kind.ORPHAN: 1, Kind.MISSING_RENDITION: 1}
    assert await list_objects(library) == keys_of(await library.photo("o", photo.id))


async def test_foreign_objects_in_the_quarantine_are_kept(library: Library) -> None:
    foreign = {"quarantine/2026-02-31/photos/x", "quarantine/notes.txt", "quarantine/0/y"}
    for key in foreign:
        await store_orphan(library, key)
    old = keys.quarantine_key("photos/old", date(2026, 1, 1))
    await store_orphan(library, old)
    assert await reconcile(library, APPLY) == [(Kind.EXPIRED, "photos/old", True)]
    assert await list_objects(library, "quarantine/") == foreign


async def test_rows_are_scanned_in_the_order_of_keys(library: Library) -> None:
    names = [f"{n:02x}" + "a" * 30 for n in (0xAA, 0xF0, 0x0F, 0x99, 0xA0)]
    for name in names:
        await library.backends.catalog.reservations.reserve(
            "o", Caption(), storage_id=name, now=library.now()
        )
    page = await library.backends.catalog.row_scan.page(after="", limit=10)
    assert [entry.storage_id for entry in page] == sorted(names)
    query = text(
        "SELECT collation_name FROM information_schema.columns"
        " WHERE table_name = 'safelight_photos' AND column_name = 'name'"
    )
    assert await library.backends.catalog.read(lambda c: c.scalar(query)) == "C"


async def test_store_that_lists_without_order_is_refused(library: Library) -> None:
    class Unordered(Bucket):
        def __init__(self, store: Bucket) -> None:
            self.__dict__.update(store.__dict__)

        async def _list_page(self, prefix: str, *, start_after: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
            return (
                ()
                if start_after
                else (await super()._list_page(prefix, start_after=start_after))[::-1]
            )

    photo = await add_photo(library)
    await store_orphan(library, keys.original(keys.new_storage_id()))
    parts = replace(library.backends, bucket=Unordered(library.backends.bucket))
    events = make_reconciler(parts, _nothing, clock=library.now).run(APPLY)
    with pytest.raises(OperatorError, match="order"):
        [event async for event in events]
    assert keys_of(photo) < await list_objects(library)


async def test_all_pages_of_objects_are_compared(library: Library) -> None:
    photo = await add_photo(library)
    left = {keys.rendition(photo.storage_id, f"{n:032x}") for n in range(1100)}
    for key in left:
        await store_orphan(library, key, b"x")
    events = [event async for event in reconciler(library).run(LOOK)]
    assert {key for _, key, _ in summarize(events)} == left
    assert isinstance(events[-1], Progress)
    assert (events[-1].rows, events[-1].objects) == (1, 1100 + len(keys_of(photo)))


async def _begin(library: Library, *, in_parts: bool = False) -> Upload:
    """Reserve an upload, and send some of its bytes."""
    started = await library.uploads.begin(
        "o", size=5, content_type="image/jpeg", caption=Caption(), in_parts=in_parts
    )
    assert isinstance(started, StartedUpload)
    if in_parts:
        request = await library.uploads.sign("o", started.upload.upload_id, "create")
        assert (await asyncio.to_thread(send, asdict(request))).status_code == 200
    else:
        await store_orphan(library, keys.incoming(started.upload.upload_id), b"bytes")
    return started.upload


async def _delete_rows(library: Library, *lost: Upload) -> None:
    """Delete rows, as restoring an older backup does."""
    removed = delete(uploads).where(uploads.c.name.in_([upload.upload_id for upload in lost]))
    await library.backends.catalog.transaction(lambda connection: connection.execute(removed))


async def test_uploads_without_a_row_are_removed(own_library: Library) -> None:
    kept = [await _begin(own_library), await _begin(own_library, in_parts=True)]
    whole, parts = await _begin(own_library), await _begin(own_library, in_parts=True)
    assert await reconcile(own_library, APPLY) == []
    await _delete_rows(own_library, whole, parts)
    expected = [
        (Kind.UNFINISHED, keys.incoming(parts.upload_id)),
        (Kind.ORPHAN, keys.incoming(whole.upload_id)),
    ]
    assert await reconcile(own_library, ReconcileOptions(apply=True, grace=DAY)) == []
    assert await reconcile(own_library, LOOK) == [(*each, False) for each in expected]
    assert await reconcile(own_library, APPLY) == [(*each, True) for each in expected]
    assert await reconcile(own_library, APPLY) == []
    assert await list_objects(own_library, "incoming/") == {keys.incoming(kept[0].upload_id)}
    multiparts = own_library.backends.multipart
    assert len(await multiparts.list_ids(keys.incoming(kept[1].upload_id))) == 1
    assert await multiparts.list_ids(keys.incoming(parts.upload_id)) == []


async def test_overdue_upload_is_reported(library: Library) -> None:
    upload = await _begin(library)
    overdue = (Kind.STALE, keys.incoming(upload.upload_id), False)
    unsettled = make_reconciler(library.backends, _nothing, clock=lambda: library.now() + 30 * DAY)
    assert overdue in summarize(
        [event async for event in unsettled.run(ReconcileOptions(apply=True))]
    )
    unsettled = make_reconciler(library.backends, _nothing, clock=library.now)
    assert summarize([event async for event in unsettled.run(ReconcileOptions())]) == []


async def test_all_pages_of_unfinished_uploads_are_listed(
    own_library: Library,
) -> None:
    begun = {keys.incoming((await _begin(own_library, in_parts=True)).upload_id) for _ in range(5)}
    multiparts = own_library.backends.multipart
    list_page, queries = multiparts._list, list[Mapping[str, str]]()

    async def two_at_a_time(query: Mapping[str, str]) -> Element:
        queries.append(query)
        return await list_page({**query, "max-uploads": "2"})

    multiparts._list = two_at_a_time  # type: ignore[method-assign]  # the store's page is too large
    seen = [each.key async for batch in multiparts.list_unfinished("incoming/") for each in batch]
    assert sorted(seen) == sorted(begun)
    assert len(queries) == 3
