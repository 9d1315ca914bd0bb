"""Deleting one photo in the gallery: at once, with Undo, and a message when it fails."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Route, expect

from support.browser_session import REFUSED, OpenBrowserSession
from support.gallery import GalleryPage, fill
from support.service import Service, run_service

NEWEST = datetime(2023, 9, 20, 12, 30)  # noqa: DTZ001  a camera's clock has no zone
COUNT = 30
UNAVAILABLE = ("Failed to load resource: the server responded with a status of 503",)


@pytest.fixture(scope="module")
def service(open_tmp_path: Path) -> Iterator[Service]:
    """A separate service, since the gallery shows all of its photos."""
    with run_service(open_tmp_path / "gallery-undo") as started:
        yield started


@pytest.fixture(scope="module")
async def ids(service: Service) -> list[int]:
    """The ids of the photos, Photo 0 being the newest."""
    return await fill(service, COUNT, newest=NEWEST, apart=timedelta(days=9))


@pytest.fixture
async def gallery(
    open_session: OpenBrowserSession, service: Service, ids: list[int]
) -> GalleryPage:
    gallery = await GalleryPage(await open_session(service)).open()
    await expect(gallery.photo("Photo 0")).to_be_visible()
    return gallery


async def _delete(gallery: GalleryPage, number: int) -> None:
    await gallery.photo(f"Photo {number}").click()
    await gallery.viewer.shows(f"Photo {number}")
    await gallery.viewer.delete()
    await gallery.viewer.shows(f"Photo {number + 1}")


async def _close(gallery: GalleryPage) -> None:
    await gallery.page.keyboard.press("Escape")
    await gallery.viewer.is_closed()


@pytest.mark.parametrize("view", ["Recently added", "Trash", "Albums"])
async def test_undo_in_another_view_shows_the_restored_photo(
    gallery: GalleryPage, service: Service, ids: list[int], view: str
) -> None:
    page = gallery.page
    await _delete(gallery, 3)
    await _close(gallery)
    await page.get_by_role("navigation", name="Views").get_by_role("link", name=view).click()
    await expect(page.locator("main")).to_have_attribute("aria-label", view)
    await page.get_by_role("button", name="Undo").click()
    await expect(page.get_by_text("Restored “Photo 3”.")).to_be_visible()
    await expect(gallery.photo("Photo 3")).to_be_focused()
    await expect(gallery.photo("Photo 3")).to_be_in_viewport()
    async with service.api() as api:
        assert len((await api.get("/api/photos")).json()) == COUNT


async def test_failed_deletion_says_why_and_can_be_tried_again(
    gallery: GalleryPage, service: Service
) -> None:
    page = gallery.page
    gallery.session.expected_errors = (*REFUSED, *UNAVAILABLE)
    problem = {"status": 503, "code": "catalog_unavailable", "detail": "The catalog is away."}

    async def fail(route: Route) -> None:
        if route.request.method == "DELETE":
            await route.fulfill(status=503, body=json.dumps(problem))
        else:
            await route.continue_()

    await page.route("**/api/photos/*", fail)
    await gallery.photo("Photo 5").click()
    await gallery.viewer.shows("Photo 5")
    await gallery.viewer.delete()
    toast = page.get_by_role("status").locator("div").filter(has_text="could not be deleted")
    await expect(toast).to_contain_text("“Photo 5” could not be deleted. The catalog is away.")
    await _close(gallery)
    await expect(gallery.photo("Photo 5")).to_be_visible()
    await page.unroute("**/api/photos/*")
    async with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        await toast.get_by_role("button", name="Try again").click()
    await expect(gallery.photo("Photo 5")).to_have_count(0)
    await page.get_by_role("button", name="Undo").click()
    await expect(gallery.photo("Photo 5")).to_be_focused()


async def test_edit_of_a_photo_that_was_deleted_elsewhere_says_so(
    gallery: GalleryPage, service: Service, ids: list[int]
) -> None:
    page = gallery.page
    gallery.session.expected_errors = REFUSED
    await gallery.photo("Photo 7").click()
    await gallery.viewer.shows("Photo 7")
    async with service.api() as api:
        await api.delete(f"/api/photos/{ids[7]}")
        await gallery.viewer.title.fill("Too late")
        await gallery.viewer.title.press("Enter")
        await expect(page.get_by_text("“Photo 7” was deleted in another tab")).to_be_visible()
        await gallery.viewer.shows("Photo 8")
        await gallery.open(f"/?view=recent&photo={ids[7]}")
        await expect(page.get_by_text("This photo no longer exists.")).to_be_visible()
        await api.post(f"/api/photos/{ids[7]}/restore")
