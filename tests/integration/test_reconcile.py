"""Rows and objects compared, both ways, and put right where that can be done."""

import asyncio
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import date, timedelta

import pytest
from sqlalchemy import delete, text

from integration.direct import send
from integration.reconciling import (
    APPLY,
    LOOK,
    added,
    dangling,
    found,
    keys_of,
    leave,
    plainly,
    reconciler,
    stored,
)
from safelight import crash_points, keys
from safelight.errors import OperatorError
from safelight.jobs import State
from safelight.library import Library
from safelight.library.findings import Kind, Plan, Tally
from safelight.library.prints import Prints
from safelight.library.reconciler import Reconciler
from safelight.library.uploads import Begun
from safelight.photo import Caption
from safelight.renditions.presets import ladder
from safelight.settings import RenditionSettings
from safelight.storage import Inventory
from safelight.tables import uploads
from safelight.upload import Upload

DAY = timedelta(days=1)


@pytest.fixture
def library(own_library: Library) -> Library:
    return own_library


async def test_nothing_is_found_where_nothing_is_wrong(library: Library) -> None:
    kept, gone = await added(library), await added(library)
    await library.delete("o", gone.id)
    before = await stored(library)
    assert await found(library, replace(APPLY, verify=True)) == []
    assert await stored(library) == before == keys_of(kept)


async def test_a_rendition_that_is_gone_is_made_again(library: Library) -> None:
    photo = await added(library)
    key = photo.renditions[1].key
    await library.parts.storage.delete([key])
    assert await found(library, LOOK) == [(Kind.UNDEVELOPED, key, False)]
    assert await library.photo("o", photo.id) == photo
    assert await found(library, APPLY) == [(Kind.UNDEVELOPED, key, True)]
    shorter = await library.photo("o", photo.id)
    assert key not in keys_of(shorter)
    assert (await library.jobs(task="develop")).counts[State.WAITING] == 1
    await library.develop("o", photo.id)
    assert await found(library, LOOK) == []
    assert await stored(library) == keys_of(photo)


async def test_an_original_that_is_gone_is_told_and_the_row_is_kept(library: Library) -> None:
    photo = await added(library)
    original = keys.original(photo.name)
    await library.parts.storage.delete([original])
    for plan in (LOOK, APPLY):
        assert await found(library, plan) == [(Kind.LOST, original, False)]
    assert await library.photo("o", photo.id) == photo


async def test_bytes_that_are_not_the_photo_s_are_told(library: Library) -> None:
    short, changed = await added(library), await added(library)
    storage = library.parts.storage
    for photo, data in ((short, b"x"), (changed, b"x" * changed.size)):
        await storage.delete([keys.original(photo.name)])
        await leave(library, keys.original(photo.name), data)
    first = (Kind.DAMAGED, keys.original(short.name), False)
    assert await found(library, APPLY) == [first]
    both = await found(library, replace(APPLY, verify=True))
    assert sorted(both) == sorted([first, (Kind.DAMAGED, keys.original(changed.name), False)])


@pytest.mark.parametrize("of", ["nobody", "a photo", "no photo at all"])
async def test_what_no_row_names_goes_into_quarantine_after_its_grace(
    library: Library, of: str
) -> None:
    photo = await added(library)
    key = {
        "nobody": keys.original(keys.new_name()),
        "a photo": keys.rendition(photo.name, "a" * 32),
        "no photo at all": "photos/somebody's/picture é.jpg",
    }[of]
    await leave(library, key)
    grace = Plan(apply=True, grace=DAY)
    assert await found(library, grace) == []
    assert await found(library, replace(grace, apply=False), later=2 * DAY) == [
        (Kind.UNNAMED, key, False)
    ]
    assert key in await stored(library)
    assert await found(library, grace, later=2 * DAY) == [(Kind.UNNAMED, key, True)]
    assert await stored(library) == keys_of(photo)
    today = (library.now() + 2 * DAY).date()
    assert await stored(library, "quarantine/") == {keys.quarantined(key, today)}


async def test_what_was_taken_away_can_be_had_back(library: Library) -> None:
    photo = await added(library)
    key = await leave(library, keys.rendition(photo.name, "b" * 32))
    await found(library, APPLY)
    look = [each async for each in reconciler(library).undo(apply=False)]
    assert plainly(look) == [(Kind.QUARANTINED, key, False)]
    assert key not in await stored(library)
    undone = [each async for each in reconciler(library).undo(apply=True)]
    assert plainly(undone) == [(Kind.QUARANTINED, key, True)]
    assert await stored(library) == {*keys_of(photo), key}
    assert await stored(library, "quarantine/") == set()
    read = bytearray()
    await library.parts.storage.fetch(key, read.extend)
    assert read == b"left behind"


async def test_what_belongs_to_a_deleted_photo_is_not_had_back(library: Library) -> None:
    photo = await added(library)
    await leave(library, keys.rendition(photo.name, "b" * 32))
    await found(library, APPLY)
    await library.delete("o", photo.id)
    assert plainly([each async for each in reconciler(library).undo(apply=True)]) == []
    assert await stored(library) == set()
    assert len(await stored(library, "quarantine/")) == 1


async def test_the_quarantine_is_emptied_after_seven_days(library: Library) -> None:
    key = await leave(library, keys.original(keys.new_name()))
    await found(library, APPLY)
    assert await found(library, APPLY, later=7 * DAY) == []
    assert await found(library, LOOK, later=8 * DAY) == [(Kind.EXPIRED, key, False)]
    assert len(await stored(library, "quarantine/")) == 1
    assert await found(library, APPLY, later=8 * DAY) == [(Kind.EXPIRED, key, True)]
    assert await stored(library, "quarantine/") == set()


@pytest.mark.parametrize("days", [0, 30])
async def test_what_a_photo_names_comes_back_out_of_quarantine(library: Library, days: int) -> None:
    photo = await added(library)
    storage, original = library.parts.storage, keys.original(photo.name)
    for key in (original, photo.renditions[0].key):
        await storage.copy(key, keys.quarantined(key, library.now().date()))
        await storage.delete([key])
    later = timedelta(days=days)
    assert {kind for kind, _, _ in await found(library, LOOK, later=later)} >= {Kind.DISPLACED}
    assert await found(library, APPLY, later=later) == [
        (Kind.DISPLACED, key, True) for key in sorted([original, photo.renditions[0].key])
    ]
    assert await dangling(library) == set()
    assert await stored(library, "quarantine/") == set()
    assert await found(library, replace(LOOK, verify=True), later=later) == []


async def test_what_is_not_settled_is_the_sweep_s_business(library: Library) -> None:
    catalog, now = library.parts.catalog, library.now()
    pending = await catalog.reservations.make("o", Caption(), name=keys.new_name(), now=now)
    buried = await added(library)
    await catalog.bury("o", buried.id, now=now)
    left = {await leave(library, keys.original(pending.name)), *keys_of(buried)}
    spy = Reconciler(library.parts, _nothing, clock=library.now)
    assert plainly([each async for each in spy.run(APPLY)]) == [
        (Kind.STALE, keys.prefix(pending.name), False)
    ]
    assert await stored(library) == left
    assert await found(library, replace(LOOK, grace=DAY)) == []


async def _nothing() -> None:
    pass


async def test_a_rendition_that_is_being_named_again_is_not_taken(library: Library) -> None:
    """A preset that comes back finds its old object; meanwhile that is taken for a leftover."""
    photo = await added(library)
    parts = library.parts
    others = Prints(replace(parts, presets=ladder(RenditionSettings(widths=(100,)))))
    await others.complete(photo)  # now the object of each old rendition is one too many

    class Slow(Prints):
        async def store(self, *told) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN002  as the original
            await super().store(*told)
            if not taken:
                taken.extend(await found(library, APPLY))

    taken: list[tuple[Kind, str, bool]] = []
    whole = await Slow(parts).complete(await library.photo("o", photo.id))
    assert {kind for kind, _, _ in taken} == {Kind.UNNAMED}
    assert keys_of(whole) == keys_of(photo)
    assert await dangling(library) == set()


class _Dead(BaseException):
    """What is done at this point is done; the transaction that was open is not."""


@pytest.mark.parametrize("point", crash_points.RECONCILE)
@pytest.mark.parametrize("nth", [0, 1, 2])
async def test_one_that_dies_leaves_what_the_next_puts_right(
    library: Library, point: str, nth: int
) -> None:
    photo, gone = await added(library), await added(library)
    await leave(library, keys.original(keys.new_name()))
    await leave(library, keys.rendition(photo.name, "c" * 32))
    await library.parts.storage.delete([gone.renditions[0].key])
    passed = list[str]()

    async def dies(reached: str) -> None:
        passed.append(reached)
        if passed.count(point) > nth:
            raise _Dead

    with suppress(_Dead):
        async for _ in reconciler(library, pause=dies).run(APPLY):
            pass
    assert passed.count(point) > min(nth, 1)
    assert await dangling(library) <= {gone.renditions[0].key}
    await found(library, APPLY)
    assert await found(library, LOOK) == []
    named = keys_of(photo) | keys_of(await library.photo("o", gone.id))
    assert await stored(library) == named
    assert len(await stored(library, "quarantine/")) == 2


async def test_many_unnamed_objects_are_not_taken_away_unasked(library: Library) -> None:
    photo = await added(library)
    left = [await leave(library, keys.original(keys.new_name())) for _ in range(101)]
    tally = await reconciler(library, later=2 * DAY).daily()
    assert tally.found == {Kind.UNNAMED: 101}
    assert await stored(library) == {*keys_of(photo), *left}
    await library.parts.storage.delete(left[1:])
    await library.parts.storage.delete([photo.renditions[0].key])
    tally = await reconciler(library, later=2 * DAY).daily()
    assert tally.mended == {Kind.UNNAMED: 1, Kind.UNDEVELOPED: 1}
    assert await stored(library) == keys_of(await library.photo("o", photo.id))


async def test_what_is_no_day_in_the_quarantine_is_left_alone(library: Library) -> None:
    strange = {"quarantine/2026-02-31/photos/x", "quarantine/notes.txt", "quarantine/0/y"}
    for key in strange:
        await leave(library, key)
    old = keys.quarantined("photos/old", date(2026, 1, 1))
    await leave(library, old)
    assert await found(library, APPLY) == [(Kind.EXPIRED, "photos/old", True)]
    assert await stored(library, "quarantine/") == strange


async def test_rows_of_any_database_are_in_the_order_of_keys(library: Library) -> None:
    names = [f"{n:02x}" + "a" * 30 for n in (0xAA, 0xF0, 0x0F, 0x99, 0xA0)]
    for name in names:
        await library.parts.catalog.reservations.make("o", Caption(), name=name, now=library.now())
    page = await library.parts.catalog.roll.page(after="", limit=10)
    assert [entry.name for entry in page] == sorted(names)
    query = text(
        "SELECT collation_name FROM information_schema.columns"
        " WHERE table_name = 'safelight_photos' AND column_name = 'name'"
    )
    assert await library.parts.catalog.read(lambda c: c.scalar(query)) == "C"


async def test_a_store_without_an_order_is_refused(library: Library) -> None:
    class Unordered(Inventory):
        def __init__(self, store: Inventory) -> None:
            self.__dict__.update(store.__dict__)

        async def _page(self, prefix: str, *, after: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
            return () if after else (await super()._page(prefix, after=after))[::-1]

    photo = await added(library)
    await leave(library, keys.original(keys.new_name()))
    parts = replace(library.parts, storage=Unordered(library.parts.storage))
    told = Reconciler(parts, _nothing, clock=library.now).run(APPLY)
    with pytest.raises(OperatorError, match="order"):
        [each async for each in told]
    assert keys_of(photo) < await stored(library)


async def test_every_object_is_seen_however_many_answers_they_fill(library: Library) -> None:
    photo = await added(library)
    left = {keys.rendition(photo.name, f"{n:032x}") for n in range(1100)}
    for key in left:
        await leave(library, key, b"x")
    told = [each async for each in reconciler(library).run(LOOK)]
    assert {key for _, key, _ in plainly(told)} == left
    assert isinstance(told[-1], Tally)
    assert (told[-1].rows, told[-1].objects) == (1, 1100 + len(keys_of(photo)))


async def _begun(library: Library, *, in_parts: bool = False) -> Upload:
    """Reserve an upload, and send something of it."""
    begun = await library.begin_upload(
        "o", size=5, content_type="image/jpeg", caption=Caption(), in_parts=in_parts
    )
    assert isinstance(begun, Begun)
    if in_parts:
        permit = await library.sign_upload("o", begun.upload.name, "create")
        assert (await asyncio.to_thread(send, asdict(permit))).status_code == 200
    else:
        await leave(library, keys.incoming(begun.upload.name), b"bytes")
    return begun.upload


async def _forgotten(library: Library, *some: Upload) -> None:
    """Let their rows be gone, as those are that came after a backup was made."""
    gone = delete(uploads).where(uploads.c.name.in_([each.name for each in some]))
    await library.parts.catalog.change(lambda connection: connection.execute(gone))


async def test_uploads_without_a_row_go_and_those_with_one_stay(library: Library) -> None:
    kept = [await _begun(library), await _begun(library, in_parts=True)]
    whole, parts = await _begun(library), await _begun(library, in_parts=True)
    assert await found(library, APPLY) == []
    await _forgotten(library, whole, parts)
    expected = [
        (Kind.UNFINISHED, keys.incoming(parts.name)),
        (Kind.UNNAMED, keys.incoming(whole.name)),
    ]
    assert await found(library, Plan(apply=True, grace=DAY)) == []
    assert await found(library, LOOK) == [(*each, False) for each in expected]
    assert await found(library, APPLY) == [(*each, True) for each in expected]
    assert await found(library, APPLY) == []
    assert await stored(library, "incoming/") == {keys.incoming(kept[0].name)}
    multiparts = library.parts.multiparts
    assert len(await multiparts.begun(keys.incoming(kept[1].name))) == 1
    assert await multiparts.begun(keys.incoming(parts.name)) == []


async def test_a_reservation_that_nobody_ended_is_told(library: Library) -> None:
    upload = await _begun(library)
    overdue = (Kind.STALE, keys.incoming(upload.name), False)
    spy = Reconciler(library.parts, _nothing, clock=lambda: library.now() + 30 * DAY)
    assert overdue in plainly([each async for each in spy.run(Plan(apply=True))])
    spy = Reconciler(library.parts, _nothing, clock=library.now)
    assert plainly([each async for each in spy.run(Plan())]) == []


async def test_every_unfinished_upload_is_seen_however_many_answers_they_fill(
    library: Library,
) -> None:
    begun = {keys.incoming((await _begun(library, in_parts=True)).name) for _ in range(5)}
    multiparts = library.parts.multiparts
    ask, asked = multiparts._call, list[str]()

    async def two_at_a_time(method, key, query):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202  as the original
        asked.append(method)
        return await ask(method, key, {**query, "max-uploads": "2"})

    multiparts._call = two_at_a_time  # type: ignore[method-assign]  # the store's page is too large
    seen = [each.key async for batch in multiparts.unfinished("incoming/") for each in batch]
    assert sorted(seen) == sorted(begun)
    assert len(asked) == 3
