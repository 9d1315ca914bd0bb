"""The viewer's slideshow and full screen, with mouse, keys and a stopped clock."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Locator, expect

from support.browser_session import NO_NETWORK, OpenBrowserSession
from support.gallery import GalleryPage, HeldRequests, fill
from support.service import Service, run_service

NEWEST = datetime(2023, 9, 20, 12, 30)  # noqa: DTZ001  a camera's clock has no zone
INTERVAL = 5_000
"""Milliseconds, as in slideshow.tsx."""

COUNT_LOCKS = """
window.locks = 0
const request = async () => { window.locks++; return {release: async () => { window.locks-- }} }
Object.defineProperty(navigator, 'wakeLock', {value: {request}})
"""
"""A script that counts the wake locks in use: the test's browser has none without a screen."""

TURN_AWAY = """() => {
  const isHidden = !document.hidden
  Object.defineProperty(document, 'hidden', {configurable: true, value: isHidden})
  document.dispatchEvent(new Event('visibilitychange'))
}"""
"""Hides the page, as another tab does, or shows it again."""


@pytest.fixture(scope="module")
def service(open_tmp_path: Path) -> Iterator[Service]:
    """A separate service, since the gallery shows all of its photos."""
    with run_service(open_tmp_path / "gallery-slideshow") as started:
        yield started


@pytest.fixture
async def gallery(open_session: OpenBrowserSession, service: Service) -> GalleryPage:
    """The gallery, with four photos, and a clock that stands still once a photo is shown."""
    async with service.api() as api:
        if not (await api.get("/api/photos")).json():
            await fill(service, 4, newest=NEWEST, apart=timedelta(days=9))
    opened = GalleryPage(await open_session(service))
    await opened.session.context.add_init_script(COUNT_LOCKS)
    return opened


async def _show(gallery: GalleryPage, title: str) -> None:
    """Open a photo of the gallery, and stop the clock."""
    now = datetime.now(UTC)
    await gallery.page.clock.install(time=now)
    # The page counts as loaded when its images are, and a test may hold one.
    await gallery.page.goto(f"{gallery.session.service.url}/", wait_until="commit")
    await gallery.photo(title).click()
    await gallery.viewer.shows(title)
    await gallery.page.clock.pause_at(now + timedelta(hours=1))


async def _files_of(service: Service, title: str) -> str:
    """Return a pattern of the URLs of a photo's files."""
    async with service.api() as api:
        (photo,) = [p for p in (await api.get("/api/photos")).json() if p["title"] == title]
    folder = urlsplit(photo["photo_url"]).path.rsplit("/", 1)[0]
    return f"**{folder}/*"


def _button(gallery: GalleryPage, name: str) -> Locator:
    return gallery.viewer.dialog.get_by_role("button", name=name, exact=True)


async def _locks(gallery: GalleryPage, count: int) -> None:
    await gallery.page.wait_for_function("count => window.locks === count", arg=count)


async def _fills_screen(gallery: GalleryPage, *, wanted: bool = True) -> None:
    await gallery.page.wait_for_function(
        "wanted => Boolean(document.fullscreenElement) === wanted", arg=wanted
    )


async def test_slideshow_goes_around_all_photos_with_nothing_else_on_the_screen(
    gallery: GalleryPage,
) -> None:
    page, viewer, clock = gallery.page, gallery.viewer, gallery.page.clock
    await _show(gallery, "Photo 2")
    await _button(gallery, "Slideshow").click()
    await expect(viewer.dialog.get_by_role("status")).to_contain_text("Slideshow")
    await expect(viewer.dialog.get_by_role("button")).to_have_count(0)
    await expect(viewer.title).to_be_hidden()
    await _locks(gallery, 1)
    await clock.run_for(INTERVAL - 1)
    await viewer.shows("Photo 2")
    await clock.run_for(1)
    await viewer.shows("Photo 3")
    await clock.run_for(INTERVAL)
    await viewer.shows("Photo 0")
    await page.keyboard.press("ArrowRight")
    await viewer.shows("Photo 1")

    await page.keyboard.press("Escape")
    await expect(_button(gallery, "Slideshow")).to_be_visible()
    await _locks(gallery, 0)
    await clock.run_for(INTERVAL)
    await viewer.shows("Photo 1")
    await clock.resume()
    await page.keyboard.press("Escape")
    await viewer.is_closed()
    await expect(gallery.photo("Photo 1")).to_be_focused()


async def test_slideshow_pauses_by_key_by_click_and_while_the_page_is_hidden(
    gallery: GalleryPage,
) -> None:
    page, viewer, clock = gallery.page, gallery.viewer, gallery.page.clock
    await _show(gallery, "Photo 0")
    await page.keyboard.press("s")
    await _locks(gallery, 1)
    await page.keyboard.press("Space")
    await expect(_button(gallery, "End slideshow")).to_be_visible()
    await _locks(gallery, 0)
    await clock.run_for(2 * INTERVAL)
    await viewer.shows("Photo 0")
    await _button(gallery, "Continue").focus()
    await page.keyboard.press("Space")  # once: the key also presses the button
    await expect(_button(gallery, "Continue")).to_have_count(0)
    await clock.run_for(INTERVAL)
    await viewer.shows("Photo 1")

    await page.mouse.click(300, 300)
    await expect(_button(gallery, "Continue")).to_be_visible()
    await clock.run_for(INTERVAL)
    await viewer.shows("Photo 1")
    await page.mouse.click(300, 300)
    await expect(_button(gallery, "Continue")).to_have_count(0)

    await page.evaluate(TURN_AWAY)
    await _locks(gallery, 0)
    await clock.run_for(2 * INTERVAL)
    await viewer.shows("Photo 1")
    await page.evaluate(TURN_AWAY)
    await _locks(gallery, 1)
    await clock.run_for(INTERVAL)
    await viewer.shows("Photo 2")
    await page.keyboard.press("Space")
    await _button(gallery, "End slideshow").focus()
    await page.keyboard.press("Space")  # for the button, not to continue
    await expect(_button(gallery, "Slideshow")).to_be_visible()


async def test_slideshow_waits_for_an_image_and_leaves_out_one_that_fails(
    gallery: GalleryPage,
) -> None:
    page, viewer, clock = gallery.page, gallery.viewer, gallery.page.clock
    gallery.session.expected_errors = NO_NETWORK
    slow = HeldRequests()
    await page.route(await _files_of(gallery.session.service, "Photo 1"), slow)
    await page.route(
        await _files_of(gallery.session.service, "Photo 2"), lambda route: route.abort()
    )
    await _show(gallery, "Photo 0")
    await page.keyboard.press("s")
    await clock.run_for(INTERVAL)
    await viewer.shows("Photo 0")
    slow.release()
    await viewer.shows("Photo 1")
    await expect(page.locator(".pswp__error-msg")).to_be_attached()
    await clock.run_for(INTERVAL)
    await viewer.shows("Photo 1")
    await clock.run_for(INTERVAL)
    await viewer.shows("Photo 3")


async def test_full_screen_is_left_before_the_slideshow_and_the_photo(
    gallery: GalleryPage,
) -> None:
    page, viewer = gallery.page, gallery.viewer
    await gallery.open()
    await gallery.photo("Photo 0").click()
    await viewer.shows("Photo 0")
    await _button(gallery, "Full screen").click()
    await expect(_button(gallery, "Leave full screen")).to_be_visible()
    await page.keyboard.press("f")
    await expect(_button(gallery, "Full screen")).to_be_visible()
    await page.keyboard.press("s")
    await page.keyboard.press("f")
    await _fills_screen(gallery)
    await page.keyboard.press("Escape")
    await _fills_screen(gallery, wanted=False)
    await expect(_button(gallery, "Close")).to_have_count(0)
    await page.keyboard.press("Escape")
    await expect(_button(gallery, "Close")).to_be_visible()
    await page.keyboard.press("f")
    await _fills_screen(gallery)
    await page.go_back()
    await viewer.is_closed()
    await _fills_screen(gallery, wanted=False)
