"""Renditions on demand: made once, in a queue of limited length, and with nothing left over."""

import asyncio
import io
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import BinaryIO

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import errors, keys
from safelight.catalog import remove_renditions
from safelight.catalog.tables import photos, renderings
from safelight.darkroom.pool import RenderResult
from safelight.imaging import presets
from safelight.imaging.presets import build_presets
from safelight.library import Library
from safelight.library.processing import on_demand
from safelight.library.processing.on_demand import OnDemandRenditions
from safelight.library.processing.pruning import Pruning
from safelight.library.processing.renditions import RenderedPhoto
from safelight.models import ImageFacts, Photo, Preset
from safelight.settings import RenditionSettings
from support import pictures
from support.parts import make_renditions
from support.reconcile import keys_of, list_objects

OWNER = "o"
NAME = "w2560"


class Darkroom:
    """Counts the renderings of a library's darkroom; each waits until it `may_go_on`."""

    def __init__(self, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        self.at_work = self.most_at_work = 0
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.started = asyncio.Event()
        self.error: Exception | None = None
        self._render = library.backends.darkroom.render
        monkeypatch.setattr(library.backends.darkroom, "render", self.render)

    async def render(
        self, file: BinaryIO | int, facts: ImageFacts, presets: Sequence[Preset], *, owner: str
    ) -> RenderResult:
        self.calls += 1
        self.at_work += 1
        self.most_at_work = max(self.at_work, self.most_at_work)
        self.started.set()
        try:
            await self.may_go_on.wait()
            if self.error:
                raise self.error
            return await self._render(file, facts, presets, owner=owner)
        finally:
            self.at_work -= 1


@pytest.fixture
def darkroom(memory_library: Library, monkeypatch: pytest.MonkeyPatch) -> Darkroom:
    return Darkroom(memory_library, monkeypatch)


async def add(library: Library, width: int = 1_400, height: int = 900) -> Photo:
    """Add a photo that has all its renditions but the one on demand."""
    photo = (await library.add(OWNER, io.BytesIO(pictures.jpeg(width, height)))).photo
    return await library.render(OWNER, photo.id)


def another_process(
    library: Library, *, at_once: int = 2, max_waiting: int = 100
) -> OnDemandRenditions:
    """Return what another process would have over the same database and bucket."""
    parts = library.backends
    return OnDemandRenditions(
        library.components.renditions,
        parts.bucket,
        parts.catalog,
        at_once=at_once,
        max_waiting=max_waiting,
    )


async def claims(library: Library) -> list[str]:
    """Return the keys that are claimed."""

    async def read(connection: AsyncConnection) -> list[str]:
        return list((await connection.execute(select(renderings.c.key))).scalars())

    return await library.backends.catalog.read(read)


async def expire_claims(library: Library) -> None:
    """Let the leases of all claims have ended long ago."""
    statement = update(renderings).values(expires_at=text("now() - interval '1 hour'"))
    await library.backends.catalog.transaction(lambda connection: connection.execute(statement))


def key_of(library: Library, photo: Photo) -> str:
    preset = presets.choose(library.backends.presets, photo.facts, NAME)
    assert preset is not None
    return keys.rendition(photo.storage_id, presets.digest(preset))


async def test_thousand_who_ask_at_once_cost_one_rendering(
    memory_library: Library, darkroom: Darkroom
) -> None:
    photo = await add(memory_library)
    darkroom.calls = 0
    answers = await asyncio.gather(
        *(memory_library.renditions.get_or_make(OWNER, photo.id, NAME) for _ in range(1_000))
    )
    assert darkroom.calls == 1
    assert {answer.renditions[-1].name for answer in answers} == {NAME}
    assert await list_objects(memory_library) == keys_of(answers[0])
    again = await memory_library.renditions.get_or_make(OWNER, photo.id, NAME)
    assert (again, darkroom.calls) == (answers[0], 1)
    assert await claims(memory_library) == []


async def test_presets_of_the_same_pixels_can_be_asked_for_at_once(
    memory_library: Library, darkroom: Darkroom
) -> None:
    photo, parts = await add(memory_library), memory_library.backends
    aliases = RenditionSettings.model_validate({"presets": "a 50x50 cover, b 50x50 cover"})
    both = OnDemandRenditions(
        make_renditions(parts, presets=build_presets(aliases)),
        *(parts.bucket, parts.catalog),
        at_once=2,
        max_waiting=100,
    )
    made = await asyncio.gather(*(both.get_or_make(OWNER, photo.id, name) for name in "ab"))
    for name, answer in zip("ab", made, strict=True):
        assert name in {each.name for each in answer.renditions}
    assert await claims(memory_library) == []


async def test_two_processes_make_a_rendition_once(
    memory_library: Library, darkroom: Darkroom
) -> None:
    photos = [await add(memory_library, 1_400 + n) for n in range(5)]
    darkroom.calls = 0
    both = [memory_library.renditions, another_process(memory_library)]
    answers = await asyncio.gather(
        *(one.get_or_make(OWNER, photo.id, NAME) for one in both for photo in photos * 3)
    )
    assert darkroom.calls == 5
    assert all(answer.renditions[-1].name == NAME for answer in answers)
    assert await claims(memory_library) == []


async def test_rendition_on_demand_changes_no_version_but_others_do(
    library_with_jobs: Library,
) -> None:
    photo = await add(library_with_jobs)
    made = await library_with_jobs.renditions.get_or_make(OWNER, photo.id, NAME)
    assert made.version == photo.version
    assert (await library_with_jobs.page(OWNER)).photos == ((photo.id, photo.version),)
    new = (await library_with_jobs.add(OWNER, io.BytesIO(pictures.jpeg(1_500, 900)))).photo
    assert [each.name for each in new.renditions] == ["w320", "w640"]
    waited = await library_with_jobs.renditions.get_or_make(OWNER, new.id, "w1280")
    assert [each.name for each in waited.renditions] == ["w320", "w640", "w1280"]
    assert waited.version == new.version + 1
    assert (await library_with_jobs.render(OWNER, new.id)) == waited


async def test_job_keeps_what_was_made_on_demand_meanwhile(
    library_with_jobs: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    darkroom = Darkroom(library_with_jobs, monkeypatch)
    photo = (await library_with_jobs.add(OWNER, io.BytesIO(pictures.jpeg(1_400, 900)))).photo
    darkroom.may_go_on.clear()
    darkroom.started.clear()
    job = asyncio.create_task(library_with_jobs.render(OWNER, photo.id))
    await darkroom.started.wait()
    asked = asyncio.create_task(library_with_jobs.renditions.get_or_make(OWNER, photo.id, NAME))
    darkroom.may_go_on.set()
    await asyncio.gather(job, asked)
    found = await library_with_jobs.photo(OWNER, photo.id)
    assert [each.name for each in found.renditions] == ["w320", "w640", "w1280", NAME]
    assert await list_objects(library_with_jobs) == keys_of(found)


async def test_small_photo_needs_no_rendition_of_its_own(memory_library: Library) -> None:
    photo = await add(memory_library, 500, 400)
    same = await memory_library.renditions.get_or_make(OWNER, photo.id, NAME)
    assert same == photo
    assert memory_library.link(same, NAME).url == memory_library.link(same, "w640").url


async def test_unknown_names_are_refused_with_those_that_exist(memory_library: Library) -> None:
    photo = await add(memory_library)
    for name in ("w9", "", "W2560", "../w320"):
        with pytest.raises(errors.NotFound, match="original, w320, w640, w1280, w2560"):
            await memory_library.renditions.get_or_make(OWNER, photo.id, name)
    with pytest.raises(errors.NotFound, match="no such photo"):
        await memory_library.renditions.get_or_make("another", photo.id, NAME)


async def test_waiting_ends_but_the_rendition_is_made(
    memory_library: Library, darkroom: Darkroom
) -> None:
    photo = await add(memory_library)
    darkroom.may_go_on.clear()
    for _ in range(2):
        with pytest.raises(errors.Busy, match="still being rendered") as busy:
            await memory_library.renditions.get_or_make(
                OWNER, photo.id, NAME, wait=timedelta(milliseconds=30)
            )
        assert busy.value.retry_after >= timedelta(seconds=1)
    darkroom.may_go_on.set()
    made = await memory_library.renditions.get_or_make(OWNER, photo.id, NAME)
    assert made.renditions[-1].name == NAME


async def test_queue_is_limited(memory_library: Library, darkroom: Darkroom) -> None:
    photos = [await add(memory_library, 1_400 + n) for n in range(12)]
    darkroom.calls = darkroom.most_at_work = 0
    darkroom.may_go_on.clear()
    limited = another_process(memory_library, at_once=2, max_waiting=3)
    asked = [asyncio.create_task(limited.get_or_make(OWNER, photo.id, NAME)) for photo in photos]
    for _ in range(12_000):
        done = [task for task in asked if task.done()]
        if len(done) == 7 and darkroom.calls == 2:
            break
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)  # no more are refused
    waiting = [task for task in asked if not task.done()]
    assert len(waiting) == 5, "two at work, and three waiting"
    for task in done:
        error = task.exception()
        assert isinstance(error, errors.Busy)
        assert "Too many photos" in str(error)
        assert error.retry_after >= timedelta(seconds=1)
    darkroom.may_go_on.set()
    await asyncio.gather(*waiting)
    assert (darkroom.calls, darkroom.most_at_work) == (5, 2)


async def test_photo_deleted_meanwhile_leaves_nothing(
    memory_library: Library, darkroom: Darkroom
) -> None:
    photo = await add(memory_library)
    darkroom.may_go_on.clear()
    darkroom.started.clear()
    asked = asyncio.create_task(memory_library.renditions.get_or_make(OWNER, photo.id, NAME))
    await darkroom.started.wait()
    await memory_library.delete(OWNER, photo.id)
    darkroom.may_go_on.set()
    with pytest.raises(errors.NotFound):
        await asked
    assert await list_objects(memory_library) == set()
    assert await claims(memory_library) == []


async def after_write(
    library: Library, monkeypatch: pytest.MonkeyPatch, work: Callable[[], Awaitable[object]]
) -> None:
    """Do something once, after the next rendition has been written and before its row has it."""
    store, calls = library.components.renditions.store, 0

    async def store_then_work(rendered: object) -> None:
        nonlocal calls
        calls += 1
        await store(rendered)  # type: ignore[arg-type]  # passed on
        if calls == 1:
            await work()

    monkeypatch.setattr(library.components.renditions, "store", store_then_work)


async def test_change_of_the_row_costs_no_second_rendering(
    memory_library: Library, darkroom: Darkroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = await add(memory_library)
    darkroom.calls = 0
    await after_write(
        memory_library, monkeypatch, lambda: memory_library.edit(OWNER, photo.id, title="New")
    )
    made = await memory_library.renditions.get_or_make(OWNER, photo.id, NAME)
    assert (made.title, made.renditions[-1].name, darkroom.calls) == ("New", NAME, 1)


async def test_photo_that_gets_other_pixels_meanwhile_leaves_no_object_without_a_claim(
    memory_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = await add(memory_library)
    statement = update(photos).values(renderer=2, version=photos.c.version + 1)
    await after_write(
        memory_library,
        monkeypatch,
        lambda: memory_library.backends.catalog.transaction(
            lambda connection: connection.execute(statement)
        ),
    )
    await memory_library.renditions.get_or_make(OWNER, photo.id, NAME)
    assert await claims(memory_library) == [key_of(memory_library, photo)]
    await expire_claims(memory_library)
    await memory_library.renditions.undo_abandoned()
    now = await memory_library.photo(OWNER, photo.id)
    assert await list_objects(memory_library) == keys_of(now)
    assert now.renditions[-1].key == key_of(memory_library, now) != key_of(memory_library, photo)


async def test_process_that_lost_its_claim_claims_again_before_it_writes(
    memory_library: Library, darkroom: Darkroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = await add(memory_library)
    key, store = key_of(memory_library, photo), memory_library.components.renditions.store
    claimed: list[list[str]] = []

    async def note_then_store(rendered: RenderedPhoto) -> None:
        claimed.append(await claims(memory_library))
        await store(rendered)

    monkeypatch.setattr(memory_library.components.renditions, "store", note_then_store)
    darkroom.may_go_on.clear()
    darkroom.started.clear()
    asked = asyncio.create_task(memory_library.renditions.get_or_make(OWNER, photo.id, NAME))
    await darkroom.started.wait()
    await expire_claims(memory_library)
    await memory_library.renditions.undo_abandoned()
    darkroom.may_go_on.set()
    assert (await asked).renditions[-1].key == key
    assert claimed == [[key]] * 2, "the sweep has changed the row, so it is written again"


async def test_object_that_reconcile_took_is_written_again(
    memory_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = await add(memory_library)
    key, parts = key_of(memory_library, photo), memory_library.backends

    async def take() -> None:
        async def work(connection: object, row: object) -> None:
            await parts.bucket.delete([key])
            await remove_renditions(connection, row)  # type: ignore[arg-type]  # passed on

        await parts.catalog.row_scan.with_locked_row(photo.storage_id, work)

    await after_write(memory_library, monkeypatch, take)
    made = await memory_library.renditions.get_or_make(OWNER, photo.id, NAME)
    assert made.renditions[-1].key == key
    assert await list_objects(memory_library) == keys_of(made)


async def test_process_that_died_is_replaced_when_its_claim_has_expired(
    memory_library: Library, darkroom: Darkroom
) -> None:
    photo = await add(memory_library)
    darkroom.calls = 0
    key = key_of(memory_library, photo)
    assert await memory_library.backends.catalog.rendering_claims.take([key], claimed_by="dead")
    asked = asyncio.create_task(memory_library.renditions.get_or_make(OWNER, photo.id, NAME))
    done, _ = await asyncio.wait({asked}, timeout=0.4)
    assert (done, darkroom.calls) == (set(), 0), "as long as it may be alive, it is waited for"
    await expire_claims(memory_library)
    assert (await asked).renditions[-1].name == NAME
    assert darkroom.calls == 1


async def test_claims_that_were_taken_over_last_until_their_objects_are_deleted(
    memory_library: Library,
) -> None:
    held = memory_library.backends.catalog.rendering_claims
    left, new, other = (f"photos/{'0' * 32}/{number}" for number in range(3))
    assert await held.take([left], claimed_by="dead") == {left}
    await expire_claims(memory_library)
    assert await held.take([other], claimed_by="another") == {other}
    assert await held.take([left, new, other], claimed_by="own") is None
    assert sorted(await claims(memory_library)) == [left, other], (
        "the object of the first may exist"
    )
    assert await held.take([new, left], claimed_by="own") == {new}
    await held.release([new, left, other], claimed_by="own")
    assert await claims(memory_library) == [other]


async def test_what_a_dead_process_left_is_undone(
    memory_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    abandoned, named, gone = [await add(memory_library, 1_400 + n) for n in range(3)]
    named = await memory_library.renditions.get_or_make(OWNER, named.id, NAME)
    parts = memory_library.backends
    for photo in (abandoned, named, gone):
        key = key_of(memory_library, photo)
        assert await parts.catalog.rendering_claims.take([key], claimed_by="dead")
        await parts.bucket.put(key, b"x", content_type="image/webp", same_size=False)
    await memory_library.delete(OWNER, gone.id)
    await memory_library.renditions.undo_abandoned()
    assert len(await claims(memory_library)) == 3, "they may still be alive"
    await expire_claims(memory_library)
    with monkeypatch.context() as crash, pytest.raises(SystemError):  # noqa: PT012  one crash
        crash.setattr(on_demand, "reached", _crash)
        await memory_library.renditions.undo_abandoned()
    await memory_library.renditions.undo_abandoned()
    assert await claims(memory_library) == []
    assert await list_objects(memory_library) == keys_of(abandoned) | keys_of(named)
    again = await memory_library.renditions.get_or_make(OWNER, abandoned.id, NAME)
    assert again.renditions[-1].name == NAME


def _crash(_point: str) -> None:
    raise SystemError


async def test_store_that_is_away_leaves_a_claim_that_the_next_attempt_uses(
    memory_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = await add(memory_library)

    async def refuse() -> None:
        raise errors.StorageUnavailable

    await after_write(memory_library, monkeypatch, refuse)
    with pytest.raises(errors.StorageUnavailable):
        await memory_library.renditions.get_or_make(OWNER, photo.id, NAME)
    assert await claims(memory_library) == [key_of(memory_library, photo)]
    made = await memory_library.renditions.get_or_make(OWNER, photo.id, NAME)
    assert await list_objects(memory_library) == keys_of(made)
    assert await claims(memory_library) == []


async def test_photo_that_cannot_be_rendered_is_not_tried_for_each_who_asks(
    memory_library: Library, darkroom: Darkroom
) -> None:
    photo = await add(memory_library)
    darkroom.calls = 0
    darkroom.error = errors.CorruptImage("This photo takes too long to decode.")
    for _ in range(3):
        with pytest.raises(errors.CorruptImage, match="too long"):
            await memory_library.renditions.get_or_make(OWNER, photo.id, NAME)
    assert darkroom.calls == 1
    assert await claims(memory_library) == []


async def test_closing_ends_what_is_being_made(memory_library: Library, darkroom: Darkroom) -> None:
    photo = await add(memory_library)
    darkroom.may_go_on.clear()
    darkroom.started.clear()
    other = another_process(memory_library)
    asked = asyncio.create_task(other.get_or_make(OWNER, photo.id, NAME))
    await darkroom.started.wait()
    await other.close()
    with pytest.raises(errors.Busy):
        await asked
    assert await claims(memory_library) == []


async def test_pruning_removes_what_no_preset_names(memory_library: Library) -> None:
    photo = await add(memory_library)
    parts = memory_library.backends
    whole = await memory_library.renditions.get_or_make(OWNER, photo.id, NAME)
    lacking = await add(memory_library, 1_401)
    await parts.catalog.renditions.remove(lacking, ["w1280"])
    narrow = build_presets(RenditionSettings(widths=(640, 1280)))
    pruning = Pruning(parts.catalog, parts.bucket, make_renditions(parts, presets=narrow))
    counted = await pruning.run(OWNER, after=0, apply=False)
    assert (counted.photos, counted.renditions, counted.skipped, counted.next) == (1, 2, 1, None)
    assert await memory_library.photo(OWNER, photo.id) == whole
    assert await pruning.run(OWNER, after=0, apply=True) == counted
    pruned = await memory_library.photo(OWNER, photo.id)
    assert [each.name for each in pruned.renditions] == ["w640", "w1280"]
    stored = await list_objects(memory_library)
    assert stored & keys_of(whole) == keys_of(pruned)
    assert pruned.version == whole.version + 1
    assert (await pruning.run(OWNER, after=0, apply=True)).photos == 0
    assert await claims(memory_library) == []


async def test_what_a_process_that_died_while_pruning_left_is_deleted(
    memory_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = await add(memory_library)
    await memory_library.renditions.get_or_make(OWNER, photo.id, NAME)
    parts = memory_library.backends
    narrow = build_presets(RenditionSettings(widths=(640, 1280)))
    with monkeypatch.context() as crash, pytest.raises(SystemError):  # noqa: PT012  one crash
        crash.setattr("safelight.library.processing.pruning.reached", _crash)
        renditions = make_renditions(parts, presets=narrow)
        await Pruning(parts.catalog, parts.bucket, renditions).run(OWNER, after=0, apply=True)
    await expire_claims(memory_library)
    await memory_library.renditions.undo_abandoned()
    pruned = await memory_library.photo(OWNER, photo.id)
    assert [each.name for each in pruned.renditions] == ["w640", "w1280"]
    assert await list_objects(memory_library) == keys_of(pruned)
    assert await claims(memory_library) == []
