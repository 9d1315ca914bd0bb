"""Panoramas in the gallery: sharp in the grid, and zoomed up to the original."""

import asyncio
import io
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.async_api import Locator, expect

from support.browser_session import OpenBrowserSession, wait_for_image
from support.gallery import GalleryPage, HeldRequests, make_photo
from support.service import Service, run_service

NEWEST = datetime(2023, 9, 20, 12, 30)  # noqa: DTZ001  a camera's clock has no zone
SIZES = {"Wide": (18_000, 1_000), "Wider than the tile": (6_000, 1_500), "Tall": (1_000, 18_000)}
USUAL = (2_700, 1_800)
ENOUGH = 0.8
"""Tiles may use a rendition that is slightly smaller."""


@pytest.fixture(scope="module")
def service(open_tmp_path: Path) -> Iterator[Service]:
    """A separate service, since the gallery shows all of its photos."""
    with run_service(open_tmp_path / "panoramas") as started:
        yield started


@pytest.fixture
async def panoramas(service: Service) -> Service:
    """The service, with panoramas that have all of their renditions."""
    async with service.api() as api:
        if not (await api.get("/api/photos")).json():
            for title, size in (*SIZES.items(), ("Usual", USUAL)):
                await service.add(make_photo(NEWEST, width=size[0], height=size[1]), title=title)
        async with asyncio.timeout(200):
            while any(await _lacking(api)):  # noqa: ASYNC110  rows give no notice
                await asyncio.sleep(0.1)
    return service


async def _lacking(api: httpx.AsyncClient) -> list[bool]:
    """Return, for each photo, whether its largest rendition made unasked is still missing."""
    photos = (await api.get("/api/photos")).json()
    return [
        max(each["width"] for each in photo["renditions"]) < min(photo["width"] * 0.9, 1_280)
        for photo in photos
    ]


async def sharpness(image: Locator, scale: float) -> float:
    """Return the pixels of the image loaded for each of the screen's, in height."""
    await wait_for_image(image)
    natural, shown = await image.evaluate(
        """async (img) => {
          const plain = new Image()
          plain.src = img.currentSrc
          await plain.decode()
          const { width, height } = img.getBoundingClientRect()
          const covers = getComputedStyle(img).objectFit === 'cover'
          const ratio = plain.naturalWidth / plain.naturalHeight
          return [plain.naturalHeight, covers ? Math.max(height, width / ratio) : height]
        }"""
    )
    return float(natural / (shown * scale))


@pytest.mark.parametrize("scale", [1, 2])
async def test_panorama_is_sharp_in_the_grid(
    open_session: OpenBrowserSession, panoramas: Service, scale: float
) -> None:
    gallery = GalleryPage(await open_session(panoramas, scale=scale))
    for title in SIZES:
        image = gallery.photo(title).get_by_role("img")
        async with asyncio.timeout(120):
            while await sharpness(image, scale) < ENOUGH:
                await gallery.page.wait_for_timeout(100)


@pytest.mark.parametrize(
    ("title", "scale", "name"),
    [("Wide", 1, "w2560"), ("Wide", 2, "original"), ("Tall", 2, "original")],
)
async def test_panorama_fills_the_window_with_an_image_that_is_large_enough_when_zoomed(
    open_session: OpenBrowserSession, panoramas: Service, title: str, scale: float, name: str
) -> None:
    gallery = GalleryPage(await open_session(panoramas, scale=scale))
    await gallery.photo(title).click()
    await gallery.viewer.shows(title)
    await gallery.page.keyboard.press("z")
    image = gallery.viewer.dialog.locator(
        ".pswp__item[aria-hidden=false] .pswp__img:not(.pswp__img--placeholder)"
    )
    async with panoramas.api() as api:
        photos = (await api.get("/api/photos")).json()
    photo = next(photo for photo in photos if photo["title"] == title)
    on_demand = f"{panoramas.url}/api/photos/{photo['id']}/{name}"
    expected = photo["original_url"] if name == "original" else on_demand
    await expect(image).to_have_js_property("currentSrc", expected)
    async with asyncio.timeout(120):
        while min(await image.evaluate(_SIZE)) <= 600:
            await gallery.page.wait_for_timeout(50)


_SIZE = """(image) => {
  const { width, height } = image.getBoundingClientRect()
  return [width, height]
}"""


async def test_photo_is_shown_at_once_and_in_a_larger_size_when_that_is_made(
    open_session: OpenBrowserSession, panoramas: Service
) -> None:
    """The screen has more pixels than the largest rendition made unasked."""
    async with panoramas.api() as api:
        photos = (await api.get("/api/photos")).json()
    photo = next(photo for photo in photos if photo["title"] == "Usual")
    made = {each["name"]: each["url"] for each in photo["renditions"]}
    gallery = GalleryPage(await open_session(panoramas, scale=2))
    larger_image = HeldRequests()
    await gallery.page.route("**/w2560", larger_image)
    await gallery.photo(photo["title"]).click()
    await gallery.viewer.shows(photo["title"])
    image = gallery.viewer.dialog.locator(
        ".pswp__item[aria-hidden=false] .pswp__img:not(.pswp__img--placeholder)"
    )
    await expect(image).to_have_js_property("currentSrc", made["w1280"])
    await expect(image).to_have_js_property("complete", True)  # noqa: FBT003  the value
    larger_image.release()
    larger = f"{panoramas.url}/api/photos/{photo['id']}/w2560"
    await expect(image).to_have_js_property("currentSrc", larger)


async def test_copied_link_is_to_the_largest_rendition_which_is_made_for_it(
    open_session: OpenBrowserSession, panoramas: Service
) -> None:
    gallery = GalleryPage(await open_session(panoramas))
    await gallery.session.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await gallery.photo("Usual").click()
    await gallery.viewer.dialog.get_by_role("button", name="Copy link", exact=True).click()
    await expect(gallery.viewer.dialog.get_by_text("Copied. The link works")).to_be_visible()
    link = await gallery.page.evaluate("navigator.clipboard.readText()")
    async with httpx.AsyncClient() as client:
        copied = await client.get(link)
    assert Image.open(io.BytesIO(copied.content)).size == (2_560, 1_707)
