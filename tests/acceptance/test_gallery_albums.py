"""Albums in the gallery: the list, an album's photos, and what is done with selected photos."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Position, expect

from support.browser_session import OpenBrowserSession
from support.gallery import GalleryPage, fill
from support.service import Service, run_service

NEWEST = datetime(2023, 9, 20, 12, 30)  # noqa: DTZ001  a camera's clock has no zone
LEFT_PART, RIGHT_PART = Position(x=60, y=60), Position(x=200, y=60)
"""Places on a photo, for a mouse."""


@pytest.fixture(scope="module")
def service(open_tmp_path: Path) -> Iterator[Service]:
    """A separate service, since the gallery shows all of its photos."""
    with run_service(open_tmp_path / "gallery-albums") as started:
        yield started


@pytest.fixture(scope="module")
async def ids(service: Service) -> list[int]:
    """The ids of four photos, the newest first."""
    return await fill(service, 4, newest=NEWEST, apart=timedelta(days=1))


async def test_album_is_created_filled_renamed_and_deleted(
    open_session: OpenBrowserSession, service: Service, ids: list[int]
) -> None:
    gallery = GalleryPage(await open_session(service))
    page = gallery.page
    views = page.get_by_role("navigation", name="Views")
    bar = page.get_by_role("region", name="Selected photos")
    await views.get_by_role("link", name="Albums").click()
    await expect(page.get_by_text("No albums yet.")).to_be_visible()
    await page.get_by_role("textbox", name="Title of a new album").fill("Holidays")
    await page.keyboard.press("Enter")
    heading = page.get_by_role("heading", level=1)
    await expect(heading).to_have_text("Holidays")
    await expect(page.get_by_text("No photos in this album.")).to_be_visible()
    await expect(views.locator("[aria-current=page]")).to_have_text("Albums")

    await views.get_by_role("link", name="Photos", exact=True).click()
    await expect(gallery.photos).to_have_count(4)
    await gallery.photo("Photo 2").focus()
    await page.keyboard.press("x")
    await gallery.photo("Photo 0").focus()
    await page.keyboard.press("x")
    await expect(bar).to_contain_text("2 photos selected")
    await bar.get_by_role("button", name="Add to album").click()
    await expect(bar.get_by_role("combobox", name="Album")).to_be_focused()
    await bar.get_by_role("button", name="Add", exact=True).click()
    await expect(page.get_by_text("Added 2 photos to the album.")).to_be_visible()

    await views.get_by_role("link", name="Albums").click()
    await page.get_by_role("link", name="Holidays").filter(has_text="2 photos").click()
    await expect(gallery.photos).to_have_count(2)
    await expect(gallery.photos.get_by_role("img").first).to_have_attribute("alt", "Photo 2")
    await gallery.photo("Photo 2").focus()
    await page.keyboard.press("x")
    await bar.get_by_role("button", name="Remove from album").click()
    await expect(gallery.photos).to_have_count(1)
    await expect(gallery.photo("Photo 0")).to_be_visible()

    await page.get_by_role("button", name="Rename").click()
    await page.get_by_role("textbox", name="Title of the album").fill("Summer")
    await page.get_by_role("button", name="Save").click()
    await expect(heading).to_have_text("Summer")
    await expect(page).to_have_title("Summer · Safelight")
    await page.reload()
    await expect(heading).to_have_text("Summer")
    await page.get_by_role("button", name="Delete album …").click()
    await page.get_by_role("button", name="Delete album", exact=True).click()
    await expect(page.get_by_text("No albums yet.")).to_be_visible()
    await expect(page).to_have_url(f"{service.url}/?view=albums")
    async with service.api() as api:
        assert [photo["id"] for photo in (await api.get("/api/photos?order=taken")).json()] == ids


async def test_photos_are_added_to_a_new_album(
    open_session: OpenBrowserSession, service: Service, ids: list[int]
) -> None:
    gallery = GalleryPage(await open_session(service))
    page = gallery.page
    await expect(gallery.photos).to_have_count(len(ids))
    await gallery.photo("Photo 1").focus()
    await page.keyboard.press("x")
    bar = page.get_by_role("region", name="Selected photos")
    await bar.get_by_role("button", name="Add to album").click()
    await bar.get_by_role("textbox", name="Title of a new album").fill("Made here")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Added 1 photo to the album.")).to_be_visible()
    async with service.api() as api:
        (album,) = (await api.get("/api/albums")).json()
        assert (album["title"], album["cover"]["id"]) == ("Made here", ids[1])
        await api.delete(f"/api/albums/{album['id']}")


class AlbumPage:
    """An album of all photos, shown in a browser."""

    def __init__(self, gallery: GalleryPage, service: Service, ids: list[int], album: int) -> None:
        self.gallery, self.page = gallery, gallery.page
        self._service, self._ids, self._album = service, ids, album
        self.bar = gallery.page.get_by_role("region", name="Selected photos")

    async def select(self, photo: str) -> None:
        await self.gallery.photo(photo).focus()
        await self.page.keyboard.press("x")
        await expect(self.bar).to_contain_text("1 photo selected")

    async def expect_order(self, *numbers: int) -> None:
        for slot, number in enumerate(numbers):
            tile = f'#photos [data-slot="{slot}"][data-photo="{self._ids[number]}"]'
            await expect(self.page.locator(tile)).to_be_visible()
        # The buttons are disabled until the photos are shown in their new order.
        await expect(self.bar.get_by_role("button", name="Move later")).to_be_enabled()
        async with self._service.api() as api:
            listed = (await api.get(f"/api/photos?album={self._album}")).json()
        assert [photo["id"] for photo in listed] == [self._ids[number] for number in numbers]

    async def cover(self) -> int:
        """Return the number of the photo that is the cover."""
        async with self._service.api() as api:
            album = (await api.get(f"/api/albums/{self._album}")).json()
        return self._ids.index(album["cover"]["id"])


@pytest.fixture
async def album(
    open_session: OpenBrowserSession, service: Service, ids: list[int]
) -> AsyncIterator[AlbumPage]:
    async with service.api() as api:
        new = {"title": "Ordered", "ids": ids}
        id_ = (await api.post("/api/albums", json=new)).json()["id"]
    gallery = await GalleryPage(await open_session(service)).open(f"/?view=album&id={id_}")
    await expect(gallery.photos).to_have_count(len(ids))
    yield AlbumPage(gallery, service, ids, id_)
    async with service.api() as api:
        await api.delete(f"/api/albums/{id_}")


async def test_selected_photos_of_an_album_are_moved(album: AlbumPage) -> None:
    page, bar = album.page, album.bar
    await album.select("Photo 2")
    await page.keyboard.press(",")
    await album.expect_order(0, 2, 1, 3)
    await expect(bar.get_by_role("button", name="Move earlier")).to_be_focused()
    await page.keyboard.press("b")
    await album.expect_order(2, 0, 1, 3)
    await album.gallery.photo("Photo 1").click()
    await expect(bar).to_contain_text("2 photos selected")
    await page.keyboard.press(".")
    await album.expect_order(0, 3, 2, 1)
    await bar.get_by_role("button", name="Move earlier").click()
    await album.expect_order(0, 2, 1, 3)
    await page.keyboard.press("e")
    await album.expect_order(0, 3, 2, 1)


async def test_photos_of_an_album_are_dragged_to_another_place(album: AlbumPage) -> None:
    photo = album.gallery.photo
    await album.select("Photo 3")
    await photo("Photo 0").drag_to(photo("Photo 1"), target_position=RIGHT_PART)
    await album.expect_order(1, 0, 2, 3)
    await expect(album.bar).to_contain_text("1 photo selected")
    await photo("Photo 3").click()
    await expect(album.bar).to_contain_text("2 photos selected")
    await photo("Photo 3").drag_to(photo("Photo 1"), target_position=LEFT_PART)
    await album.expect_order(0, 3, 1, 2)


async def test_photo_becomes_the_cover_of_its_album(album: AlbumPage) -> None:
    page, bar, viewer = album.page, album.bar, album.gallery.viewer
    assert await album.cover() == 0
    await album.select("Photo 2")
    await album.gallery.photo("Photo 1").click()
    await expect(bar).to_contain_text("2 photos selected")
    await expect(bar.get_by_role("button", name="Use as cover")).to_have_count(0)
    await album.gallery.photo("Photo 1").click()
    await bar.get_by_role("button", name="Use as cover").click()
    await expect(page.get_by_text("This photo is now the cover of the album.")).to_be_visible()
    assert await album.cover() == 2
    await page.keyboard.press("Escape")
    await expect(bar).to_have_count(0)
    await album.gallery.photo("Photo 3").click()
    await viewer.shows("Photo 3")
    await viewer.dialog.get_by_role("button", name="Use as cover").click()
    await expect(viewer.dialog.get_by_text("This photo is now the cover")).to_be_visible()
    assert await album.cover() == 3
