"""The gallery with thousands of photos: requests, rendered rows and scroll position."""

import io
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import Browser, Route, expect

from safelight.engines import EmbeddedEngines
from support.app_server import AppServer, Site, run_app_server, settings_for
from support.browser_session import BrowserSession, wait_for_image
from support.gallery import GalleryPage
from support.service import Service

MONTHS = [datetime(2024 - n // 12, 12 - n % 12, 3, 9, tzinfo=UTC) for n in range(100)]
"""Newest first, until September 2016."""


@pytest.fixture(scope="module")
def app_server(engines: EmbeddedEngines, open_tmp_path: Path) -> Iterator[AppServer]:
    """A server in the test's process, whose catalog can be filled with rows directly."""
    folder = open_tmp_path / "gallery-many"
    folder.mkdir()
    with run_app_server(settings_for(engines, folder), worker=False) as server:
        yield server


@pytest.fixture(scope="module")
def many(app_server: AppServer) -> Site:
    """A site of 5,000 photos in a hundred months. Their objects do not exist."""
    site = app_server.site()
    for month in reversed(MONTHS):
        app_server.insert_photos(site.owner, 50, began=month)
    return site


@pytest.fixture
async def gallery(chromium: Browser, many: Site) -> AsyncIterator[GalleryPage]:
    """The gallery of that site. All image requests get the same picture."""
    service = Service(url=many.url, store=many.settings.s3.endpoint_url or "", token="")
    context = await chromium.new_context(viewport={"width": 1280, "height": 900})
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


async def test_first_screen_needs_one_api_call(gallery: GalleryPage) -> None:
    await wait_for_image(gallery.photo("planted 49").get_by_role("img").first)
    await gallery.page.wait_for_load_state("networkidle")
    calls = [url for url in gallery.session.requests if "/api/" in url]
    assert calls == [f"{gallery.session.service.url}/api/photos?limit=60&order=taken&links=parts"]


async def test_jumping_to_the_oldest_month_needs_at_most_three_api_calls(
    gallery: GalleryPage,
) -> None:
    await expect(gallery.photos.first).to_be_visible()
    known = len(gallery.session.requests)
    await gallery.page.evaluate(
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
    calls = [url for url in gallery.session.requests[known:] if "/api/" in url]
    assert len(calls) <= 3, "the months in between are not loaded"
    await expect(gallery.page.get_by_role("heading", name="September 2016")).to_be_in_viewport()


async def test_only_rows_near_the_window_are_rendered(gallery: GalleryPage) -> None:
    await expect(gallery.photos.first).to_be_visible()
    for _ in range(25):
        await gallery.page.mouse.wheel(0, 2_000)
        await gallery.page.wait_for_timeout(30)
        assert await gallery.page.locator(".tile").count() < 120
    await expect(gallery.photos.nth(5)).to_be_visible()


async def test_scroll_position_is_stable_while_rows_above_load(gallery: GalleryPage) -> None:
    """Rows above the window get their final height only when their photos load."""
    await gallery.page.get_by_label("Go to month").select_option(label="May 2020")
    heading = gallery.page.get_by_role("heading", name="May 2020")
    await expect(heading).to_be_visible()
    await expect(gallery.photos.first).to_be_visible()
    before = await _settled_top(gallery, "May 2020")
    await gallery.page.mouse.move(400, 400)
    await gallery.page.mouse.wheel(0, -300)
    await gallery.page.wait_for_function(_MOVED, arg=["May 2020", before + 200])
    after = await _settled_top(gallery, "May 2020")
    assert abs(after - before - 300) < 5


_TOP = """const topOf = (month) => [...document.querySelectorAll("h2")].find(
  (name) => name.textContent.startsWith(month))?.getBoundingClientRect().top"""
_MOVED = f"([month, least]) => {{ {_TOP}; return topOf(month) >= least }}"


async def _settled_top(gallery: GalleryPage, month: str) -> float:
    """Wait until all rows are loaded and nothing moves for many frames. Return a heading's top."""
    await gallery.page.wait_for_load_state("networkidle")
    top: float = await gallery.page.evaluate(
        f"""(month) => new Promise((resolve) => {{
          {_TOP}
          let [before, frames] = [NaN, 0]
          const look = () => {{
            const isLoaded = !document.querySelector("span.tile")
            frames = isLoaded && topOf(month) === before ? frames + 1 : 0
            before = topOf(month)
            if (frames > 40) resolve(before)
            else requestAnimationFrame(look)
          }}
          look()
        }})""",
        month,
    )
    return top


async def test_deep_link_finds_the_neighbours_of_its_photo(
    gallery: GalleryPage, app_server: AppServer, many: Site
) -> None:
    id_ = app_server.rows(many.owner)[2_512][0]
    await gallery.open(f"/photo/{id_}")
    await gallery.viewer.shows("planted 12")
    await gallery.page.keyboard.press("ArrowRight")
    await gallery.viewer.shows("planted 11")
    await gallery.page.keyboard.press("ArrowLeft")
    await gallery.page.keyboard.press("ArrowLeft")
    await gallery.viewer.shows("planted 13")
    calls = [url for url in gallery.session.requests if "/api/" in url]
    assert len(calls) < 12
