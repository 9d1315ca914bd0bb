"""The trash in the gallery: a view of its own, to restore photos or delete them for good."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from playwright.async_api import expect

from support.browser_session import OpenBrowserSession
from support.gallery import GalleryPage, fill, make_photo
from support.service import Service, run_service

NEWEST = datetime(2023, 9, 20, 12, 30)  # noqa: DTZ001  a camera's clock has no zone


@pytest.fixture(scope="module")
def service(open_tmp_path: Path) -> Iterator[Service]:
    """A separate service, since the gallery shows all of its photos."""
    with run_service(open_tmp_path / "gallery-trash") as started:
        yield started


async def test_photos_are_restored_and_deleted_for_good_in_the_trash(
    open_session: OpenBrowserSession, service: Service
) -> None:
    await fill(service, 4, newest=NEWEST, apart=timedelta(days=1))
    async with service.api() as api:
        photos = (await api.get("/api/photos")).json()
        ids = ",".join(str(photo["id"]) for photo in photos[:3])
        assert len((await api.delete(f"/api/photos?ids={ids}")).json()["done"]) == 3
    gallery = GalleryPage(await open_session(service))
    page = gallery.page
    await expect(gallery.photos).to_have_count(1)
    views = page.get_by_role("navigation", name="Views")
    await views.get_by_role("link", name="Trash").click()
    await expect(page).to_have_url(f"{service.url}/?view=trash")
    await expect(gallery.photos).to_have_count(3)
    await expect(page.get_by_text("30 days", exact=True)).to_have_count(3)

    await gallery.photos.first.click()
    viewer = page.get_by_role("dialog")
    await gallery.viewer.shows("Photo 3")
    await expect(viewer.get_by_role("button", name="Slideshow")).to_be_visible()
    await expect(viewer.get_by_role("button", name="Rotate")).to_be_hidden()
    await viewer.get_by_role("button", name="Restore").click()
    await gallery.viewer.shows("Photo 2")
    await viewer.get_by_role("button", name="Delete for good …").click()
    await viewer.get_by_role("button", name="Delete for good", exact=True).click()
    await gallery.viewer.shows("Photo 1")
    await viewer.get_by_role("button", name="Close").click()
    await expect(gallery.photos).to_have_count(1)

    await page.get_by_role("button", name="Empty the trash …").click()
    await page.get_by_role("button", name="Delete for good", exact=True).click()
    await expect(page.get_by_text("The trash is empty.")).to_be_visible()
    await views.get_by_role("link", name="Photos", exact=True).click()
    await expect(gallery.photos).to_have_count(2)


async def test_selected_photos_are_restored_and_deleted_for_good(
    open_session: OpenBrowserSession, service: Service
) -> None:
    ids = [await service.add(make_photo(NEWEST, shade=120 + n), title=f"Cat {n}") for n in range(3)]
    async with service.api() as api:
        await api.delete("/api/trash")
        await api.delete(f"/api/photos?ids={','.join(map(str, ids))}")
    gallery = GalleryPage(await open_session(service))
    page = gallery.page
    await gallery.open("/?view=trash")
    await expect(gallery.photos).to_have_count(3)
    bar = page.get_by_role("region", name="Selected photos")
    await page.get_by_role("link", name="Cat 0").focus()
    await page.keyboard.press("x")
    await bar.get_by_role("button", name="Restore").click()
    await expect(gallery.photos).to_have_count(2)
    await expect(bar).to_be_hidden()
    await page.get_by_role("link", name="Cat 1").focus()
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.press("Delete")
    await expect(bar).to_contain_text("Delete 2 photos for good?")
    await bar.get_by_role("button", name="Delete for good").click()
    await expect(page.get_by_text("The trash is empty.")).to_be_visible()
    async with service.api() as api:
        kept = {photo["id"] for photo in (await api.get("/api/photos")).json()}
    assert kept & set(ids) == {ids[0]}


async def test_links_are_revoked_in_the_viewer(
    open_session: OpenBrowserSession, service: Service
) -> None:
    await fill(service, 1, newest=NEWEST, apart=timedelta(days=1))
    async with service.api() as api:
        photo = (await api.get("/api/photos?order=taken")).json()[0]
    gallery = GalleryPage(await open_session(service))
    await gallery.photos.first.click()
    viewer = gallery.page.get_by_role("dialog")
    await viewer.get_by_role("button", name="Revoke all links …").click()
    await expect(viewer.get_by_text("a browser or a person has saved")).to_be_visible()
    await viewer.get_by_role("button", name="Revoke all links", exact=True).click()
    await expect(viewer.get_by_text("have stopped working")).to_be_visible()
    async with httpx.AsyncClient() as client:
        assert (await client.get(photo["original_url"])).status_code in {403, 404}
