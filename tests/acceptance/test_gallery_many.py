"""The gallery of somebody who has thousands of photos, and what it costs to look at them."""

import io
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import Browser, Route, expect

from acceptance.gallery import Wall
from acceptance.service import Service
from acceptance.visits import Visit, shown
from integration.served import House, Site, house, settings_for
from safelight.engines import EmbeddedEngines

MONTHS = [datetime(2024 - n // 12, 12 - n % 12, 3, 9, tzinfo=UTC) for n in range(100)]
"""The newest first: the last of them is September 2016."""


@pytest.fixture(scope="module")
def a_house(engines: EmbeddedEngines, open_tmp_path: Path) -> Iterator[House]:
    """A library in the test's own process, where rows can be planted."""
    folder = open_tmp_path / "gallery-many"
    folder.mkdir()
    with house(settings_for(engines, folder), worker=False) as living:
        yield living


@pytest.fixture(scope="module")
def many(a_house: House) -> Site:
    """A site of 5,000 photos in a hundred months, whose bytes are nowhere."""
    site = a_house.site()
    for month in reversed(MONTHS):
        a_house.plant(site.owner, 50, began=month)
    return site


@pytest.fixture
async def wall(chromium: Browser, many: Site) -> AsyncIterator[Wall]:
    """Its gallery, with a picture in the place of every photo."""
    service = Service(url=many.url, store=many.settings.s3.endpoint_url or "", token="")
    context = await chromium.new_context(viewport={"width": 1280, "height": 900})
    visit = Visit(service=service, context=context, page=await context.new_page())
    visit.watch()
    await context.route(f"{service.store}/**", _picture)
    yield await Wall(visit).open()
    await context.close()
    assert visit.complaints == []


async def _picture(route: Route) -> None:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (140, 90, 60)).save(file, "PNG")
    await route.fulfill(body=file.getvalue(), content_type="image/png")


async def test_the_first_screen_needs_one_call(wall: Wall) -> None:
    await shown(wall.photo("planted 49").get_by_role("img").first)
    await wall.page.wait_for_load_state("networkidle")
    calls = [url for url in wall.visit.asked if "/api/" in url]
    assert calls == [f"{wall.visit.service.url}/api/photos?limit=60&order=taken"]


async def test_the_oldest_month_shows_after_three_calls(wall: Wall) -> None:
    await expect(wall.photos.first).to_be_visible()
    known = len(wall.visit.asked)
    await wall.page.evaluate(
        """async () => {
          const list = document.querySelector("select");
          list.value = list.options[list.options.length - 1].value;
          list.dispatchEvent(new Event("change", {bubbles: true}));
          const there = () => [...document.querySelectorAll("h2")].some(
              (name) => name.textContent.startsWith("September 2016"))
            && document.querySelector('[data-slot="4950"] img')?.complete;
          while (!there()) await new Promise(requestAnimationFrame);
        }"""
    )
    calls = [url for url in wall.visit.asked[known:] if "/api/" in url]
    assert len(calls) <= 3, "what lies between is not asked for"
    box = await wall.page.get_by_role("heading", name="September 2016").bounding_box()
    assert box
    assert 0 <= box["y"] < 900, "it is in view"


async def test_there_is_never_more_on_the_page_than_near_the_window(wall: Wall) -> None:
    await expect(wall.photos.first).to_be_visible()
    for _ in range(25):
        await wall.page.mouse.wheel(0, 2_000)
        await wall.page.wait_for_timeout(30)
        assert await wall.page.locator(".cell").count() < 120
    await expect(wall.photos.nth(5)).to_be_visible()


async def test_what_is_seen_stays_in_its_place_when_more_is_known(wall: Wall) -> None:
    """Rows above the window get their true height only when somebody scrolls up to them."""
    await wall.page.get_by_label("Go to month").select_option(label="May 2020")
    heading = wall.page.get_by_role("heading", name="May 2020")
    await expect(heading).to_be_visible()
    await expect(wall.photos.first).to_be_visible()
    before = await heading.bounding_box()
    await wall.page.mouse.wheel(0, -300)
    await wall.page.wait_for_timeout(600)
    after = await heading.bounding_box()
    assert before
    assert after
    assert abs(after["y"] - before["y"] - 300) < 5


async def test_a_deep_link_into_the_midst_finds_its_neighbours(
    wall: Wall, a_house: House, many: Site
) -> None:
    id_ = a_house.rows(many.owner)[2_512][0]
    await wall.open(f"/photo/{id_}")
    await wall.viewer.shows("planted 12")
    await wall.page.keyboard.press("ArrowRight")
    await wall.viewer.shows("planted 11")
    await wall.page.keyboard.press("ArrowLeft")
    await wall.page.keyboard.press("ArrowLeft")
    await wall.viewer.shows("planted 13")
    calls = [url for url in wall.visit.asked if "/api/" in url]
    assert len(calls) < 12
