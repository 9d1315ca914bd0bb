"""Renditions in the API: listed, linked, made later, and deleted with their photo."""

import asyncio
import hashlib
import io
import time
from collections.abc import Coroutine

import httpx
import pytest
from PIL import Image

from safelight import errors
from safelight.library import Library
from safelight.models import Photo
from support import metadata, pictures
from support.app_server import AppServer, Site
from support.engine_driver import wait_until


def upload(client: httpx.Client, data: bytes) -> dict[str, object]:
    answer = client.post("/api/photos", files={"photo": ("cat.jpg", data)})
    assert answer.status_code == 201
    photo: dict[str, object] = answer.json()
    return photo


def wait_for_renditions(
    client: httpx.Client, photo: dict[str, object], count: int
) -> dict[str, object]:
    """Wait until a photo has that number of renditions."""
    until = time.monotonic() + 120
    while len(photo["renditions"]) < count and time.monotonic() < until:  # type: ignore[arg-type]  # a list
        time.sleep(0.05)
        photo = client.get(f"/api/photos/{photo['id']}").json()
    return photo


async def add_without_widest(library: Library, owner: str, data: bytes) -> Photo:
    """Add a photo that gets three renditions, and remove the widest from its row."""
    photo = (await library.add(owner, io.BytesIO(data))).photo
    async with asyncio.timeout(120):
        while len(photo.renditions) < 3:
            await asyncio.sleep(0.05)
            photo = await library.photo(owner, photo.id)
    bare = await library.backends.catalog.renditions.remove(photo, [photo.renditions[2].name])
    assert bare is not None
    return bare


def test_all_renditions_but_the_largest_exist_at_once(client: httpx.Client) -> None:
    photo = upload(client, pictures.jpeg(3000, 1500))
    for made, width in zip(photo["renditions"], (320, 640, 1280), strict=True):  # type: ignore[call-overload]  # a list
        assert (made["width"], made["height"]) == (width, width // 2)
        answer = httpx.get(made["url"])
        assert answer.headers["Content-Type"] == made["content_type"] == "image/webp"
        assert Image.open(io.BytesIO(answer.content)).size == (width, width // 2)


def test_rendition_path_redirects_to_a_current_link(client: httpx.Client) -> None:
    photo = upload(client, pictures.jpeg(400, 300))
    answer = client.get(f"/api/photos/{photo['id']}/w320")
    assert answer.status_code == 307
    assert httpx.get(answer.headers["Location"]).content[8:12] == b"WEBP"
    assert client.get(f"/api/photos/{photo['id']}/w9").status_code == 404


def test_photo_that_browsers_cannot_show_uses_its_largest_rendition(
    client: httpx.Client,
) -> None:
    photo = upload(client, pictures.heic(400, 300))
    assert photo["content_type"] == "image/heic"
    assert httpx.get(str(photo["original_url"])).content == pictures.heic(400, 300)
    assert photo["photo_url"] == photo["renditions"][-1]["url"]  # type: ignore[index]  # a list
    assert photo["renditions"][-1]["width"] == 400  # type: ignore[index]  # a list
    shown = upload(client, pictures.avif(400, 300))
    assert shown["photo_url"] == shown["original_url"]


def test_photo_url_is_never_an_original_with_a_location_or_that_some_browsers_rotate(
    client: httpx.Client,
) -> None:
    packet = metadata.xmp_packet(
        "<exif:GPSLatitude>48,51N</exif:GPSLatitude><exif:GPSLongitude>2,17E</exif:GPSLongitude>"
    )
    located = upload(client, pictures.jpeg(120, 80, xmp=packet))
    assert (located["located"], located["displayable"]) == (True, True)
    rotated = upload(client, pictures.webp(120, 80, exif=pictures.exif(6)))
    assert (rotated["located"], rotated["displayable"]) == (False, False)
    assert (rotated["width"], rotated["height"]) == (80, 120)
    for photo, size in ((located, (120, 80)), (rotated, (80, 120))):
        shown = httpx.get(str(photo["photo_url"]))
        assert shown.headers["Content-Type"] == "image/webp"
        assert Image.open(io.BytesIO(shown.content)).size == size
        original = httpx.get(str(photo["original_url"])).content
        assert hashlib.sha256(original).hexdigest() == photo["sha256"]
        again = client.get("/api/photos").json()
        assert photo["photo_url"] in [each["photo_url"] for each in again]


def test_renditions_are_deleted_with_their_photo(client: httpx.Client) -> None:
    photo = wait_for_renditions(client, upload(client, pictures.jpeg(1400, 300)), 3)
    assert client.get(f"/api/photos/{photo['id']}/w2560").status_code == 307
    photo = client.get(f"/api/photos/{photo['id']}").json()
    urls = [made["url"] for made in photo["renditions"]]
    assert [httpx.get(url).status_code for url in urls] == [200] * 4
    assert client.delete(f"/api/photos/{photo['id']}").status_code == 204
    # A slow store is emptied by a job, after the response.
    assert wait_until(lambda: [httpx.get(url).status_code for url in urls] == [404] * 4)


def test_missing_renditions_can_be_made_any_time_and_repeatedly(
    app_server: AppServer, site: Site
) -> None:
    async def visit() -> None:
        library = app_server.library
        bare = await add_without_widest(library, site.owner, pictures.jpeg(700, 500))
        assert [made.name for made in bare.renditions] == ["w320", "w640"]
        whole = await library.render(site.owner, bare.id)
        assert [made.name for made in whole.renditions] == ["w320", "w640", "w1280"]
        assert await library.render(site.owner, bare.id) == whole
        for made in whole.renditions:
            assert await library.backends.bucket.size(made.key)
        with pytest.raises(errors.NotFound):
            await library.render("another", bare.id)

    app_server.do(visit())


def test_photo_deleted_while_it_is_rendered_leaves_nothing(
    app_server: AppServer, site: Site
) -> None:
    async def visit() -> None:
        library = app_server.library
        stale = await add_without_widest(library, site.owner, pictures.jpeg(701, 500))
        original_put = library.backends.bucket.put
        stored = []

        async def put(key: str, *args: object, **more: object) -> None:
            await original_put(key, *args, **more)  # type: ignore[arg-type]  # passed on
            stored.append(key)
            await library.backends.catalog.soft_delete(site.owner, stale.id, now=library.now())

        library.backends.bucket.put = put  # type: ignore[method-assign]  # restored below
        try:
            with pytest.raises(errors.NotFound):
                await library.components.renditions.render_missing(stale)
        finally:
            del library.backends.bucket.put
        assert stored
        for key in stored:
            assert await library.backends.bucket.size(key) is None

    app_server.do(visit())


def test_photo_that_cannot_be_rendered_leaves_nothing(app_server: AppServer, site: Site) -> None:
    async def visit() -> None:
        library = app_server.library
        store = library.components.renditions.store

        async def failing(_: object, *others: Coroutine[None, None, None]) -> None:
            for other in others:
                other.close()
            raise errors.StorageUnavailable

        library.components.renditions.store = failing  # type: ignore[assignment]  # restored below
        try:
            with pytest.raises(errors.StorageUnavailable):
                await library.add(site.owner, io.BytesIO(pictures.jpeg(300, 300)))
        finally:
            library.components.renditions.store = store  # type: ignore[method-assign]  # the original
        await library.components.ingest.wait_for_undo()
        assert (await library.page(site.owner)).photos == ()

    app_server.do(visit())
    for _, status, name in app_server.rows(site.owner):
        assert status == "deleted"
        assert not app_server.is_stored(name)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_rendition_on_demand_is_made_and_redirected_to(
    client: httpx.Client, app_server: AppServer, method: str
) -> None:
    width = 1_402 if method == "GET" else 1_403
    photo = wait_for_renditions(client, upload(client, pictures.jpeg(width, 300)), 3)
    page = client.get("/api/photos")
    answer = client.request(method, f"/api/photos/{photo['id']}/w2560")
    assert answer.status_code == 307
    link = answer.headers["Location"]
    stored = httpx.request(method, link)
    assert (stored.status_code, stored.headers["Content-Type"]) == (200, "image/webp")
    if method == "GET":
        assert Image.open(io.BytesIO(stored.content)).size == (width, 300)
    whole = client.get(f"/api/photos/{photo['id']}").json()
    assert [made["name"] for made in whole["renditions"]] == ["w320", "w640", "w1280", "w2560"]
    again = client.get("/api/photos", headers={"If-None-Match": page.headers["ETag"]})
    assert again.status_code == 304, "no list has changed"
    client.patch(f"/api/photos/{photo['id']}", json={"title": "x"})
    (listed,) = client.get("/api/photos").json()
    assert [made["name"] for made in listed["renditions"]] == ["w320", "w640", "w1280"]


def test_photo_url_is_never_a_rendition_on_demand(client: httpx.Client) -> None:
    photo = wait_for_renditions(client, upload(client, pictures.heic(1_400, 300)), 3)
    assert client.get(f"/api/photos/{photo['id']}/w2560").status_code == 307
    whole = client.get(f"/api/photos/{photo['id']}").json()
    urls = {made["name"]: made["url"] for made in whole["renditions"]}
    assert whole["photo_url"] == urls["w1280"]
    assert client.get("/api/photos").json()[0]["photo_url"] == urls["w1280"]


def test_unknown_rendition_is_404_with_the_names_that_exist(client: httpx.Client) -> None:
    photo = upload(client, pictures.jpeg(300, 300))
    answer = client.get(f"/api/photos/{photo['id']}/w9")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "There are: original, w320, w640, w1280, w2560." in answer.json()["detail"]


def test_presets_are_listed(client: httpx.Client) -> None:
    answer = client.get("/api/photos/presets")
    found = answer.json()
    assert [preset["name"] for preset in found] == ["w320", "w640", "w1280", "w2560"]
    assert found[-1] == {
        "name": "w2560",
        "width": 2560,
        "height": None,
        "short_side": 1080,
        "fit": "inside",
        "content_type": "image/webp",
        "when": "demand",
    }
    tag = answer.headers["ETag"]
    assert client.get("/api/photos/presets", headers={"If-None-Match": tag}).status_code == 304
