"""Accessibility of the gallery: axe finds no violations in any state or colour scheme."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import Browser, ViewportSize, expect

from support import pictures
from support.browser_session import REFUSED, BrowserSession
from support.gallery import KEEP_UNDO, GalleryPage, fill, jpeg_file
from support.service import Service, run_service

AXE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def service(open_tmp_path: Path) -> Iterator[Service]:
    """A service that only these tests use."""
    with run_service(open_tmp_path / "gallery-access") as started:
        yield started


@pytest.fixture(params=[("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360)])
async def gallery(
    chromium: Browser, service: Service, request: pytest.FixtureRequest
) -> AsyncIterator[GalleryPage]:
    """The gallery, in a browser without CSP, so that axe can be injected."""
    scheme: Literal["light", "dark"] = request.param[0]
    context = await chromium.new_context(
        color_scheme=scheme,
        bypass_csp=True,
        reduced_motion="reduce",
        viewport=ViewportSize(width=request.param[1], height=800),
    )
    context.set_default_timeout(60_000)
    await context.add_init_script(KEEP_UNDO)
    session = BrowserSession(service=service, context=context, page=await context.new_page())
    session.expected_errors = REFUSED
    session.watch()
    await session.sign_in()
    yield GalleryPage(session)
    await context.close()
    assert session.errors == []


async def _check_axe(gallery: GalleryPage) -> None:
    if not await gallery.page.evaluate("'axe' in window"):
        await gallery.page.evaluate(AXE.read_text())
    found: list[dict[str, Any]] = await gallery.page.evaluate(
        "tags => axe.run({runOnly: tags}).then(({violations}) => violations)", TAGS
    )
    violations = [
        (each["id"], [node["html"][:160] for node in each["nodes"]], each["nodes"][0]["any"][:1])
        for each in found
    ]
    assert violations == []


async def test_axe_finds_no_violations(gallery: GalleryPage) -> None:
    async with gallery.session.service.api() as api:
        for photo in (await api.get("/api/photos")).json():
            await api.delete(f"/api/photos/{photo['id']}?permanent=true")
    await gallery.open()
    await expect(gallery.page.get_by_role("heading", name="No photos yet")).to_be_visible()
    await _check_axe(gallery)

    newest = datetime(2022, 5, 20, 12)  # noqa: DTZ001  a camera's clock has no zone
    await fill(gallery.session.service, 6, newest=newest, apart=timedelta(days=20))
    await gallery.open()
    await expect(gallery.photo("Photo 0")).to_be_visible()
    await _check_axe(gallery)

    await gallery.photo("Photo 0").focus()
    await gallery.page.keyboard.press("x")
    bar = gallery.page.get_by_role("region", name="Selected photos")
    await expect(bar).to_contain_text("1 photo selected")
    await _check_axe(gallery)
    await bar.get_by_role("button", name="Change date").click()
    await _check_axe(gallery)
    await gallery.open("/?view=recent")
    await expect(gallery.photo("Photo 0")).to_be_visible()
    await _check_axe(gallery)

    await gallery.choose(
        jpeg_file("broken.jpg", pictures.truncate(pictures.jpeg(), 60)),
        jpeg_file("good.jpg", pictures.jpeg(77, 50)),
    )
    await expect(gallery.upload("broken.jpg")).to_contain_text("is damaged")
    await _check_axe(gallery)
    await gallery.uploads.get_by_role("button", name="Close").click()

    await gallery.photo("Photo 0").click()
    await gallery.viewer.shows("Photo 0")
    if await gallery.page.evaluate("innerWidth < 900"):  # where the details are closed at first
        await gallery.viewer.dialog.get_by_role("button", name="Details").click()
    await expect(gallery.viewer.title).to_be_visible()
    await _check_axe(gallery)
    await gallery.viewer.delete()
    await expect(gallery.page.get_by_role("button", name="Undo")).to_be_visible()
    await _check_axe(gallery)
    await gallery.page.get_by_role("button", name="Undo").click()
    await expect(gallery.page.get_by_text("Restored “Photo 0”.")).to_be_visible()


@pytest.mark.parametrize("gallery", [("light", 360), ("dark", 1280)], indirect=True)
async def test_axe_finds_no_violations_in_other_views(gallery: GalleryPage) -> None:
    """Each photo, album and search is there, so that no view is checked while it is empty only."""
    page = gallery.page
    newest = datetime(2021, 8, 3, 9)  # noqa: DTZ001  a camera's clock has no zone
    ids = await fill(gallery.session.service, 3, newest=newest, apart=timedelta(days=20))
    async with gallery.session.service.api() as api:
        for other in (await api.get("/api/albums")).json():
            await api.delete(f"/api/albums/{other['id']}")
        new = {"title": "Walks", "ids": ids[:2]}
        album = (await api.post("/api/albums", json=new)).json()["id"]
        await api.delete(f"/api/photos/{ids[2]}")
    bar = page.get_by_role("region", name="Selected photos")

    await gallery.open("/?q=2021")
    await expect(gallery.photo("Photo 0")).to_be_visible()
    await _check_axe(gallery)
    await page.get_by_role("searchbox").fill("nothing like it")
    await expect(page.get_by_text("No photos found.")).to_be_visible()
    await _check_axe(gallery)

    await gallery.open("/?view=albums")
    await expect(page.get_by_role("link", name="Walks")).to_be_visible()
    await _check_axe(gallery)
    await gallery.open(f"/?view=album&id={album}")
    await expect(gallery.photos).to_have_count(2)
    await gallery.photo("Photo 0").focus()
    await page.keyboard.press("x")
    await expect(bar.get_by_role("button", name="Use as cover")).to_be_visible()
    await page.get_by_role("button", name="Rename").click()
    await _check_axe(gallery)
    await page.get_by_role("main").get_by_role("button", name="Cancel").click()
    await bar.get_by_role("button", name="Add to album").click()
    await expect(bar.get_by_role("combobox", name="Album")).to_be_visible()
    await page.get_by_role("button", name="Delete album …").click()
    await _check_axe(gallery)

    await gallery.open("/?view=trash")
    await expect(gallery.photos).to_be_visible()
    await page.get_by_role("button", name="Empty the trash …").click()
    await _check_axe(gallery)
    await gallery.photos.click()
    await gallery.viewer.shows("Photo 2")
    await _check_axe(gallery)

    for path, text in (
        ("", "Photo 0"),
        ("?q=2021", "Photo 0"),
        (f"/{ids[0]}", "Photo 0"),
        ("/albums", "Walks"),
        (f"/albums/{album}", "Photo 0"),
        ("/trash", "Photo 2"),
        ("/devices", "this browser"),
    ):
        await gallery.open(f"/simple-upload{path}")
        await expect(page.get_by_role("main")).to_contain_text(text)
        await _check_axe(gallery)
    async with gallery.session.service.api() as api:
        await api.delete("/api/photos?permanent=true&ids=" + ",".join(map(str, ids)))


@pytest.mark.parametrize("gallery", [("light", 360), ("dark", 1280)], indirect=True)
async def test_axe_finds_no_violations_in_the_slideshow_the_help_and_the_devices(
    gallery: GalleryPage,
) -> None:
    page = gallery.page
    photo = await gallery.session.service.add(pictures.jpeg(78, 50), title="Slide")
    await gallery.open(f"/photo/{photo}")
    await gallery.viewer.shows("Slide")
    await page.keyboard.press("s")
    await page.keyboard.press("Space")
    await expect(page.get_by_role("button", name="End slideshow")).to_be_visible()
    await _check_axe(gallery)
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    await _check_axe(gallery)

    await gallery.open("/?view=devices")
    await expect(page.get_by_text("This browser")).to_be_visible()
    await _check_axe(gallery)
    async with gallery.session.service.api() as api:
        await api.delete(f"/api/photos/{photo}?permanent=true")
