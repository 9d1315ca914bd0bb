"""A gallery that is higher than a document can be: every photo is reached, in each way.

The document is at most 4,000,000 pixels high. With a hundred thousand photos the grid is half as
high again; more photos change nothing but the factor.
"""

import io
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import Browser, Route, expect

from safelight.engines import EmbeddedEngines
from support.app_server import Site, run_app_server, settings_for
from support.browser_session import BrowserSession
from support.filled_months import fill_months
from support.gallery import GalleryPage
from support.service import Service

NEWEST = datetime(2024, 12, 25, 12)  # noqa: DTZ001  a camera's clock has no zone
COUNTS = [480] * 210 + [1] * 6
"""The photos of each month, newest first."""
LAST = sum(COUNTS) - 1
OLDEST_MONTH = "January 2007"
MIDDLE_MONTH, MIDDLE = "March 2016", 105 * 480
"""A month in the middle, and the slot of its first photo."""
MAX_DOCUMENT = 4_000_000

_SLOTS = """() => [...document.querySelectorAll("[data-slot]")].filter((tile) => {
  const { top, bottom } = tile.getBoundingClientRect()
  return bottom > 60 && top < innerHeight
}).map((tile) => Number(tile.dataset.slot))"""
_SETTLED = """() => new Promise((resolve) => {
  let [before, since] = [NaN, 0]
  const look = () => {
    const now = `${scrollY} ${document.querySelector("[data-slot]")?.getBoundingClientRect().top}`
    if (now !== before) [before, since] = [now, performance.now()]
    const isLoaded = !document.querySelector("span.tile")
    if (isLoaded && performance.now() - since > 400) resolve()
    else requestAnimationFrame(look)
  }
  look()
})"""
"""Wait until nothing has moved or is loading for longer than the grid needs to align itself."""

_JUMP = """
Response.prototype.json = async function () {
  const value = await json.call(this)
  if (window.jump !== undefined) scrollTo(0, window.jump)
  delete window.jump
  return value
}
"""
"""Move the scroll bar to `jump` at the moment in which the page receives an answer."""


@pytest.fixture(scope="module")
def site(engines: EmbeddedEngines, open_tmp_path: Path) -> Iterator[Site]:
    """A site of a hundred thousand photos. Their objects do not exist."""
    folder = open_tmp_path / "gallery-million"
    folder.mkdir()
    with run_app_server(settings_for(engines, folder), worker=False) as server:
        made = server.site()
        fill_months(engines.database_url, made.owner, COUNTS, newest=NEWEST, searchable=False)
        yield made


@pytest.fixture
def touch() -> bool:
    """Whether the device has a touch screen, and no wheel."""
    return False


@pytest.fixture
async def gallery(chromium: Browser, site: Site, *, touch: bool) -> AsyncIterator[GalleryPage]:
    """The gallery of that site. All image requests get the same picture."""
    service = Service(url=site.url, store=site.settings.s3.endpoint_url or "", token="")
    context = await chromium.new_context(
        viewport={"width": 700, "height": 900} if touch else {"width": 1280, "height": 900},
        is_mobile=touch,
        has_touch=touch,
    )
    session = BrowserSession(service=service, context=context, page=await context.new_page())
    session.watch()
    await context.route(f"{service.store}/**", _picture)
    yield await GalleryPage(session).open()
    await context.close()
    assert session.errors == []


async def _picture(route: Route) -> None:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (140, 90, 60)).save(file, "PNG")
    await route.fulfill(body=file.getvalue(), content_type="image/png")


async def slots_in_view(gallery: GalleryPage) -> list[int]:
    """Wait until the grid rests. Return the slots of the photos in the window."""
    await gallery.page.evaluate(_SETTLED)
    slots: list[int] = await gallery.page.evaluate(_SLOTS)
    assert slots == list(range(slots[0], slots[-1] + 1)), "the window has no gaps"
    return slots


async def top_of(gallery: GalleryPage, slot: int) -> float:
    """Return the distance of a photo from the top of the window."""
    box = await gallery.page.locator(f"[data-slot='{slot}']").bounding_box()
    assert box
    return box["y"]


async def choose_month(gallery: GalleryPage, month: str) -> list[int]:
    await gallery.page.get_by_label("Go to month").select_option(label=month)
    return await slots_in_view(gallery)


async def test_month_list_reaches_the_oldest_and_a_middle_month(gallery: GalleryPage) -> None:
    slots = await choose_month(gallery, MIDDLE_MONTH)
    assert MIDDLE in slots
    box = await gallery.page.get_by_role("heading", name=MIDDLE_MONTH).bounding_box()
    assert box
    assert 40 <= box["y"] < 80, "the heading is below the header"
    assert LAST in await choose_month(gallery, OLDEST_MONTH)
    chosen = gallery.page.get_by_label("Go to month").locator("option:checked")
    assert await chosen.inner_text() == OLDEST_MONTH
    await expect(gallery.photo(f"Photo {LAST}")).to_be_visible()


async def test_scroll_bar_reaches_every_part(gallery: GalleryPage) -> None:
    """A scroll bar that is dragged changes the position, without input that the page sees."""
    height: int = await gallery.page.evaluate("document.documentElement.scrollHeight")
    assert MAX_DOCUMENT < height < MAX_DOCUMENT * 1.01
    firsts = []
    for part in (0.1, 0.25, 0.5, 0.75, 0.9):
        await gallery.page.evaluate("y => scrollTo(0, y)", height * part)
        firsts.append((await slots_in_view(gallery))[0])
    for first, part in zip(firsts, (0.1, 0.25, 0.5, 0.75, 0.9), strict=True):
        assert first / LAST == pytest.approx(part, abs=0.02)
    await gallery.page.evaluate("y => scrollTo(0, y)", height)
    assert (await slots_in_view(gallery))[-1] == LAST
    await gallery.page.evaluate("scrollTo(0, 0)")
    assert (await slots_in_view(gallery))[0] == 0


async def test_scroll_bar_moves_while_photos_arrive(gallery: GalleryPage) -> None:
    """A new layout can come between a change of the position and its event."""
    await gallery.page.evaluate("() => { const { json } = Response.prototype\n" + _JUMP + "}")
    height: int = await gallery.page.evaluate("document.documentElement.scrollHeight")
    for part in (0.5, 0.2):
        await gallery.page.evaluate("y => { window.jump = y }", height * part)
        await gallery.page.mouse.move(400, 400)
        await gallery.page.mouse.wheel(0, 6000)
        await gallery.page.wait_for_function("() => window.jump === undefined")
        assert (await slots_in_view(gallery))[0] / LAST == pytest.approx(part, abs=0.02)


async def test_keys_without_focus_scroll_the_page(gallery: GalleryPage) -> None:
    press, height = gallery.page.keyboard.press, gallery.page.viewport_size
    assert height
    assert (await slots_in_view(gallery))[0] == 0
    await press("End")
    assert (await slots_in_view(gallery))[-1] == LAST
    await press("Home")
    assert (await slots_in_view(gallery))[0] == 0
    before = await choose_month(gallery, MIDDLE_MONTH)
    await press("PageDown")
    below = await slots_in_view(gallery)
    assert before[-1] - 8 < below[0] <= before[-1], "it moves by one window"
    await press("PageUp")
    assert MIDDLE in await slots_in_view(gallery)
    top = await top_of(gallery, MIDDLE)
    await press("ArrowDown")
    await slots_in_view(gallery)
    assert 20 < top - await top_of(gallery, MIDDLE) < 100


async def test_keys_move_the_focus_to_the_oldest_photo(gallery: GalleryPage) -> None:
    press = gallery.page.keyboard.press
    await gallery.photo("Photo 0").focus()
    await press("End")
    await expect(gallery.photo(f"Photo {LAST}")).to_be_focused()
    assert (await slots_in_view(gallery))[-1] == LAST
    await press("ArrowLeft")
    await expect(gallery.photo(f"Photo {LAST - 1}")).to_be_focused()
    for _ in range(6):
        await press("ArrowUp")
    for _ in range(6):
        await press("ArrowDown")
    await press("End")
    await expect(gallery.photo(f"Photo {LAST}")).to_be_focused()
    await press("Home")
    await expect(gallery.photo("Photo 0")).to_be_focused()


async def test_wheel_moves_the_grid_by_its_pixels(gallery: GalleryPage) -> None:
    await choose_month(gallery, MIDDLE_MONTH)
    await gallery.page.mouse.move(400, 400)
    for distance in (-200, 300, 100):
        slot = (await slots_in_view(gallery))[4]
        top = await top_of(gallery, slot)
        await gallery.page.mouse.wheel(0, distance)
        await slots_in_view(gallery)
        assert top - await top_of(gallery, slot) == pytest.approx(distance, abs=2)


@pytest.mark.parametrize("touch", [True])
async def test_finger_moves_the_grid_by_the_pixels_that_the_document_scrolls(
    gallery: GalleryPage,
) -> None:
    await choose_month(gallery, MIDDLE_MONTH)
    slot = (await slots_in_view(gallery))[4]
    wire = await gallery.session.context.new_cdp_session(gallery.page)

    async def touch(event: str, *points: int) -> None:
        touches = [{"x": 200, "y": y} for y in points]
        await wire.send("Input.dispatchTouchEvent", {"type": event, "touchPoints": touches})

    async def position() -> tuple[float, float]:
        return await gallery.page.evaluate("scrollY"), await top_of(gallery, slot)

    document, grid = await position()
    await touch("touchStart", 500)
    for y in range(510, 700, 10):
        await touch("touchMove", y)
    # The finger stays on the screen: the document keeps its position.
    while (before := await position()) != await position():
        await slots_in_view(gallery)
    assert document - before[0] > 100
    assert before[1] - grid == pytest.approx(document - before[0], abs=1)
    await touch("touchEnd")
    await slots_in_view(gallery)
    assert await top_of(gallery, slot) >= before[1] - 1


async def test_scrolling_without_a_pause_keeps_its_speed(gallery: GalleryPage) -> None:
    """The document scrolls by the same pixels as the grid, until it rests and is aligned."""
    before = (await choose_month(gallery, MIDDLE_MONTH))[0]
    await gallery.page.mouse.move(400, 400)
    for _ in range(30):
        await gallery.page.mouse.wheel(0, 400)
    after = (await slots_in_view(gallery))[0]
    assert 45 < 30 * 400 / (after - before) < 75, "the height of a photo's part of its row"


async def test_deep_link_finds_its_photo_and_closing_shows_it_in_the_grid(
    gallery: GalleryPage,
) -> None:
    slot = (await choose_month(gallery, MIDDLE_MONTH))[3]
    href = await gallery.photo(f"Photo {slot}").get_attribute("href")
    assert href
    await gallery.open(href)
    await gallery.viewer.shows(f"Photo {slot}")
    await gallery.page.keyboard.press("ArrowRight")
    await gallery.viewer.shows(f"Photo {slot + 1}")
    await gallery.page.keyboard.press("Escape")
    await gallery.viewer.is_closed()
    await expect(gallery.photo(f"Photo {slot + 1}")).to_be_focused()
    assert slot + 1 in await slots_in_view(gallery)


async def test_months_of_one_photo_share_a_row(gallery: GalleryPage) -> None:
    await choose_month(gallery, OLDEST_MONTH)
    names = [OLDEST_MONTH, "February 2007", "March 2007", "April 2007", "May 2007", "June 2007"]
    boxes = [await gallery.page.get_by_role("heading", name=n).bounding_box() for n in names]
    tops = {round(box["y"]) for box in boxes if box}
    assert len(tops) < len(names), "they are side by side"
    for slot in range(LAST - 5, LAST + 1):
        await expect(gallery.photo(f"Photo {slot}")).to_be_visible()
