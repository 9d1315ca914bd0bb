"""Rotating photos in the viewer and in the grid, with keys, mouse and touch."""

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image
from playwright.async_api import FloatRect, Locator, Page, expect

from support import pictures
from support.browser_session import OpenBrowserSession
from support.gallery import Finger, GalleryPage
from support.service import Service, run_service

FLAG = Image.new("RGB", (900, 600), (0, 0, 255))
FLAG.paste((255, 0, 0), (0, 0, 900, 300))
"""Red above blue."""


@pytest.fixture(scope="module")
def service(open_tmp_path: Path) -> Iterator[Service]:
    """A separate service, since the gallery shows all of its photos."""
    with run_service(open_tmp_path / "gallery-rotation") as started:
        yield started


@pytest.fixture
async def flag(service: Service) -> int:
    """The id of the only photo, which was not rotated yet."""
    async with service.api() as api:
        photos = (await api.get("/api/photos")).json()
        if photos:
            listed = ",".join(str(photo["id"]) for photo in photos)
            await api.delete(f"/api/photos?ids={listed}&permanent=true")
    return await service.add(pictures.save(FLAG, "JPEG"), title="Flag")


async def _photo(service: Service, id_: int) -> dict[str, Any]:
    async with service.api() as api:
        found: dict[str, Any] = (await api.get(f"/api/photos/{id_}")).json()
    return found


def _viewed(page: Page) -> Locator:
    """Return the image in the viewer."""
    shown = ".pswp__item[aria-hidden=false] .pswp__img:not(.pswp__img--placeholder)"
    return page.get_by_role("dialog").locator(shown)


_PLACE = """(image) => {
  const { x, y, width, height } = image.getBoundingClientRect()
  return [image.naturalWidth < image.naturalHeight, x, y, width, height]
}"""


async def _wait_until_red(image: Locator, side: str) -> None:
    """Wait until an image has the proportions of a turned flag, and is red on one side."""
    is_upright = side in {"left", "right"}
    across = {"left": 0.25, "right": 0.75}.get(side, 0.5)
    down = {"top": 0.25, "bottom": 0.75}.get(side, 0.5)
    async with asyncio.timeout(60):
        while True:
            # The image is replaced by another element when its new rendition is loaded.
            size, *place = await image.evaluate(_PLACE)
            x, y, width, height = place
            if not width:
                continue
            area = FloatRect(x=x, y=y, width=width, height=height)
            png = await image.page.screenshot(clip=area)
            shot = Image.open(io.BytesIO(png)).convert("RGB")
            pixel = shot.getpixel((round(shot.width * across), round(shot.height * down)))
            red, _, blue = cast("tuple[int, int, int]", pixel)
            has_shape = shot.width < shot.height if is_upright else shot.width > shot.height
            if size == is_upright and has_shape and red > 200 and blue < 60:
                return


async def test_rotated_photo_is_shown_turned_in_the_viewer_and_the_grid(
    open_session: OpenBrowserSession, service: Service, flag: int
) -> None:
    gallery = GalleryPage(await open_session(service))
    page, image = gallery.page, _viewed(gallery.page)
    await gallery.open(f"/photo/{flag}")
    await gallery.viewer.shows("Flag")
    await _wait_until_red(image, "top")
    await page.keyboard.press("r")
    await _wait_until_red(image, "right")
    await page.get_by_role("button", name="Rotate").click()
    await _wait_until_red(image, "bottom")
    await page.keyboard.press("Shift+R")
    await page.keyboard.press("Shift+R")
    await _wait_until_red(image, "top")
    await page.keyboard.press("Escape")
    tile = gallery.photo("Flag").locator("img")
    await _wait_until_red(tile, "top")
    await gallery.photo("Flag").focus()
    await page.keyboard.press("x")
    await page.keyboard.press("r")
    await expect(page.get_by_text("Rotated 1 photo.")).to_be_visible()
    await _wait_until_red(tile, "right")
    original = f"/api/photos/{flag}/original"
    async with service.api() as api:
        response = await api.get(original, follow_redirects=True)
    assert response.content == pictures.save(FLAG, "JPEG")


async def test_finger_rotates_a_photo_in_the_grid(
    open_session: OpenBrowserSession, service: Service, flag: int
) -> None:
    gallery = GalleryPage(await open_session(service, phone=True))
    page, bar = gallery.page, gallery.page.get_by_role("region", name="Selected photos")
    tile = gallery.photo("Flag").locator("img")
    await gallery.open()
    await _wait_until_red(tile, "top")
    finger = await Finger.on(page)
    await finger.press(gallery.photo("Flag"))
    await expect(bar).to_contain_text("1 photo selected")
    await finger.lift()
    await bar.get_by_role("button", name="Rotate").tap()
    await expect(page.get_by_text("Rotated 1 photo.")).to_be_visible()
    await _wait_until_red(tile, "right")
    await page.reload()
    await _wait_until_red(tile, "right")
    photo = await _photo(service, flag)
    assert (photo["turn"], photo["width"], photo["height"]) == (90, 600, 900)


async def test_finger_rotates_the_photo_in_the_viewer(
    open_session: OpenBrowserSession, service: Service, flag: int
) -> None:
    gallery = GalleryPage(await open_session(service, phone=True))
    page, image = gallery.page, _viewed(gallery.page)
    await gallery.open()
    await gallery.photo("Flag").tap()
    await gallery.viewer.shows("Flag")
    await _wait_until_red(image, "top")
    await page.get_by_role("button", name="Rotate").tap()
    await _wait_until_red(image, "right")
    await page.get_by_role("button", name="Rotate").tap()
    await _wait_until_red(image, "bottom")
    await page.get_by_role("button", name="Rotate").tap()
    await _wait_until_red(image, "left")
    await page.reload()
    await gallery.viewer.shows("Flag")
    await _wait_until_red(image, "left")
    photo = await _photo(service, flag)
    assert (photo["turn"], photo["width"], photo["height"]) == (270, 600, 900)
