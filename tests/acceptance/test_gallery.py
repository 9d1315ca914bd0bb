"""The gallery in a real browser: photos are looked at, shared, deleted and brought back."""

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Route, expect

import pictures
from acceptance.gallery import Wall, fill, taken
from acceptance.service import Service, serving
from acceptance.visits import NO_NETWORK, REFUSED, Visiting, shown

NEWEST = datetime(2023, 9, 20, 12, 30)  # noqa: DTZ001  a camera's clock has no zone
A_WEEK = timedelta(days=7)
_TROUBLE = "Failed to load resource: the server responded with a status of 503"


@pytest.fixture(scope="module")
def service(open_tmp_path: Path) -> Iterator[Service]:
    """A service of these tests' own, since the wall shows all that there is."""
    with serving(open_tmp_path / "gallery") as started:
        yield started


@pytest.fixture
async def empty_service(service: Service) -> Service:
    """The service, with nothing in it."""
    async with service.api() as api:
        while photos := (await api.get("/api/photos", params={"limit": 500})).json():
            for photo in photos:
                await api.delete(f"/api/photos/{photo['id']}")
    return service


@pytest.fixture
async def wall(visiting: Visiting, empty_service: Service) -> Wall:
    """The gallery of somebody who has signed in, with ten photos, a week apart."""
    await fill(empty_service, 10, newest=NEWEST, apart=A_WEEK)
    return Wall(await visiting(empty_service))


async def test_photos_stand_by_month_and_show_by_their_links(wall: Wall) -> None:
    await expect(wall.page.get_by_role("heading", name="July 2023")).to_be_attached()
    names = await wall.page.get_by_role("heading", level=2).all_inner_texts()
    assert [name.split("\n")[0] for name in names] == ["September 2023", "August 2023", "July 2023"]
    image = wall.photo("Photo 3").get_by_role("img")
    assert min(await shown(image)) > 0
    source: str = await image.evaluate("img => img.currentSrc")
    assert source.startswith(f"{wall.visit.service.store}/")
    assert "X-Amz-Signature=" in urlsplit(source).query


async def test_the_viewer_turns_pages_and_back_leads_to_the_wall(wall: Wall) -> None:
    page, viewer = wall.page, wall.viewer
    await wall.photo("Photo 2").click()
    await viewer.shows("Photo 2")
    address = page.url
    assert "/photo/" in address
    await page.keyboard.press("ArrowRight")
    await viewer.shows("Photo 3")
    assert page.url != address
    assert await page.title() == "Photo 3 · Safelight"
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("ArrowLeft")
    await viewer.shows("Photo 1")

    await page.go_back()
    await viewer.is_closed()
    await expect(page).to_have_url(f"{wall.visit.service.url}/")
    assert await page.title() == "Photos · Safelight"
    await page.go_forward()
    await viewer.shows("Photo 1")
    await page.keyboard.press("Escape")
    await viewer.is_closed()
    await expect(page).to_have_url(f"{wall.visit.service.url}/")


async def test_a_deep_link_opens_the_photo_and_closing_it_shows_the_wall(wall: Wall) -> None:
    href = await wall.photo("Photo 7").get_attribute("href")
    assert href
    await wall.open(href)
    await wall.viewer.shows("Photo 7")
    await wall.viewer.dialog.get_by_role("button", name="Close").click()
    await wall.viewer.is_closed()
    await expect(wall.page).to_have_url(f"{wall.visit.service.url}/")
    await expect(wall.photo("Photo 7")).to_be_focused()


async def test_until_the_photo_has_come_its_sketch_takes_the_same_place(
    visiting: Visiting, empty_service: Service
) -> None:
    await empty_service.add(taken(NEWEST, width=640, height=427), title="Wide")
    wall = Wall(await visiting(empty_service))
    over = asyncio.Event()

    async def slowly(route: Route) -> None:
        await over.wait()
        await route.continue_()

    await expect(wall.photo("Wide")).to_be_visible()
    await wall.page.route(f"{wall.visit.service.store}/**", slowly)
    await wall.photo("Wide").click()
    await wall.viewer.shows("Wide")
    first = wall.viewer.dialog.locator(".pswp__item[aria-hidden=false]")
    sketch, photo = [
        await first.locator(f".pswp__img{which}").bounding_box()
        for which in ("--placeholder", ":not(.pswp__img--placeholder)")
    ]
    over.set()
    assert sketch
    assert photo
    assert photo["width"] > 300
    assert dict(sketch) == pytest.approx(dict(photo), abs=1)


async def test_title_and_description_are_edited_in_place(wall: Wall) -> None:
    await wall.photo("Photo 4").click()
    await wall.viewer.title.fill("The jetty")
    await wall.page.keyboard.press("Enter")
    await expect(wall.viewer.dialog.get_by_text("Saved.")).to_be_visible()
    await wall.viewer.dialog.get_by_role("textbox", name="Description").fill("At dusk")
    await wall.viewer.title.focus()
    await expect(wall.viewer.dialog.get_by_text("Saved.")).to_be_visible()
    await wall.viewer.shows("The jetty")
    await wall.viewer.title.fill("Never mind")
    await wall.page.keyboard.press("Escape")
    await wall.viewer.shows("The jetty")
    await wall.page.go_back()
    await expect(wall.photo("The jetty")).to_be_visible()
    await wall.page.reload()
    await wall.photo("The jetty").click()
    description = wall.viewer.dialog.get_by_role("textbox", name="Description")
    await expect(description).to_have_value("At dusk")


async def test_the_facts_of_a_photo_are_told(wall: Wall) -> None:
    await wall.photo("Photo 0").click()
    details = wall.page.get_by_role("region", name="Details")
    for fact in (
        "20 September 2023 at 12:30",
        "Nikon F3",
        "50 \N{MULTIPLICATION SIGN} 40",
        "photo.jpg",
    ):
        await expect(details.get_by_text(fact)).to_be_visible()


async def test_the_original_is_saved_under_its_name(wall: Wall) -> None:
    await wall.photo("Photo 0").click()
    async with wall.page.expect_download() as saving:
        await wall.viewer.dialog.get_by_role("link", name="Download original").click()
    saved = await saving.value
    assert saved.suggested_filename == "photo.jpg"
    assert await asyncio.to_thread((await saved.path()).read_bytes) == taken(
        NEWEST, width=50, shade=0
    )


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_link_is_copied_and_says_how_long_it_lives(wall: Wall, *, allowed: bool) -> None:
    if allowed:
        await wall.visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    else:
        await wall.page.evaluate(
            "Object.defineProperty(navigator, 'clipboard', {value: undefined})"
        )
    await wall.photo("Photo 0").click()
    await wall.viewer.dialog.get_by_role("button", name="Copy link", exact=True).click()
    said = wall.viewer.dialog.get_by_text("The link works until")
    await expect(said).to_be_visible()
    if allowed:
        link = await wall.page.evaluate("navigator.clipboard.readText()")
        async with httpx.AsyncClient() as anybody:
            assert (await anybody.get(link)).status_code == 200


async def test_a_link_to_an_original_with_a_place_is_copied_only_after_saying_so(
    visiting: Visiting, empty_service: Service
) -> None:
    told = pictures.exif()
    told.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 29.0), 3: "E", 4: (2.0, 17.0, 40.0)})
    await empty_service.add(pictures.jpeg(90, 60, exif=told), title="There")
    wall = Wall(await visiting(empty_service))
    await wall.visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await wall.page.evaluate("navigator.clipboard.writeText('')")
    await wall.photo("There").click()
    dialog = wall.viewer.dialog
    await dialog.get_by_role("button", name="Copy link to the original").click()
    await expect(dialog.get_by_text("says where it was taken")).to_be_visible()
    assert await wall.page.evaluate("navigator.clipboard.readText()") == ""
    await dialog.get_by_role("button", name="Copy it").click()
    await expect(dialog.get_by_text("The link to the original works until")).to_be_visible()
    link = await wall.page.evaluate("navigator.clipboard.readText()")
    assert "/original?" in link


async def test_what_is_deleted_comes_back_by_undo_and_goes_without(wall: Wall) -> None:
    page = wall.page
    await wall.photo("Photo 5").click()
    await wall.viewer.delete()
    await wall.viewer.shows("Photo 6")
    await page.get_by_role("button", name="Undo").click()
    await page.go_back()
    await expect(wall.photo("Photo 5")).to_be_visible()
    async with wall.visit.service.api() as api:
        assert len((await api.get("/api/photos")).json()) == 10

        await wall.photo("Photo 5").click()
        await wall.viewer.shows("Photo 5")
        await page.keyboard.press("Delete")
        await wall.viewer.shows("Photo 6")
        toast = page.get_by_role("status").locator("div").filter(has_text="is deleted")
        await toast.get_by_role("button", name="Dismiss").click()
        await expect(page.get_by_role("button", name="Undo")).to_have_count(0)
        await page.go_back()
        await expect(wall.photo("Photo 6")).to_be_visible()
        await expect(wall.photo("Photo 5")).to_have_count(0)
        await page.wait_for_timeout(500)
        assert len((await api.get("/api/photos")).json()) == 9


@pytest.mark.parametrize("last_words", ["heard", "lost"])
async def test_who_leaves_has_deleted(wall: Wall, last_words: str) -> None:
    wall.visit.tolerated = REFUSED  # It may be gone when the next page deletes it to be sure.
    await wall.photo("Photo 5").click()
    await wall.viewer.delete()
    await wall.viewer.shows("Photo 6")
    if last_words == "lost":
        await wall.page.evaluate("() => { window.fetch = () => new Promise(() => {}) }")
    await wall.page.goto("about:blank")
    await wall.open()
    await expect(wall.photo("Photo 6")).to_be_visible()
    assert await wall.photo("Photo 5").count() == 0
    await _come_to(wall, 9)
    await wall.page.wait_for_load_state("networkidle")
    assert await wall.photo("Photo 5").count() == 0


async def test_who_comes_back_to_a_page_that_was_kept_finds_deleted_what_was(wall: Wall) -> None:
    wall.visit.tolerated = REFUSED
    await wall.photo("Photo 5").click()
    await wall.viewer.delete()
    await wall.viewer.shows("Photo 6")
    for event in ("pagehide", "pageshow"):
        told = f"new PageTransitionEvent('{event}', {{persisted: true}})"
        await wall.page.evaluate(f"dispatchEvent({told})")
    undo = wall.page.get_by_role("button", name="Undo")
    await expect(undo).to_have_count(0, timeout=4_000)  # Sooner than it would go by itself.
    await _come_to(wall, 9)
    await wall.page.go_back()
    await expect(wall.photo("Photo 6")).to_be_visible()
    await expect(wall.photos).to_have_count(9)


async def _come_to(wall: Wall, count: int) -> None:
    """Wait until the service has so many photos."""
    async with wall.visit.service.api() as api, asyncio.timeout(30):
        while len((await api.get("/api/photos")).json()) != count:  # noqa: ASYNC110  it tells nobody
            await asyncio.sleep(0.1)


async def test_the_last_photo_gone_leaves_the_empty_page(
    visiting: Visiting, empty_service: Service
) -> None:
    await empty_service.add(taken(NEWEST), title="Only")
    wall = Wall(await visiting(empty_service))
    await wall.photo("Only").click()
    await wall.viewer.delete()
    await wall.viewer.is_closed()
    await expect(wall.page.get_by_role("heading", name="No photos yet")).to_be_visible()
    await wall.page.keyboard.press("Control+z")
    await expect(wall.photo("Only")).to_be_visible()


async def test_the_keyboard_is_enough_for_the_gallery(wall: Wall) -> None:
    page, press = wall.page, wall.page.keyboard.press
    await expect(wall.photo("Photo 0")).to_be_visible()
    await press("Tab")
    await expect(page.get_by_role("link", name="Skip to the photos")).to_be_focused()
    await press("Enter")
    await press("Tab")
    await expect(wall.photo("Photo 0")).to_be_focused()
    for key, title in (
        *(("ArrowRight", "Photo 1"), ("ArrowRight", "Photo 2"), ("ArrowRight", "Photo 3")),
        *(("ArrowLeft", "Photo 2"), ("ArrowDown", "Photo 6"), ("ArrowUp", "Photo 2")),
        *(("End", "Photo 9"), ("Home", "Photo 0")),
    ):
        await press(key)
        if key not in {"ArrowDown", "ArrowUp"}:
            await expect(wall.photo(title)).to_be_focused()
    outlined = "focused => getComputedStyle(focused).outlineStyle === 'solid'"
    assert await page.locator(":focus").evaluate(outlined)
    await press("Enter")
    await wall.viewer.shows("Photo 0")
    await press("ArrowRight")
    await wall.viewer.shows("Photo 1")
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
    await wall.viewer.shows("Photo 1 by hand")
    await press("Delete")
    await wall.viewer.shows("Photo 2")
    await press("Control+z")
    await wall.viewer.shows("Photo 2")
    await press("Escape")
    await wall.viewer.is_closed()
    await expect(wall.photo("Photo 2")).to_be_focused()


async def test_what_others_changed_shows_when_the_page_comes_back_into_view(wall: Wall) -> None:
    await expect(wall.photo("Photo 0")).to_be_visible()
    await wall.visit.service.add(taken(NEWEST + A_WEEK, shade=201), title="From elsewhere")
    await wall.page.wait_for_timeout(2_100)
    await wall.page.evaluate("dispatchEvent(new Event('focus'))")
    await expect(wall.photo("From elsewhere")).to_be_visible()


async def test_offline_is_said_and_being_back_shows_what_was_missed(wall: Wall) -> None:
    await expect(wall.photo("Photo 0")).to_be_visible()
    wall.visit.tolerated = NO_NETWORK
    await wall.visit.context.set_offline(True)
    await expect(wall.page.get_by_text("You are offline")).to_be_visible()
    await wall.visit.service.add(taken(NEWEST + A_WEEK, shade=202), title="Meanwhile")
    await wall.visit.context.set_offline(False)
    await expect(wall.photo("Meanwhile")).to_be_visible()
    await expect(wall.page.get_by_text("You are offline")).to_have_count(0)


@pytest.mark.parametrize("away", [True, False], ids=["away", "in trouble"])
async def test_photos_that_could_not_be_loaded_are_asked_for_again_by_hand(
    wall: Wall, *, away: bool
) -> None:
    wall.visit.tolerated = (*NO_NETWORK, _TROUBLE)
    problem = {"status": 503, "code": "catalog_unavailable", "detail": "The catalog is away."}

    async def fails(route: Route) -> None:
        failed.append(route.request.url)
        await (route.abort() if away else route.fulfill(status=503, body=json.dumps(problem)))

    failed: list[str] = []
    await wall.page.route("**/api/photos*", fails)
    await wall.open()
    said = "The server could not be reached." if away else "The catalog is away."
    alert = wall.page.get_by_role("alert")
    await expect(alert).to_contain_text(f"The photos could not be loaded. {said}")
    before = len(failed)
    await alert.get_by_role("button", name="Try again").click()
    while len(failed) == before:
        await wall.page.wait_for_timeout(50)
    await expect(alert).to_contain_text(said)
    await wall.page.unroute("**/api/photos*")
    await alert.get_by_role("button", name="Try again").click()
    await expect(wall.photo("Photo 0")).to_be_visible()
    await expect(alert).to_have_count(0)


async def test_a_session_that_ended_shows_the_sign_in_page(wall: Wall) -> None:
    await expect(wall.photo("Photo 0")).to_be_visible()
    await wall.visit.context.clear_cookies()
    wall.visit.tolerated = REFUSED
    await wall.page.wait_for_timeout(2_100)
    await wall.page.evaluate("dispatchEvent(new Event('focus'))")
    await wall.page.get_by_label("Token").fill(wall.visit.service.token)
    await wall.page.get_by_role("button", name="Sign in").click()
    await expect(wall.photo("Photo 0")).to_be_visible()


async def test_a_photo_that_went_is_said_to_be_gone(wall: Wall) -> None:
    answer = await wall.page.goto(f"{wall.visit.service.url}/photo/999999999")
    assert answer
    assert answer.status == 404
    assert await wall.visit.problem() == "There is no such photo."


@pytest.mark.parametrize("width", [320, 390])
async def test_nothing_hangs_over_the_edge_of_a_phone(wall: Wall, width: int) -> None:
    await wall.page.set_viewport_size({"width": width, "height": 700})
    await expect(wall.photo("Photo 0")).to_be_visible()
    assert await wall.page.evaluate("document.documentElement.scrollWidth") == width
    await wall.photo("Photo 1").click()
    await wall.viewer.shows("Photo 1")
    await wall.viewer.dialog.get_by_role("button", name="Details").click()
    await expect(wall.viewer.title).to_be_visible()
    assert await wall.page.evaluate("document.documentElement.scrollWidth") <= width


async def test_without_javascript_the_page_points_to_the_plain_one(
    visiting: Visiting, service: Service
) -> None:
    visit = await visiting(service, javascript=False)
    await visit.page.get_by_role("link", name="The plain page").click()
    await expect(visit.page.get_by_role("heading", name="Add a photo")).to_be_visible()


async def test_loading_the_gallery_again_moves_no_image_bytes(wall: Wall) -> None:
    async def again() -> None:
        await wall.page.reload()
        for number in range(10):
            await shown(wall.photo(f"Photo {number}").get_by_role("img"))

    session = await wall.visit.context.new_cdp_session(wall.page)
    await session.send("Network.clearBrowserCache")
    assert await wall.visit.moved(again) > 1_000, "what does move is counted"
    assert await wall.visit.moved(again) == 0
    await wall.page.goto("about:blank")

    async def visit() -> None:
        await wall.open()
        await shown(wall.photo("Photo 9").get_by_role("img"))

    assert await wall.visit.moved(visit) == 0
