"""The gallery in a real browser: viewing, sharing, editing, deleting and restoring photos."""

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Route, expect

from support import pictures
from support.browser_session import NO_NETWORK, REFUSED, OpenBrowserSession, wait_for_image
from support.gallery import GalleryPage, HeldRequests, fill, make_photo
from support.service import Service, run_service

NEWEST = datetime(2023, 9, 20, 12, 30)  # noqa: DTZ001  a camera's clock has no zone
A_WEEK = timedelta(days=7)
_SERVICE_UNAVAILABLE = "Failed to load resource: the server responded with a status of 503"


@pytest.fixture(scope="module")
def service(open_tmp_path: Path) -> Iterator[Service]:
    """A separate service, since the gallery shows all of its photos."""
    with run_service(open_tmp_path / "gallery") as started:
        yield started


@pytest.fixture
async def empty_service(service: Service) -> Service:
    """The service, without photos."""
    await _delete_all(service)
    return service


@pytest.fixture
async def gallery(open_session: OpenBrowserSession, service: Service) -> GalleryPage:
    """The gallery, signed in, with ten photos taken a week apart."""
    if await _captions(service) != [(f"Photo {number}", "") for number in range(10)]:
        await _delete_all(service)
        await fill(service, 10, newest=NEWEST, apart=A_WEEK)
    return GalleryPage(await open_session(service))


async def _delete_all(service: Service) -> None:
    async with service.api() as api:
        while photos := (await api.get("/api/photos", params={"limit": 500})).json():
            for photo in photos:
                await api.delete(f"/api/photos/{photo['id']}?permanent=true")


async def _captions(service: Service) -> list[tuple[str, str]]:
    async with service.api() as api:
        photos = (await api.get("/api/photos", params={"order": "taken"})).json()
    return [(photo["title"], photo["description"]) for photo in photos]


async def test_photos_are_grouped_by_month_and_load_from_presigned_links(
    gallery: GalleryPage,
) -> None:
    await expect(gallery.page.get_by_role("heading", name="July 2023")).to_be_attached()
    names = await gallery.page.get_by_role("heading", level=2).all_inner_texts()
    assert [name.split("\n")[0] for name in names] == ["September 2023", "August 2023", "July 2023"]
    image = gallery.photo("Photo 3").get_by_role("img")
    assert min(await wait_for_image(image)) > 0
    source: str = await image.evaluate("img => img.currentSrc")
    assert source.startswith(f"{gallery.session.service.store}/")
    assert "X-Amz-Signature=" in urlsplit(source).query


async def test_arrow_keys_change_the_photo_and_back_returns_to_the_grid(
    gallery: GalleryPage,
) -> None:
    page, viewer = gallery.page, gallery.viewer
    await gallery.photo("Photo 2").click()
    await viewer.shows("Photo 2")
    await expect(page).to_have_url(re.compile("/photo/"))
    address = page.url
    await page.keyboard.press("ArrowRight")
    await viewer.shows("Photo 3")
    await expect(page).not_to_have_url(address)
    await expect(page).to_have_title("Photo 3 · Safelight")
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("ArrowLeft")
    await viewer.shows("Photo 1")

    await page.go_back()
    await viewer.is_closed()
    await expect(page).to_have_url(f"{gallery.session.service.url}/")
    await expect(page).to_have_title("Photos · Safelight")
    await page.go_forward()
    await viewer.shows("Photo 1")
    await page.keyboard.press("Escape")
    await viewer.is_closed()
    await expect(page).to_have_url(f"{gallery.session.service.url}/")


async def test_clicked_photo_opens_although_one_before_it_arrives_meanwhile(
    gallery: GalleryPage,
) -> None:
    page = gallery.page
    code = HeldRequests()
    await page.route("**/assets/viewer*.js", code)
    await gallery.photo("Photo 3").click()
    await gallery.session.service.add(make_photo(NEWEST + A_WEEK), title="Newer")
    await gallery.refresh_until(gallery.photo("Newer"))
    assert code.held
    code.release()
    await gallery.viewer.shows("Photo 3")


async def test_closing_a_deep_linked_photo_shows_the_grid(gallery: GalleryPage) -> None:
    href = await gallery.photo("Photo 7").get_attribute("href")
    assert href
    await gallery.open(href)
    await gallery.viewer.shows("Photo 7")
    await gallery.viewer.dialog.get_by_role("button", name="Close").click()
    await gallery.viewer.is_closed()
    await expect(gallery.page).to_have_url(f"{gallery.session.service.url}/")
    await expect(gallery.photo("Photo 7")).to_be_focused()


async def test_placeholder_has_the_size_and_position_of_the_photo(
    open_session: OpenBrowserSession, empty_service: Service
) -> None:
    await empty_service.add(make_photo(NEWEST, width=640, height=427), title="Wide")
    gallery = GalleryPage(await open_session(empty_service))
    images = HeldRequests()
    await expect(gallery.photo("Wide")).to_be_visible()
    await gallery.page.route(f"{gallery.session.service.store}/**", images)
    await gallery.photo("Wide").click()
    await gallery.viewer.shows("Wide")
    # At one moment: the viewer opens with an animation.
    await gallery.page.wait_for_function(
        """() => {
          const shown = document.querySelector(".pswp__item[aria-hidden=false]")
          const [placeholder, photo] = ["--placeholder", ":not(.pswp__img--placeholder)"].map(
            (which) => shown?.querySelector(`.pswp__img${which}`)?.getBoundingClientRect())
          return photo?.width > 300 && placeholder && ["x", "y", "width", "height"].every(
            (name) => Math.abs(placeholder[name] - photo[name]) <= 1)
        }"""
    )
    images.release()


async def test_title_and_description_are_edited_in_place(gallery: GalleryPage) -> None:
    await gallery.photo("Photo 4").click()
    await gallery.viewer.title.fill("The jetty")
    await gallery.page.keyboard.press("Enter")
    await expect(gallery.viewer.dialog.get_by_text("Saved.")).to_be_visible()
    await gallery.viewer.dialog.get_by_role("textbox", name="Description").fill("At dusk")
    async with gallery.page.expect_response(
        lambda response: response.request.method == "PATCH" and response.ok
    ):
        await gallery.viewer.title.focus()
    await expect(gallery.viewer.dialog.get_by_text("Saved.")).to_be_visible()
    await gallery.viewer.shows("The jetty")
    await gallery.viewer.title.fill("Never mind")
    await gallery.page.keyboard.press("Escape")
    await gallery.viewer.shows("The jetty")
    await gallery.page.go_back()
    await expect(gallery.photo("The jetty")).to_be_visible()
    await gallery.page.reload()
    await gallery.photo("The jetty").click()
    description = gallery.viewer.dialog.get_by_role("textbox", name="Description")
    await expect(description).to_have_value("At dusk")


async def test_enter_makes_a_line_in_a_description_on_a_phone(
    gallery: GalleryPage, open_session: OpenBrowserSession, service: Service
) -> None:
    """Its keyboard has no Shift and Enter. The description is saved when the field is left."""
    phone = GalleryPage(await open_session(service, phone=True))
    await phone.photo("Photo 5").tap()
    await phone.viewer.dialog.get_by_role("button", name="Details").tap()
    description = phone.viewer.dialog.get_by_role("textbox", name="Description")
    await description.fill("At dusk")
    await phone.page.keyboard.press("End")
    await phone.page.keyboard.press("Enter")
    await phone.page.keyboard.type("by the sea")
    await expect(description).to_have_value("At dusk\nby the sea")
    await phone.viewer.title.focus()
    await expect(phone.viewer.dialog.get_by_text("Saved.")).to_be_visible()


async def test_details_show_the_metadata(gallery: GalleryPage) -> None:
    await gallery.photo("Photo 0").click()
    details = gallery.page.get_by_role("region", name="Details")
    for fact in (
        "20 September 2023 at 12:30",
        "Nikon F3",
        "50 \N{MULTIPLICATION SIGN} 40",
        "photo.jpg",
    ):
        await expect(details.get_by_text(fact)).to_be_visible()


async def test_date_is_changed_moves_the_photo_and_is_restored(gallery: GalleryPage) -> None:
    gallery.session.expected_errors = REFUSED
    await gallery.photo("Photo 0").click()
    details = gallery.page.get_by_role("region", name="Details")
    await details.get_by_role("button", name="Change").click()
    field = details.get_by_label("Taken")
    await expect(field).to_have_value("2023-09-20T12:30")
    await field.fill("2023-08-01T07:08:09")
    await gallery.page.keyboard.press("Escape")
    await expect(details.get_by_text("20 September 2023 at 12:30")).to_be_visible()
    await details.get_by_role("button", name="Change").click()
    await field.fill("2999-08-01T07:08:09")
    await details.get_by_role("button", name="Save").click()
    await expect(details.get_by_text("in the future")).to_be_visible()
    await field.fill("2019-08-01T07:08:09")
    await details.get_by_role("button", name="Save").click()
    await expect(details.get_by_text("1 August 2019 at 07:08")).to_be_visible()
    await expect(details.get_by_text("Changed by you")).to_be_visible()
    await gallery.viewer.shows("Photo 0")
    month = gallery.page.locator(".months option", has_text="August 2019")
    await expect(month).to_have_count(1)
    await gallery.viewer.shows("Photo 0")
    await details.get_by_role("button", name="Change").click()
    await details.get_by_role("button", name="Restore the original date").click()
    await expect(details.get_by_text("20 September 2023 at 12:30")).to_be_visible()
    await gallery.viewer.shows("Photo 0")
    await expect(month).to_have_count(0)
    await gallery.page.go_back()
    await gallery.page.reload()
    await expect(gallery.photos.first).to_have_accessible_name("Photo 0")


async def test_original_downloads_under_its_file_name(gallery: GalleryPage) -> None:
    await gallery.photo("Photo 0").click()
    async with gallery.page.expect_download() as saving:
        await gallery.viewer.dialog.get_by_role("link", name="Download original").click()
    saved = await saving.value
    assert saved.suggested_filename == "photo.jpg"
    assert await asyncio.to_thread((await saved.path()).read_bytes) == make_photo(
        NEWEST, width=50, shade=0
    )


@pytest.mark.parametrize("allowed", [True, False])
async def test_copied_link_works_and_its_expiry_is_shown(
    gallery: GalleryPage, *, allowed: bool
) -> None:
    if allowed:
        await gallery.session.context.grant_permissions(["clipboard-read", "clipboard-write"])
    else:
        await gallery.page.evaluate(
            "Object.defineProperty(navigator, 'clipboard', {value: undefined})"
        )
    await gallery.photo("Photo 0").click()
    await gallery.viewer.dialog.get_by_role("button", name="Copy link", exact=True).click()
    notice = gallery.viewer.dialog.get_by_text("The link works until")
    await expect(notice).to_be_visible()
    if allowed:
        link = await gallery.page.evaluate("navigator.clipboard.readText()")
        async with httpx.AsyncClient() as client:
            assert (await client.get(link)).status_code == 200


async def test_location_and_offset_are_shown_and_copying_the_original_asks_first(
    open_session: OpenBrowserSession, empty_service: Service
) -> None:
    exif = pictures.exif(taken_at="2023:12:31 17:30:00", offset="-08:00")
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 29.0), 3: "E", 4: (2.0, 17.0, 40.0)})
    await empty_service.add(pictures.jpeg(90, 60, exif=exif), title="There")
    gallery = GalleryPage(await open_session(empty_service))
    await gallery.session.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await gallery.page.evaluate("navigator.clipboard.writeText('')")
    await gallery.photo("There").click()
    dialog = gallery.viewer.dialog
    await expect(dialog.get_by_text("In the original file")).to_be_visible()
    await expect(dialog.get_by_text("at 17:30 UTC\N{MINUS SIGN}08:00")).to_be_visible()
    await dialog.get_by_role("button", name="Change").click()
    await expect(dialog.get_by_label("Taken")).to_have_accessible_description(
        "In the time zone of the camera, UTC\N{MINUS SIGN}08:00."
    )
    await dialog.get_by_role("button", name="Cancel").click()
    await dialog.get_by_role("button", name="Copy link to the original").click()
    await expect(dialog.get_by_text("contains the place where it was taken")).to_be_visible()
    assert await gallery.page.evaluate("navigator.clipboard.readText()") == ""
    await dialog.get_by_role("button", name="Copy anyway").click()
    await expect(dialog.get_by_text("The link to the original works until")).to_be_visible()
    link = await gallery.page.evaluate("navigator.clipboard.readText()")
    assert "/original?" in link


async def test_undo_restores_a_photo_that_was_deleted_at_once(gallery: GalleryPage) -> None:
    page = gallery.page
    await gallery.photo("Photo 5").click()
    await gallery.viewer.delete()
    await gallery.viewer.shows("Photo 6")
    await page.get_by_role("button", name="Undo").click()
    await page.go_back()
    await expect(gallery.photo("Photo 5")).to_be_visible()
    async with gallery.session.service.api() as api:
        assert len((await api.get("/api/photos")).json()) == 10

        await gallery.photo("Photo 5").click()
        await gallery.viewer.shows("Photo 5")
        await page.keyboard.press("Delete")
        await gallery.viewer.shows("Photo 6")
        await _wait_for_count(gallery, 9)
        toast = page.get_by_role("status").locator("div").filter(has_text="Deleted")
        await toast.get_by_role("button", name="Dismiss").click()
        await expect(page.get_by_role("button", name="Undo")).to_have_count(0)
        await page.go_back()
        await expect(gallery.photo("Photo 6")).to_be_visible()
        await expect(gallery.photo("Photo 5")).to_have_count(0)
    await _wait_for_count(gallery, 9)


@pytest.mark.parametrize("request_state", ["sent", "lost"])
async def test_leaving_the_page_completes_a_deletion(
    gallery: GalleryPage, request_state: str
) -> None:
    gallery.session.expected_errors = (
        REFUSED  # The next page deletes the photo again, which may be a 404.
    )
    await gallery.photo("Photo 5").click()
    await gallery.viewer.shows("Photo 5")
    if request_state == "lost":
        await gallery.page.evaluate("() => { window.fetch = () => new Promise(() => {}) }")
    await gallery.viewer.delete()
    await gallery.viewer.shows("Photo 6")
    await gallery.page.goto("about:blank")
    await gallery.open()
    await expect(gallery.photo("Photo 6")).to_be_visible()
    assert await gallery.photo("Photo 5").count() == 0
    await _wait_for_count(gallery, 9)
    await gallery.page.wait_for_load_state("networkidle")
    assert await gallery.photo("Photo 5").count() == 0


async def test_deletion_is_complete_after_the_page_returns_from_the_cache(
    gallery: GalleryPage,
) -> None:
    gallery.session.expected_errors = REFUSED
    await gallery.photo("Photo 5").click()
    await gallery.viewer.delete()
    await gallery.viewer.shows("Photo 6")
    for event in ("pagehide", "pageshow"):
        init = f"new PageTransitionEvent('{event}', {{persisted: true}})"
        await gallery.page.evaluate(f"dispatchEvent({init})")
    undo = gallery.page.get_by_role("button", name="Undo")
    await expect(undo).to_have_count(0)  # The time for undo never ends in a test.
    await _wait_for_count(gallery, 9)
    await gallery.page.go_back()
    await expect(gallery.photo("Photo 6")).to_be_visible()
    await expect(gallery.photos).to_have_count(9)


async def _wait_for_count(gallery: GalleryPage, count: int) -> None:
    """Wait until the service has this many photos."""
    async with gallery.session.service.api() as api, asyncio.timeout(120):
        while len((await api.get("/api/photos")).json()) != count:  # noqa: ASYNC110  the API has no events
            await asyncio.sleep(0.1)


async def test_deleting_the_last_photo_shows_the_empty_page(
    open_session: OpenBrowserSession, empty_service: Service
) -> None:
    await empty_service.add(make_photo(NEWEST), title="Only")
    gallery = GalleryPage(await open_session(empty_service))
    await gallery.photo("Only").click()
    await gallery.viewer.delete()
    await gallery.viewer.is_closed()
    await expect(gallery.page.get_by_role("heading", name="No photos yet")).to_be_visible()
    await gallery.page.keyboard.press("Control+z")
    await expect(gallery.photo("Only")).to_be_visible()


async def test_gallery_works_with_the_keyboard_alone(gallery: GalleryPage) -> None:
    page, press = gallery.page, gallery.page.keyboard.press
    await expect(gallery.photo("Photo 0")).to_be_visible()
    await press("Tab")
    await expect(page.get_by_role("link", name="Skip to the photos")).to_be_focused()
    await press("Enter")
    await press("Tab")
    await expect(gallery.photo("Photo 0")).to_be_focused()
    for key, title in (
        *(("ArrowRight", "Photo 1"), ("ArrowRight", "Photo 2"), ("ArrowRight", "Photo 3")),
        *(("ArrowLeft", "Photo 2"), ("ArrowDown", "Photo 6"), ("ArrowUp", "Photo 2")),
        *(("End", "Photo 9"), ("Home", "Photo 0")),
    ):
        await press(key)
        if key not in {"ArrowDown", "ArrowUp"}:
            await expect(gallery.photo(title)).to_be_focused()
    outlined = "focused => getComputedStyle(focused).outlineStyle === 'solid'"
    assert await page.locator(":focus").evaluate(outlined)
    await press("Enter")
    await gallery.viewer.shows("Photo 0")
    await press("ArrowRight")
    await gallery.viewer.shows("Photo 1")
    for _ in range(30):
        await press("Tab")
        inside = await page.evaluate(
            "document.querySelector('#gallery').contains(document.activeElement)"
        )
        assert not inside, "the focus stays in the dialog"
        if await page.locator(":focus").get_attribute("aria-label") == "Title":
            break
    await press("End")
    await page.keyboard.type(" by hand")
    await press("Enter")
    await gallery.viewer.shows("Photo 1 by hand")
    await press("Delete")
    await gallery.viewer.shows("Photo 2")
    await press("Control+z")
    await gallery.viewer.shows("Photo 1 by hand")
    await press("Escape")
    await gallery.viewer.is_closed()
    await expect(gallery.photo("Photo 1 by hand")).to_be_focused()


async def test_focusing_the_page_shows_changes_made_elsewhere(
    gallery: GalleryPage,
) -> None:
    await expect(gallery.photo("Photo 0")).to_be_visible()
    await gallery.session.service.add(
        make_photo(NEWEST + A_WEEK, shade=201), title="From elsewhere"
    )
    await gallery.refresh_until(gallery.photo("From elsewhere"))


async def test_coming_back_online_shows_changes_made_meanwhile(gallery: GalleryPage) -> None:
    await expect(gallery.photo("Photo 0")).to_be_visible()
    gallery.session.expected_errors = NO_NETWORK
    await gallery.session.context.set_offline(True)
    await expect(gallery.page.get_by_text("You are offline")).to_be_visible()
    await gallery.session.service.add(make_photo(NEWEST + A_WEEK, shade=202), title="Meanwhile")
    await gallery.session.context.set_offline(False)
    await expect(gallery.photo("Meanwhile")).to_be_visible()
    await expect(gallery.page.get_by_text("You are offline")).to_have_count(0)


@pytest.mark.parametrize("unreachable", [True, False], ids=["unreachable", "503"])
async def test_retry_button_loads_photos_after_an_error(
    gallery: GalleryPage, *, unreachable: bool
) -> None:
    gallery.session.expected_errors = (*NO_NETWORK, _SERVICE_UNAVAILABLE)
    problem = {"status": 503, "code": "catalog_unavailable", "detail": "The catalog is away."}

    async def fails(route: Route) -> None:
        failed.append(route.request.url)
        await (
            route.abort() if unreachable else route.fulfill(status=503, body=json.dumps(problem))
        )

    failed: list[str] = []
    await gallery.page.route("**/api/photos*", fails)
    await gallery.open()
    message = "The server could not be reached." if unreachable else "The catalog is away."
    alert = gallery.page.get_by_role("alert")
    await expect(alert).to_contain_text(f"The photos could not be loaded. {message}")
    before = len(failed)
    await alert.get_by_role("button", name="Try again").click()
    while len(failed) == before:
        await gallery.page.wait_for_timeout(50)
    await expect(alert).to_contain_text(message)
    await gallery.page.unroute("**/api/photos*")
    await alert.get_by_role("button", name="Try again").click()
    await expect(gallery.photo("Photo 0")).to_be_visible()
    await expect(alert).to_have_count(0)


async def test_ended_session_shows_the_sign_in_page(gallery: GalleryPage) -> None:
    await expect(gallery.photo("Photo 0")).to_be_visible()
    await gallery.session.context.clear_cookies()
    gallery.session.expected_errors = REFUSED
    await gallery.refresh_until(gallery.page.get_by_label("Token"))
    await gallery.page.get_by_label("Token").fill(gallery.session.service.token)
    await gallery.page.get_by_role("button", name="Sign in").click()
    await expect(gallery.photo("Photo 0")).to_be_visible()


async def test_page_of_a_missing_photo_is_404(gallery: GalleryPage) -> None:
    answer = await gallery.page.goto(f"{gallery.session.service.url}/photo/999999999")
    assert answer
    assert answer.status == 404
    assert await gallery.session.problem() == "There is no such photo."


@pytest.mark.parametrize("width", [320, 390])
async def test_page_fits_the_width_of_a_phone(gallery: GalleryPage, width: int) -> None:
    await gallery.page.set_viewport_size({"width": width, "height": 700})
    await expect(gallery.photo("Photo 0")).to_be_visible()
    assert await gallery.page.evaluate("document.documentElement.scrollWidth") == width
    await gallery.photo("Photo 1").click()
    await gallery.viewer.shows("Photo 1")
    await gallery.viewer.dialog.get_by_role("button", name="Details").click()
    await expect(gallery.viewer.title).to_be_visible()
    assert await gallery.page.evaluate("document.documentElement.scrollWidth") <= width


async def test_without_javascript_the_page_links_to_the_simple_page(
    open_session: OpenBrowserSession, service: Service
) -> None:
    visit = await open_session(service, javascript=False)
    await visit.page.get_by_role("link", name="The simple page").click()
    await expect(visit.page.get_by_role("heading", name="Add a photo")).to_be_visible()


async def test_reloading_the_gallery_downloads_no_images(gallery: GalleryPage) -> None:
    async def again() -> None:
        await gallery.page.reload()
        for number in range(10):
            await wait_for_image(gallery.photo(f"Photo {number}").get_by_role("img"))

    session = await gallery.session.context.new_cdp_session(gallery.page)
    await session.send("Network.clearBrowserCache")
    assert await gallery.session.downloaded_bytes(again) > 1_000, "downloads are counted"
    assert await gallery.session.downloaded_bytes(again) == 0
    await gallery.page.goto("about:blank")

    async def visit() -> None:
        await gallery.open()
        await wait_for_image(gallery.photo("Photo 9").get_by_role("img"))

    assert await gallery.session.downloaded_bytes(visit) == 0
