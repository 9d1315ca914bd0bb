"""Selecting many photos, with mouse, keys and touch, and what can be done with them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, Request, Route, expect

from safelight.engines import EmbeddedEngines
from support.app_server import AppServer, run_app_server, settings_for
from support.browser_session import BrowserSession
from support.filled_months import fill_months
from support.gallery import Finger, GalleryPage, HeldRequests
from support.service import Service

NEWEST = datetime(2024, 6, 28, 12)  # noqa: DTZ001  a camera's clock has no zone
_REFUSED = "Failed to load resource: the server responded with a status of 503"

OpenGallery = Callable[..., Awaitable[GalleryPage]]


@pytest.fixture(scope="module")
def app_server(engines: EmbeddedEngines, open_tmp_path: Path) -> Iterator[AppServer]:
    """A server in the test's process, whose catalog can be filled with rows directly."""
    folder = open_tmp_path / "gallery-selection"
    folder.mkdir()
    with run_app_server(settings_for(engines, folder), worker=False) as server:
        yield server


@pytest.fixture
async def open_gallery(
    chromium: Browser, app_server: AppServer, engines: EmbeddedEngines
) -> AsyncIterator[OpenGallery]:
    """A function that opens a gallery with photos of its own, by the counts of their months."""
    sessions: list[BrowserSession] = []

    async def begin(*counts: int, phone: bool = False) -> GalleryPage:
        site = app_server.site()
        fill_months(engines.database_url, site.owner, counts, newest=NEWEST)
        service = Service(url=site.url, store=site.settings.s3.endpoint_url or "", token="")
        context = await chromium.new_context(
            viewport={"width": 390, "height": 780} if phone else {"width": 1280, "height": 900},
            has_touch=phone,
            is_mobile=phone,
        )
        session = BrowserSession(service=service, context=context, page=await context.new_page())
        session.watch()
        sessions.append(session)
        await context.route(f"{service.store}/**", lambda route: route.fulfill(body=_DOT))
        gallery = await GalleryPage(session).open()
        await expect(gallery.photo("Photo 0")).to_be_visible()
        return gallery

    yield begin
    for session in sessions:
        await session.context.close()
    assert [session.errors for session in sessions if session.errors] == []


_DOT = b'<svg xmlns="http://www.w3.org/2000/svg" width="4" height="3"/>'


def _mark(page: Page, title: str) -> Locator:
    return page.get_by_role("button", name=f"Select {title}", exact=True)


def _bar(page: Page) -> Locator:
    return page.get_by_role("region", name="Selected photos")


def _action(page: Page, name: str) -> Locator:
    return _bar(page).get_by_role("button", name=name)


async def test_300_photos_are_deleted_by_four_clicks(open_gallery: OpenGallery) -> None:
    gallery = await open_gallery(5, 300)
    page = gallery.page
    await gallery.photo("Photo 0").focus()
    await page.keyboard.press("End")
    await gallery.photo("Photo 304").hover()
    await _mark(page, "Photo 304").click()
    await expect(_bar(page)).to_contain_text("1 photo selected")
    await page.keyboard.press("Home")
    await gallery.photo("Photo 5").click(modifiers=["Shift"])
    await expect(_bar(page)).to_contain_text("300 photos selected")
    await _action(page, "Delete").click()
    await _action(page, "Delete").click()
    await expect(page.get_by_text("Deleted 300 photos.")).to_be_visible(timeout=60_000)
    await expect(_bar(page)).to_have_count(0)
    await expect(gallery.photos).to_have_count(5)
    months = await (
        await page.request.get(f"{gallery.session.service.url}/api/photos/months")
    ).json()
    assert [month["count"] for month in months] == [5]


async def test_photos_are_selected_by_clicks_while_some_are(open_gallery: OpenGallery) -> None:
    gallery = await open_gallery(8)
    page = gallery.page
    await gallery.photo("Photo 1").hover()
    await _mark(page, "Photo 1").click()
    await gallery.photo("Photo 3").click()
    await expect(_bar(page)).to_contain_text("2 photos selected")
    await expect(_mark(page, "Photo 3")).to_have_attribute("aria-pressed", "true")
    await expect(gallery.viewer.dialog).to_have_count(0)
    await gallery.photo("Photo 6").click(modifiers=["Shift"])
    await expect(_bar(page)).to_contain_text("5 photos selected")
    await gallery.photo("Photo 1").click()
    await expect(_bar(page)).to_contain_text("4 photos selected")
    await page.get_by_role("link", name="Recently added").click()
    await expect(_bar(page)).to_have_count(0)
    await gallery.photo("Photo 3").click()
    await gallery.viewer.shows("Photo 3")


async def test_selection_works_with_the_keyboard_alone(open_gallery: OpenGallery) -> None:
    gallery = await open_gallery(200)
    page = gallery.page
    status = page.locator("#gallery").get_by_role("status")
    await gallery.photo("Photo 0").focus()
    await page.keyboard.press("x")
    await expect(status).to_have_text("1 photo selected Press M for the actions, Escape to end.")
    await page.keyboard.press("Shift+ArrowRight")
    await expect(gallery.photo("Photo 1")).to_be_focused()
    await page.keyboard.press("Shift+ArrowRight")
    await expect(gallery.photo("Photo 2")).to_be_focused()
    await expect(status).to_have_text("3 photos selected")
    await page.keyboard.press("Shift+ArrowLeft")
    await expect(status).to_have_text("2 photos selected")
    await page.keyboard.press("Control+a")
    await expect(status).to_have_text("200 photos selected")
    await page.keyboard.press("Escape")
    await expect(_bar(page)).to_have_count(0)
    await expect(gallery.photo("Photo 1")).to_be_focused()
    await page.keyboard.press("x")
    await page.keyboard.press("m")
    await expect(_action(page, "Download")).to_be_focused()
    await page.keyboard.press("Delete")
    await expect(_action(page, "Delete")).to_be_focused()
    deletion = HeldRequests(lambda request: request.method != "GET")
    await page.route("**/api/photos/**", deletion)
    await page.keyboard.press("Enter")
    # A list that is loaded meanwhile must not take the focus back to the photos.
    await expect(_action(page, "Delete")).to_be_disabled()
    async with page.expect_response("**/api/photos/months*"):
        await page.evaluate("dispatchEvent(new Event('online'))")
    deletion.release()
    await expect(page.get_by_text("Deleted 1 photo.")).to_be_visible()
    await expect(gallery.photo("Photo 1")).to_have_count(0)
    await expect(page.locator("#photos")).to_be_focused()


async def test_finger_selects_by_a_long_press_and_drags_a_range(open_gallery: OpenGallery) -> None:
    gallery = await open_gallery(40, phone=True)
    page = gallery.page
    finger = await Finger.on(page)
    await finger.press(gallery.photo("Photo 1"))
    await expect(_bar(page)).to_contain_text("1 photo selected")
    await finger.move(gallery.photo("Photo 4"))
    await expect(_bar(page)).to_contain_text("4 photos selected")
    await finger.move(gallery.photo("Photo 3"))
    await expect(_bar(page)).to_contain_text("3 photos selected")
    await finger.lift()
    await expect(_bar(page)).to_contain_text("3 photos selected")
    await gallery.photo("Photo 7").tap()
    await expect(_bar(page)).to_contain_text("4 photos selected")
    await _action(page, "End the selection").tap()
    await gallery.photo("Photo 2").tap()
    await gallery.viewer.shows("Photo 2")


async def test_failed_deletions_stay_selected_with_the_reason_and_a_retry(
    open_gallery: OpenGallery,
) -> None:
    gallery = await open_gallery(6)
    page = gallery.page
    gallery.session.expected_errors = (_REFUSED,)
    problem = {"code": "busy", "detail": "The server is busy."}

    async def fail(route: Route, request: Request) -> None:
        if request.method == "DELETE":
            await route.fulfill(status=503, json=problem)
        else:
            await route.continue_()

    await page.route("**/api/photos?*", fail)
    await gallery.photo("Photo 1").focus()
    for key, text in (("x", "1 photo"), ("Shift+ArrowRight", "2 photos"), ("Delete", "2 photos?")):
        await page.keyboard.press(key)
        await expect(_bar(page)).to_contain_text(text)
    await _action(page, "Delete").click()
    await expect(_bar(page)).to_contain_text("2 photos could not be deleted. The server is busy.")
    await expect(_bar(page)).to_contain_text("2 photos selected")
    await expect(_mark(page, "Photo 2")).to_have_attribute("aria-pressed", "true")
    await expect(gallery.photo("Photo 1")).to_have_count(1)
    await page.unroute("**/api/photos?*")
    await _action(page, "Try again").click()
    await expect(gallery.photo("Photo 2")).to_have_count(0)
    await expect(_bar(page)).to_have_count(0)


async def test_selected_photos_are_downloaded_as_one_archive(open_gallery: OpenGallery) -> None:
    gallery = await open_gallery(3)
    page = gallery.page
    await gallery.photo("Photo 1").hover()
    await _mark(page, "Photo 1").click()
    await gallery.photo("Photo 2").click()
    archives: list[str] = []

    async def answer(route: Route) -> None:
        archives.append(route.request.url)
        headers = {"Content-Disposition": 'attachment; filename="Photos.zip"'}
        await route.fulfill(body=b"PK", headers=headers)

    await page.route("**/api/downloads/*", answer)
    async with page.expect_download() as download:
        await _action(page, "Download").click()
    assert (await download.value).suggested_filename == "Photos.zip"
    assert len(archives) == 1
    await expect(_bar(page)).to_contain_text("2 photos selected")


async def test_dates_of_selected_photos_are_changed_and_shifted(open_gallery: OpenGallery) -> None:
    gallery = await open_gallery(4)
    page = gallery.page
    await gallery.photo("Photo 1").focus()
    await page.keyboard.press("x")
    await expect(_bar(page)).to_contain_text("1 photo selected")
    await page.keyboard.press("Shift+ArrowRight")
    await expect(_bar(page)).to_contain_text("2 photos selected")
    await _action(page, "Change date").click()
    await page.get_by_label("Date and time").fill("1998-03-04T10:00")
    await _action(page, "Save").click()
    await expect(page.get_by_role("heading", name="March 1998")).to_contain_text("2 photos")
    await expect(_bar(page)).to_contain_text("2 photos selected")
    await _action(page, "Change date").click()
    await page.get_by_label("Shift").check()
    await page.get_by_label("Hours").fill("-744")
    await _action(page, "Save").click()
    await expect(page.get_by_role("heading", name="February 1998")).to_contain_text("2 photos")


async def test_photos_out_of_view_have_new_places_in_an_album_after_a_move(
    open_gallery: OpenGallery,
) -> None:
    gallery = await open_gallery(150)
    page, api = gallery.page, f"{gallery.session.service.url}/api"
    listed = await (await page.request.get(f"{api}/photos?limit=500&order=taken")).json()
    ids = [photo["id"] for photo in listed]
    new = await page.request.post(f"{api}/albums", data={"title": "Many", "ids": ids})
    album = (await new.json())["id"]
    await gallery.open(f"/?view=album&id={album}")
    await gallery.photo("Photo 0").focus()
    for key, photo in (("End", "Photo 149"), ("Home", "Photo 0")):
        await page.keyboard.press(key)
        await expect(gallery.photo(photo)).to_be_focused()
    await page.keyboard.press("x")
    for key in ("e", ","):  # to the end, and before the photo that was the last
        await expect(_action(page, "Move earlier")).to_be_enabled()
        async with page.expect_response(f"{api}/albums/{album}/order"):
            await page.keyboard.press(key)
    ordered = await (await page.request.get(f"{api}/photos?limit=500&album={album}")).json()
    assert [photo["id"] for photo in ordered] == [*ids[1:-1], ids[0], ids[-1]]
