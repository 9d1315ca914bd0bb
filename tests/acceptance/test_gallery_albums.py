"""Albums in the gallery: the list, an album's photos, and what is done with selected photos."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import expect

from support.browser_session import OpenBrowserSession
from support.gallery import GalleryPage, fill
from support.service import Service, run_service

NEWEST = datetime(2023, 9, 20, 12, 30)  # noqa: DTZ001  a camera's clock has no zone


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


async def test_photos_of_an_album_are_moved_and_one_becomes_its_cover(
    open_session: OpenBrowserSession, service: Service, ids: list[int]
) -> None:
    async with service.api() as api:
        new = {"title": "Ordered", "ids": ids}
        album = (await api.post("/api/albums", json=new)).json()["id"]
    gallery = await GalleryPage(await open_session(service)).open(f"/?view=album&id={album}")
    page = gallery.page
    bar = page.get_by_role("region", name="Selected photos")

    async def expect_order(*numbers: int) -> None:
        for slot, number in enumerate(numbers):
            tile = page.locator(f'#photos [data-slot="{slot}"][data-photo="{ids[number]}"]')
            await expect(tile).to_be_visible()
        # The buttons are disabled until the photos are shown in their new order.
        await expect(bar.get_by_role("button", name="Move later")).to_be_enabled()

    await expect(gallery.photos).to_have_count(len(ids))
    await gallery.photo("Photo 2").focus()
    await page.keyboard.press("x")
    await expect(bar).to_contain_text("1 photo selected")
    await page.keyboard.press(",")
    await expect_order(0, 2, 1, 3)
    await expect(bar.get_by_role("button", name="Move earlier")).to_be_focused()
    await page.keyboard.press("b")
    await expect_order(2, 0, 1, 3)
    await gallery.photo("Photo 1").click()
    await expect(bar).to_contain_text("2 photos selected")
    await expect(bar.get_by_role("button", name="Use as cover")).to_have_count(0)
    await page.keyboard.press(".")
    await expect_order(0, 3, 2, 1)
    await bar.get_by_role("button", name="Move earlier").click()
    await expect_order(0, 2, 1, 3)
    await page.keyboard.press("e")
    await expect_order(0, 3, 2, 1)
    async with service.api() as api:
        listed = (await api.get(f"/api/photos?album={album}")).json()
        assert [photo["id"] for photo in listed] == [ids[number] for number in (0, 3, 2, 1)]

    await gallery.photo("Photo 1").click()
    await expect(bar).to_contain_text("1 photo selected")
    await bar.get_by_role("button", name="Use as cover").click()
    await expect(page.get_by_text("This photo is now the cover of the album.")).to_be_visible()
    async with service.api() as api:
        assert (await api.get(f"/api/albums/{album}")).json()["cover"]["id"] == ids[2]
    await page.keyboard.press("Escape")
    await expect(bar).to_have_count(0)
    await gallery.photo("Photo 3").click()
    await gallery.viewer.shows("Photo 3")
    await gallery.viewer.dialog.get_by_role("button", name="Use as cover").click()
    await expect(gallery.viewer.dialog.get_by_text("This photo is now the cover")).to_be_visible()
    async with service.api() as api:
        assert (await api.get(f"/api/albums/{album}")).json()["cover"]["id"] == ids[3]
        await api.delete(f"/api/albums/{album}")
