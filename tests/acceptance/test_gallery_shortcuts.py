"""The help for keyboard shortcuts, and the list of signed-in devices."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import expect

from support.browser_session import REFUSED, OpenBrowserSession
from support.gallery import GalleryPage, fill
from support.service import Service, run_service

NEWEST = datetime(2023, 9, 20, 12, 30)  # noqa: DTZ001  a camera's clock has no zone


@pytest.fixture(scope="module")
def service(open_tmp_path: Path) -> Iterator[Service]:
    """A separate service, since the gallery shows all of its photos."""
    with run_service(open_tmp_path / "gallery-shortcuts") as started:
        yield started


@pytest.fixture
async def gallery(open_session: OpenBrowserSession, service: Service) -> GalleryPage:
    """The gallery, with two photos."""
    async with service.api() as api:
        if not (await api.get("/api/photos")).json():
            await fill(service, 2, newest=NEWEST, apart=timedelta(days=9))
    return GalleryPage(await open_session(service))


async def test_help_lists_the_shortcuts_of_the_place_and_returns_the_focus(
    gallery: GalleryPage,
) -> None:
    page = gallery.page
    help_ = page.get_by_role("dialog", name="Keyboard shortcuts")
    sections = help_.get_by_role("heading", level=3)
    button = page.get_by_role("button", name="Keyboard shortcuts")
    await button.click()
    await expect(sections).to_have_text(["Photos", "Selecting photos", "Everywhere"])
    await expect(help_.get_by_text("Shift", exact=True)).to_be_visible()
    await help_.get_by_role("button", name="Close").click()
    await expect(help_).to_have_count(0)
    await expect(button).to_be_focused()

    await gallery.photo("Photo 1").focus()
    await page.keyboard.press("x")
    await expect(page.get_by_role("region", name="Selected photos")).to_be_visible()
    await page.keyboard.press("?")
    await expect(sections).to_have_text(["Selected photos", "Photos", "Everywhere"])
    await expect(help_.get_by_text("Delete", exact=True)).to_have_count(2)
    await help_.get_by_role("heading", level=2).click()
    await page.keyboard.press("Escape")  # only closes the help
    await expect(help_).to_have_count(0)
    await expect(gallery.photo("Photo 1")).to_be_focused()
    await expect(page.get_by_role("region", name="Selected photos")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("region", name="Selected photos")).to_have_count(0)

    await page.keyboard.press("Enter")
    await gallery.viewer.shows("Photo 1")
    await page.keyboard.press("?")
    await expect(sections).to_have_text(["Photo viewer", "Slideshow", "Everywhere"])
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("s")
    await page.keyboard.press("Escape")
    await expect(help_).to_have_count(0)
    await gallery.viewer.shows("Photo 1")
    await expect(page.get_by_role("button", name="Slideshow")).to_be_visible()
    await gallery.viewer.title.press("?")  # typed
    await expect(gallery.viewer.title).to_have_value("?Photo 1")
    await expect(help_).to_have_count(0)


async def test_devices_are_listed_and_signed_out_one_by_one_and_all_at_once(
    gallery: GalleryPage, open_session: OpenBrowserSession, service: Service
) -> None:
    page = gallery.page
    others = [await open_session(service, signed_in=False) for _ in range(3)]
    for other in others:
        other.expected_errors = REFUSED
        await other.sign_in()
        await expect(GalleryPage(other).photo("Photo 0")).to_be_visible()
    await gallery.open()
    await page.get_by_role("link", name="Signed-in devices").click()
    await expect(page).to_have_title("Signed-in devices · Safelight")
    devices = page.get_by_role("main").get_by_role("listitem")
    await expect(devices).to_have_count(4)
    await expect(devices.first).to_contain_text("Chrome on Linux")
    await expect(devices.first).to_contain_text("This browser")
    await expect(devices.last).to_contain_text("In use within the last hour")

    await devices.nth(1).get_by_role("button").press("Enter")
    await expect(devices).to_have_count(3)
    await expect(page.get_by_role("heading", name="Signed-in devices")).to_be_focused()
    await page.get_by_role("button", name="Sign out all others …").click()
    await page.get_by_role("button", name="Sign out all others", exact=True).click()
    await expect(devices).to_have_count(1)
    for other in others:
        # It asks every few seconds, and when someone comes back to it.
        await other.page.evaluate("dispatchEvent(new Event('focus'))")
        await expect(other.page.get_by_label("Token")).to_be_visible()
    await gallery.open()
    await expect(gallery.photo("Photo 0")).to_be_visible()
