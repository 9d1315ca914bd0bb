"""Turns: how a photo is shown changes, its original stays, and nothing is shown the wrong way."""

import asyncio
import io
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import BinaryIO

import httpx
import pytest
from sqlalchemy import text, update

from safelight import errors, keys
from safelight.catalog.tables import renderings
from safelight.darkroom.pool import RenderResult
from safelight.library import Library
from safelight.library.processing import turning
from safelight.models import ImageFacts, Photo, Preset
from support import pictures
from support.app_server import AppServer, Site
from support.reconcile import APPLY, keys_of, list_objects, reconcile

OWNER = "o"


def test_photo_is_shown_turned_and_its_original_stays(app_server: AppServer, site: Site) -> None:
    library, data = app_server.library, pictures.jpeg(400, 300, exif=pictures.exif(6))

    async def check() -> None:
        photo = (await library.add(site.owner, io.BytesIO(data))).photo
        shown = await library.edit(site.owner, photo.id, turn=90)
        assert (photo.facts.width, photo.facts.height) == (300, 400)
        assert (shown.facts.width, shown.facts.height) == (400, 300)
        assert shown.thumbhash not in {None, photo.thumbhash}
        (rendition,) = shown.renditions
        assert (rendition.width, rendition.height) == (400, 300)
        assert rendition.key not in {each.key for each in photo.renditions}
        assert library.link(shown).url == library.link(shown, rendition.name).url
        assert 'width="400" height="300"' in library.picture(shown, alt="")
        assert "original" not in library.picture(shown, alt="")
        original = bytearray()
        await library.backends.bucket.fetch(keys.original(shown.storage_id), original.extend)
        assert original == data
        back = await library.edit(site.owner, photo.id, turn=0)
        assert (back.facts, back.thumbhash) == (photo.facts, photo.thumbhash)
        whole = await library.render(site.owner, photo.id)
        assert {each.key for each in whole.renditions} == {each.key for each in photo.renditions}

    app_server.do(check())


def test_turn_can_be_set_for_one_photo_and_rotated_for_many(client: httpx.Client) -> None:
    ids = []
    for width in (300, 301):
        files = {"photo": ("a.jpg", pictures.jpeg(width, 200))}
        ids.append(client.post("/api/photos", files=files).json()["id"])
    list_before = client.get("/api/photos")
    one = client.patch(f"/api/photos/{ids[0]}", json={"turn": 90, "title": "Upright"}).json()
    assert (one["turn"], one["width"], one["height"]) == (90, 200, 300)
    assert (one["title"], one["displayable"]) == ("Upright", False)
    assert one["photo_url"] == one["renditions"][0]["url"]
    rotated = client.patch(f"/api/photos?ids={ids[0]},{ids[1]},99", json={"rotate": 270})
    assert rotated.json() == {"done": ids, "missing": [99]}
    listed = client.get("/api/photos")
    assert listed.headers["etag"] != list_before.headers["etag"]
    assert [(each["turn"], each["width"]) for each in listed.json()] == [(270, 200), (0, 300)]
    assert all(each["renditions"] for each in listed.json())
    parts = client.get("/api/photos?links=parts").json()["photos"]
    assert [(each["turn"], each["shown"]) for each in parts] == [(270, "w320"), (0, "original")]
    page = client.get(f"/simple-upload/{ids[1]}").text
    assert 'width="200" height="301"' in page


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/{id}", {"turn": 45}),
        ("/{id}", {"turn": -90}),
        ("/{id}", {"turn": None}),
        ("/{id}", {"rotate": 90}),
        ("?ids={id}", {"rotate": 0}),
        ("?ids={id}", {"rotate": 90.5}),
        ("?ids={id}", {"rotate": 90, "shift_seconds": 1}),
        ("?ids={id}", {"rotate": 90, "taken_at": None}),
        ("?ids={id}", {}),
    ],
)
def test_impossible_turn_is_refused_and_nothing_changed(
    client: httpx.Client, path: str, body: dict[str, object]
) -> None:
    files = {"photo": ("a.jpg", pictures.jpeg(64, 48))}
    photo = client.post("/api/photos", files=files).json()
    answer = client.patch("/api/photos" + path.format(id=photo["id"]), json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert client.get(f"/api/photos/{photo['id']}").json() == photo


async def sweep_claims(library: Library) -> None:
    """Let the sweep do what it does a minute after the last claim has expired."""
    statement = update(renderings).values(expires_at=text("now() - interval '1 hour'"))
    await library.backends.catalog.transaction(lambda connection: connection.execute(statement))
    await library.renditions.undo_abandoned()


async def add(library: Library) -> Photo:
    """Add a photo with all of its renditions."""
    photo = (await library.add(OWNER, io.BytesIO(pictures.jpeg(1_500, 900)))).photo
    await library.rendition(photo, "w2560")
    return await library.render(OWNER, photo.id)


async def require_turned(library: Library, photo: Photo, turn: int) -> None:
    """Check that a photo has all renditions with a turn, and that nothing else is stored."""
    whole = await library.render(OWNER, photo.id)
    assert (whole.facts.turn, len(whole.renditions)) == (turn, 3)
    assert not library.components.renditions.missing(whole)
    await sweep_claims(library)
    assert (await library.photo(OWNER, photo.id)).renditions == whole.renditions
    assert await list_objects(library) == keys_of(whole)
    assert await reconcile(library, APPLY) == []


async def test_renditions_from_before_a_turn_are_deleted_but_not_those_of_a_turn_back(
    memory_library: Library,
) -> None:
    photo = await add(memory_library)
    await memory_library.rotate(OWNER, [photo.id], 90)
    assert await reconcile(memory_library, APPLY) == [], "they are the sweep's"
    await require_turned(memory_library, photo, 90)
    for degrees in (90, 180):
        await memory_library.rotate(OWNER, [photo.id], degrees)
    await memory_library.render(OWNER, photo.id)
    await require_turned(memory_library, photo, 0)


@pytest.mark.parametrize("call", ["trash", "revoke_links", "delete"])
async def test_links_to_renditions_from_before_a_turn_die_with_the_others(
    memory_library: Library, call: str
) -> None:
    photo = await add(memory_library)
    await memory_library.rotate(OWNER, [photo.id], 90)
    await getattr(memory_library, call)(OWNER, photo.id)
    old = {each.key for each in photo.renditions}
    assert not old & await list_objects(memory_library)


async def test_links_of_a_photo_die_although_a_turn_back_has_failed(
    memory_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = await add(memory_library)
    await memory_library.rotate(OWNER, [photo.id], 90)
    with monkeypatch.context() as away:

        async def refuse(*_: object, **__: object) -> None:
            raise errors.StorageUnavailable

        away.setattr(memory_library.backends.bucket, "fetch", refuse)
        await memory_library.rotate(OWNER, [photo.id], 270)
    assert keys_of(photo) <= await list_objects(memory_library), "left to the sweep"
    await memory_library.delete(OWNER, photo.id)
    assert not keys_of(photo) & await list_objects(memory_library)


async def test_turns_at_the_same_time_add_up(memory_library: Library) -> None:
    photo = await add(memory_library)
    await asyncio.gather(*(memory_library.rotate(OWNER, [photo.id], 90) for _ in range(3)))
    await require_turned(memory_library, photo, 270)


class SlowDarkroom:
    """Holds renderings of photos with one turn."""

    def __init__(self, library: Library, monkeypatch: pytest.MonkeyPatch, turn: int) -> None:
        self.turn = turn
        self.started, self.may_go_on = asyncio.Event(), asyncio.Event()
        self._render = library.backends.darkroom.render
        monkeypatch.setattr(library.backends.darkroom, "render", self.render)

    async def render(
        self, file: BinaryIO | int, facts: ImageFacts, presets: Sequence[Preset], *, owner: str
    ) -> RenderResult:
        if facts.turn == self.turn:
            self.started.set()
            await self.may_go_on.wait()
        return await self._render(file, facts, presets, owner=owner)


Making = Callable[[Library, Photo], Awaitable[object]]
MAKINGS: dict[str, Making] = {
    "by a job": lambda library, photo: library.render(OWNER, photo.id),
    "on demand": lambda library, photo: library.rendition(photo, "w2560"),
}


@pytest.mark.parametrize("kind", MAKINGS)
async def test_turn_while_a_rendition_is_made(
    library_with_jobs: Library, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    photo = (await library_with_jobs.add(OWNER, io.BytesIO(pictures.jpeg(1_500, 900)))).photo
    darkroom = SlowDarkroom(library_with_jobs, monkeypatch, turn=0)
    making = asyncio.ensure_future(MAKINGS[kind](library_with_jobs, photo))
    await darkroom.started.wait()
    await library_with_jobs.rotate(OWNER, [photo.id], 90)
    darkroom.may_go_on.set()
    await making
    whole = await library_with_jobs.render(OWNER, photo.id)
    assert {keys.storage_id_of(each.key) for each in whole.renditions} == {photo.storage_id}
    assert whole.facts.turn == 90
    assert not library_with_jobs.components.renditions.missing(whole)
    await sweep_claims(library_with_jobs)
    assert await list_objects(library_with_jobs) == keys_of(whole)


async def test_photo_in_the_trash_is_not_turned_and_a_turned_one_keeps_its_turn(
    memory_library: Library,
) -> None:
    photo = await add(memory_library)
    await memory_library.rotate(OWNER, [photo.id], 90)
    await memory_library.trash(OWNER, photo.id)
    with pytest.raises(errors.NotFound):
        await memory_library.edit(OWNER, photo.id, turn=0)
    missing = await memory_library.rotate(OWNER, [photo.id], 90)
    assert missing.missing == (photo.id,)
    restored = await memory_library.restore(OWNER, photo.id)
    assert restored.facts.turn == 90
    again = await memory_library.add(OWNER, io.BytesIO(pictures.jpeg(1_500, 900)))
    assert (again.created, again.photo.facts.turn) == (False, 90)


async def test_response_does_not_wait_for_a_rendition_that_takes_long(
    memory_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = await add(memory_library)
    darkroom = SlowDarkroom(memory_library, monkeypatch, turn=90)
    monkeypatch.setattr(turning, "DEADLINE", timedelta(0))
    shown = await memory_library.edit(OWNER, photo.id, turn=90)
    assert (shown.facts.width, shown.facts.height, shown.renditions) == (900, 1_500, ())
    assert memory_library.link(shown).url != memory_library.link(shown, "original").url
    darkroom.may_go_on.set()
    await require_turned(memory_library, photo, 90)
