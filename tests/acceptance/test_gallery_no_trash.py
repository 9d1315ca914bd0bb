"""Deleting in the gallery without a trash: for good, when the time for undo is over."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from support.browser_session import REFUSED, OpenBrowserSession
from support.gallery import GalleryPage, fill, jpeg_file, make_photo
from support.service import Service, run_service

NEWEST = datetime(2023, 9, 20, 12, 30)  # noqa: DTZ001  a camera's clock has no zone
COUNT = 6
UNDO_TIME = 8_000
"""Milliseconds, as in deletions.ts."""
HIDE = """() => {
  Object.defineProperty(document, 'hidden', {configurable: true, value: true})
  document.dispatchEvent(new Event('visibilitychange'))
}"""
"""Hides the page, as another app does."""


@pytest.fixture(scope="module")
def service(open_tmp_path: Path) -> Iterator[Service]:
    """A separate service, since the gallery shows all of its photos."""
    with run_service(open_tmp_path / "gallery-no-trash", SAFELIGHT_TRASH_DAYS="0") as started:
        yield started


@pytest.fixture
async def ids(service: Service) -> AsyncIterator[list[int]]:
    """The ids of the photos, Photo 0 being the newest."""
    yield await fill(service, COUNT, newest=NEWEST, apart=timedelta(days=1))
    async with service.api() as api:
        if left := [str(photo["id"]) for photo in (await api.get("/api/photos")).json()]:
            await api.delete(f"/api/photos?ids={','.join(left)}")


@pytest.fixture
async def gallery(
    open_session: OpenBrowserSession, service: Service, ids: list[int]
) -> GalleryPage:
    gallery = GalleryPage(await open_session(service))
    await expect(gallery.photos).to_have_count(len(ids))
    return gallery


async def _delete(gallery: GalleryPage, number: int) -> None:
    """Delete a photo in the viewer, which shows the next one then."""
    await gallery.photo(f"Photo {number}").click()
    await gallery.viewer.shows(f"Photo {number}")
    await gallery.page.keyboard.press("Delete")
    await gallery.viewer.shows(f"Photo {number + 1}")
    await expect(gallery.page.get_by_text(f"Deleted “Photo {number}”.")).to_be_visible()


async def _stored(service: Service) -> list[int]:
    async with service.api() as api:
        return [photo["id"] for photo in (await api.get("/api/photos?order=taken")).json()]


async def _wait_until_stored(service: Service, ids: list[int]) -> None:
    async with asyncio.timeout(120):
        while await _stored(service) != ids:  # noqa: ASYNC110  the API has no events
            await asyncio.sleep(0.1)


async def test_nothing_promises_a_trash(gallery: GalleryPage, service: Service) -> None:
    page = gallery.page
    gallery.session.expected_errors = REFUSED
    views = page.get_by_role("navigation", name="Views").get_by_role("link")
    await expect(views.filter(visible=True)).to_have_text(
        ["Photos", "Recently added", "Albums", "Search"]
    )
    await gallery.open("/?view=recent&photo=999999")
    await expect(page.get_by_text("This photo no longer exists.", exact=True)).to_be_visible()
    await gallery.open("/?view=trash")
    await expect(page.get_by_role("main")).to_contain_text("There is no trash")
    await gallery.open()
    await _delete(gallery, 0)
    promises = page.get_by_text(re.compile("trash", re.IGNORECASE)).filter(visible=True)
    await expect(promises).to_have_count(0)


async def test_photo_is_deleted_for_good_when_the_time_for_undo_is_over(
    open_session: OpenBrowserSession, service: Service, ids: list[int]
) -> None:
    gallery = GalleryPage(await open_session(service))
    page = gallery.page
    await page.clock.install()
    await gallery.open()
    undo = page.get_by_role("button", name="Undo")
    await _delete(gallery, 2)
    await undo.press("Enter")  # The button is gone then, with the focus.
    await gallery.viewer.shows("Photo 2")
    await page.clock.fast_forward(UNDO_TIME)
    assert await _stored(service) == ids

    await page.keyboard.press("Delete")
    await gallery.viewer.shows("Photo 3")
    await undo.hover()  # It can be reached, however long that takes.
    await page.clock.fast_forward(UNDO_TIME)
    await page.clock.fast_forward(UNDO_TIME)
    await expect(undo).to_be_visible()
    assert await _stored(service) == ids
    await page.mouse.move(1, 1)
    async with page.expect_response(lambda answer: answer.request.method == "DELETE") as deleted:
        await page.clock.fast_forward(UNDO_TIME)
    assert (await deleted.value).status == 204
    await expect(undo).to_have_count(0)
    assert await _stored(service) == [id_ for id_ in ids if id_ != ids[2]]


async def test_undo_by_key_keeps_the_photo_although_the_page_is_left(
    gallery: GalleryPage, service: Service, ids: list[int]
) -> None:
    await _delete(gallery, 1)
    await gallery.page.keyboard.press("Control+z")
    await gallery.viewer.shows("Photo 1")
    await gallery.page.goto("about:blank")
    await gallery.open()
    await expect(gallery.photos).to_have_count(COUNT)
    assert await _stored(service) == ids


async def _go_elsewhere(page: Page) -> None:
    await page.goto("about:blank")


async def _reload(page: Page) -> None:
    await page.reload()


async def _close(page: Page) -> None:
    await page.close(run_before_unload=True)


async def _sign_out(page: Page) -> None:
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("Token")).to_be_visible()


@pytest.mark.parametrize("leave", [_go_elsewhere, _reload, _close, _sign_out])
async def test_deletions_are_sent_when_the_page_is_left(
    open_session: OpenBrowserSession,
    service: Service,
    ids: list[int],
    leave: Callable[[Page], Awaitable[None]],
) -> None:
    gallery = GalleryPage(await open_session(service, signed_in=False))
    gallery.session.expected_errors = REFUSED
    await gallery.session.sign_in()
    await _delete(gallery, 1)
    await gallery.page.keyboard.press("Delete")
    await gallery.viewer.shows("Photo 3")
    assert await _stored(service) == ids
    await leave(gallery.page)
    await _wait_until_stored(service, [ids[0], *ids[3:]])


async def test_deletion_is_sent_after_signing_in_again(
    open_session: OpenBrowserSession, service: Service, ids: list[int]
) -> None:
    gallery = GalleryPage(await open_session(service, signed_in=False))
    page = gallery.page
    gallery.session.expected_errors = REFUSED
    await gallery.session.sign_in()
    await _delete(gallery, 1)
    await page.keyboard.press("Escape")
    async with service.api() as api:
        (own, *_) = (await api.get("/api/sessions")).json()
        await api.delete(f"/api/sessions/{own['id']}")
    await page.evaluate("dispatchEvent(new Event('focus'))")
    await page.get_by_label("Token").fill(service.token)
    await page.get_by_role("button", name="Sign in").click()
    await expect(gallery.photo("Photo 0")).to_be_visible()
    await _wait_until_stored(service, [ids[0], *ids[2:]])


async def test_phone_sends_deletions_when_the_page_is_hidden(
    open_session: OpenBrowserSession, service: Service, ids: list[int]
) -> None:
    gallery = GalleryPage(await open_session(service, phone=True))
    await gallery.photo("Photo 4").tap()
    await gallery.viewer.shows("Photo 4")
    await gallery.viewer.dialog.get_by_role("button", name="Details").tap()
    await gallery.viewer.dialog.get_by_role("button", name="Delete").tap()
    await gallery.viewer.shows("Photo 5")
    assert await _stored(service) == ids
    await gallery.page.evaluate(HIDE)
    await _wait_until_stored(service, [*ids[:4], ids[5]])


async def test_photo_that_is_added_again_is_not_deleted(
    gallery: GalleryPage, service: Service, ids: list[int]
) -> None:
    page = gallery.page
    await _delete(gallery, 3)
    await page.keyboard.press("Escape")
    await expect(gallery.photo("Photo 3")).to_have_count(0)
    await gallery.choose(
        jpeg_file("again.jpg", make_photo(NEWEST - timedelta(days=3), width=53, shade=3))
    )
    await expect(gallery.upload("again.jpg")).to_contain_text("You already have this photo")
    await expect(gallery.photo("Photo 3")).to_be_visible()
    await expect(page.get_by_role("button", name="Undo")).to_have_count(0)
    await page.goto("about:blank")
    await gallery.open()
    await expect(gallery.photo("Photo 3")).to_be_visible()
    assert await _stored(service) == ids


async def test_selected_photos_are_deleted_for_good_after_a_question(
    gallery: GalleryPage, service: Service, ids: list[int]
) -> None:
    page, bar = gallery.page, gallery.page.get_by_role("region", name="Selected photos")
    await gallery.photo("Photo 1").focus()
    for key, selected in (("x", "1 photo"), ("Shift+ArrowRight", "2 photos")):
        await page.keyboard.press(key)
        await expect(bar).to_contain_text(f"{selected} selected")
    await page.keyboard.press("Delete")
    await expect(bar).to_contain_text("Delete 2 photos for good?")
    await bar.get_by_role("button", name="Delete for good").click()
    await expect(page.get_by_text("Deleted 2 photos for good.")).to_be_visible()
    await expect(page.get_by_role("button", name="Undo")).to_have_count(0)
    await expect(gallery.photos).to_have_count(COUNT - 2)
    assert await _stored(service) == [ids[0], *ids[3:]]
