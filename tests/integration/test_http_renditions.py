"""Renditions as clients get them: listed, linked, made up for later, and gone with the photo."""

import asyncio
import io
import time

import httpx
import pytest
from PIL import Image

import pictures
from integration.served import House, Site
from safelight import errors
from safelight.library import Library
from safelight.photo import Photo


def upload(client: httpx.Client, data: bytes) -> dict[str, object]:
    answer = client.post("/api/photos", files={"photo": ("cat.jpg", data)})
    assert answer.status_code == 201
    photo: dict[str, object] = answer.json()
    return photo


def complete(client: httpx.Client, photo: dict[str, object], count: int) -> dict[str, object]:
    """Wait until a photo has so many renditions."""
    until = time.monotonic() + 30
    while len(photo["renditions"]) < count and time.monotonic() < until:  # type: ignore[arg-type]  # a list
        time.sleep(0.05)
        photo = client.get(f"/api/photos/{photo['id']}").json()
    return photo


async def stripped(library: Library, owner: str, data: bytes) -> Photo:
    """Add a photo that gets three renditions, and forget the widest."""
    photo = (await library.add(owner, io.BytesIO(data))).photo
    async with asyncio.timeout(30):
        while len(photo.renditions) < 3:
            await asyncio.sleep(0.05)
            photo = await library.photo(owner, photo.id)
    bare = await library.parts.catalog.develop(photo, photo.renditions[:2], b"12345")
    assert bare is not None
    return bare


def test_the_first_screen_s_are_there_at_once_and_the_others_soon(client: httpx.Client) -> None:
    photo = upload(client, pictures.jpeg(3000, 1500))
    assert [made["name"] for made in photo["renditions"]] == ["w320", "w640"]  # type: ignore[attr-defined]  # a list
    photo = complete(client, photo, 4)
    for made, width in zip(photo["renditions"], (320, 640, 1280, 2560), strict=True):  # type: ignore[call-overload]  # a list
        assert (made["width"], made["height"]) == (width, width // 2)
        answer = httpx.get(made["url"])
        assert answer.headers["Content-Type"] == made["content_type"] == "image/webp"
        assert Image.open(io.BytesIO(answer.content)).size == (width, width // 2)


def test_a_rendition_has_an_address_that_never_goes_stale(client: httpx.Client) -> None:
    photo = upload(client, pictures.jpeg(400, 300))
    answer = client.get(f"/api/photos/{photo['id']}/w320")
    assert answer.status_code == 307
    assert httpx.get(answer.headers["Location"]).content[8:12] == b"WEBP"
    assert client.get(f"/api/photos/{photo['id']}/w2560").status_code == 404


def test_a_photo_that_browsers_cannot_show_is_shown_as_its_largest_rendition(
    client: httpx.Client,
) -> None:
    photo = upload(client, pictures.heic(400, 300))
    assert photo["content_type"] == "image/heic"
    assert httpx.get(str(photo["original_url"])).content == pictures.heic(400, 300)
    assert photo["photo_url"] == photo["renditions"][-1]["url"]  # type: ignore[index]  # a list
    assert photo["renditions"][-1]["width"] == 400  # type: ignore[index]  # a list
    shown = upload(client, pictures.avif(400, 300))
    assert shown["photo_url"] == shown["original_url"]


def test_renditions_die_with_their_photo(client: httpx.Client) -> None:
    photo = complete(client, upload(client, pictures.jpeg(1400, 300)), 4)
    urls = [made["url"] for made in photo["renditions"]]  # type: ignore[attr-defined]  # a list
    assert [httpx.get(url).status_code for url in urls] == [200] * 4
    assert client.delete(f"/api/photos/{photo['id']}").status_code == 204
    assert [httpx.get(url).status_code for url in urls] == [404] * 4


def test_what_is_missing_can_be_made_at_any_time_and_twice(a_house: House, site: Site) -> None:
    async def visit() -> None:
        library = a_house.library
        bare = await stripped(library, site.owner, pictures.jpeg(700, 500))
        assert [made.name for made in bare.renditions] == ["w320", "w640"]
        whole = await library.develop(site.owner, bare.id)
        assert [made.name for made in whole.renditions] == ["w320", "w640", "w1280"]
        assert await library.develop(site.owner, bare.id) == whole
        for made in whole.renditions:
            assert await library.parts.storage.size(made.key)
        with pytest.raises(errors.NotFound):
            await library.develop("somebody else", bare.id)

    a_house.do(visit())


def test_a_photo_deleted_while_it_is_developed_leaves_nothing(a_house: House, site: Site) -> None:
    async def visit() -> None:
        library = a_house.library
        stale = await stripped(library, site.owner, pictures.jpeg(701, 500))
        development_of = library.parts.storage.put

        async def put(*args: object, **more: object) -> None:
            await development_of(*args, **more)  # type: ignore[arg-type]  # handed on
            await library.parts.catalog.bury(site.owner, stale.id, now=library.now())

        library.parts.storage.put = put  # type: ignore[method-assign]  # for once
        try:
            with pytest.raises(errors.NotFound):
                await library.workings.prints.complete(stale)
        finally:
            del library.parts.storage.put
        for made in stale.renditions:
            assert await library.parts.storage.size(made.key) is None

    a_house.do(visit())


def test_a_photo_that_cannot_be_rendered_leaves_nothing(a_house: House, site: Site) -> None:
    async def visit() -> None:
        library = a_house.library
        store = library.workings.prints.store

        async def failing(*_: object) -> None:
            raise errors.StorageUnavailable

        library.workings.prints.store = failing  # type: ignore[assignment]  # for once
        try:
            with pytest.raises(errors.StorageUnavailable):
                await library.add(site.owner, io.BytesIO(pictures.jpeg(300, 300)))
        finally:
            library.workings.prints.store = store  # type: ignore[method-assign]  # as it was
        await library.workings.intake.cleaned_up()
        assert (await library.page(site.owner)).states == ()

    a_house.do(visit())
    for _, status, name in a_house.rows(site.owner):
        assert status == "deleted"
        assert not a_house.stored(name)
