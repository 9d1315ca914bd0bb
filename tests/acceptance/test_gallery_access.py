"""The gallery for everybody: axe finds nothing wrong, in light and in dark, whatever is open."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import Browser, ViewportSize, expect

import pictures
from acceptance.gallery import Wall, fill, jpeg_file
from acceptance.service import Service, serving
from acceptance.visits import REFUSED, Visit

AXE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def service(open_tmp_path: Path) -> Iterator[Service]:
    """A service of these tests' own."""
    with serving(open_tmp_path / "gallery-access") as started:
        yield started


@pytest.fixture(params=[("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360)])
async def wall(
    chromium: Browser, service: Service, request: pytest.FixtureRequest
) -> AsyncIterator[Wall]:
    """The gallery, by a browser that lets the test put axe into the page."""
    scheme: Literal["light", "dark"] = request.param[0]
    context = await chromium.new_context(
        color_scheme=scheme,
        bypass_csp=True,
        reduced_motion="reduce",
        viewport=ViewportSize(width=request.param[1], height=800),
    )
    visit = Visit(service=service, context=context, page=await context.new_page())
    visit.tolerated = REFUSED
    visit.watch()
    await visit.sign_in()
    yield Wall(visit)
    await context.close()
    assert visit.complaints == []


async def _is_fine(wall: Wall) -> None:
    await wall.page.evaluate(AXE.read_text())
    found: list[dict[str, Any]] = await wall.page.evaluate(
        "tags => axe.run({runOnly: tags}).then(({violations}) => violations)", TAGS
    )
    told = [
        (each["id"], [node["html"][:160] for node in each["nodes"]], each["nodes"][0]["any"][:1])
        for each in found
    ]
    assert told == []


async def test_axe_finds_nothing_wrong(wall: Wall) -> None:
    async with wall.visit.service.api() as api:
        for photo in (await api.get("/api/photos")).json():
            await api.delete(f"/api/photos/{photo['id']}")
    await wall.open()
    await expect(wall.page.get_by_role("heading", name="No photos yet")).to_be_visible()
    await _is_fine(wall)

    newest = datetime(2022, 5, 20, 12)  # noqa: DTZ001  a camera's clock has no zone
    await fill(wall.visit.service, 6, newest=newest, apart=timedelta(days=20))
    await wall.open()
    await expect(wall.photo("Photo 0")).to_be_visible()
    await _is_fine(wall)

    await wall.choose(
        jpeg_file("broken.jpg", pictures.cut(pictures.jpeg(), 60)),
        jpeg_file("good.jpg", pictures.jpeg(77, 50)),
    )
    await expect(wall.upload("broken.jpg")).to_contain_text("is damaged", timeout=20_000)
    await _is_fine(wall)
    await wall.tray.get_by_role("button", name="Close").click()

    await wall.photo("Photo 0").click()
    await wall.viewer.shows("Photo 0")
    if not await wall.viewer.title.is_visible():
        await wall.viewer.dialog.get_by_role("button", name="Details").click()
    await expect(wall.viewer.title).to_be_visible()
    await _is_fine(wall)
    await wall.viewer.delete()
    await expect(wall.page.get_by_role("button", name="Undo")).to_be_visible()
    await _is_fine(wall)
    await wall.page.get_by_role("button", name="Undo").click()
