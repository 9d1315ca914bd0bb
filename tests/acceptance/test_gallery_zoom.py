"""Zooming in the viewer, up to the original where browsers show it."""

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from PIL import Image
from playwright.async_api import FloatRect, Route, expect

from support import pictures
from support.browser_session import BrowserSession, OpenBrowserSession
from support.gallery import GalleryPage
from support.service import Service, run_service

WIDTH, HEIGHT = 4_400, 2_400
"""Much more than the largest rendition has."""
LARGEST = 2_560
SOME, MUCH = 128, 200
"""Differences of brightness: of a rendition, and of the original."""
_REFUSE_TO_DECODE = """HTMLImageElement.prototype.decode = () =>
  Promise.reject(new DOMException("The source image cannot be decoded.", "EncodingError"))"""
"""As Chromium does with images of 200 megapixels, which it shows anyway."""


def _detailed() -> Image.Image:
    """Return a grey image with a square of black and white lines that renditions turn into grey."""
    image = Image.new("L", (WIDTH, HEIGHT), 128)
    lines = Image.frombytes("L", (2, 1), b"\x00\xff").resize((2, 600), Image.Resampling.NEAREST)
    for left in range(WIDTH // 2 - 400, WIDTH // 2 + 400, 2):
        image.paste(lines, (left, HEIGHT // 2 - 300))
    return image


def _heic() -> bytes:
    file = io.BytesIO()
    image = pillow_heif.from_pillow(Image.new("RGB", (WIDTH, HEIGHT), "grey"))
    image.save(file, enc_params={"preset": pictures.X265_PRESET})
    return file.getvalue()


@pytest.fixture(scope="module")
def service(open_tmp_path: Path) -> Iterator[Service]:
    """A separate service, since the gallery shows all of its photos."""
    with run_service(open_tmp_path / "zoom") as started:
        yield started


@pytest.fixture(scope="module")
async def photos(service: Service) -> dict[str, dict[str, Any]]:
    """The photos by the name of their format."""
    files = {form: pictures.save(_detailed(), form) for form in ("JPEG", "PNG")}
    files["HEIC"] = _heic()
    for form, data in files.items():
        await service.add(data, title=form)
    async with service.api() as api:
        return {each["title"]: each for each in (await api.get("/api/photos")).json()}


class ZoomedPhoto:
    """A photo in the viewer, zoomed to the size of its original."""

    def __init__(self, gallery: GalleryPage) -> None:
        self.page = gallery.page
        self.image = gallery.viewer.dialog.locator(
            ".pswp__item[aria-hidden=false] .pswp__img:not(.pswp__img--placeholder)"
        )

    async def zoom_in(self, width: int) -> None:
        """Turn the wheel until one pixel of an image of this width is one of the screen."""
        await expect(self.image).to_have_js_property("complete", True)  # noqa: FBT003  the value
        await self.page.mouse.move(*await self._middle())
        async with asyncio.timeout(30):
            while await self.image.evaluate(_WIDTH) < width - 1:
                await self.page.mouse.wheel(0, -200)

    async def _middle(self) -> tuple[float, float]:
        """Return where the middle of the image is in the window."""
        box = await self.image.bounding_box()
        assert box
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    async def contrast(self) -> int:
        """Return the difference of the lightest and the darkest pixel in the image's middle."""
        left, top = await self._middle()
        area = FloatRect(x=left - 20, y=top - 20, width=40, height=40)
        shot = Image.open(io.BytesIO(await self.page.screenshot(clip=area))).convert("L")
        return max(shot.tobytes()) - min(shot.tobytes())

    async def shows_lines(self) -> None:
        """Wait until the image's middle has black and white pixels."""
        async with asyncio.timeout(30):
            while await self.contrast() < MUCH:
                await self.image.evaluate(_WIDTH)


_WIDTH = """async (image) => {
  await new Promise(requestAnimationFrame)
  return image.getBoundingClientRect().width
}"""


async def _open(session: BrowserSession, photo: dict[str, Any]) -> ZoomedPhoto:
    gallery = GalleryPage(session)
    await gallery.open(f"/photo/{photo['id']}")
    await gallery.viewer.shows(photo["title"])
    return ZoomedPhoto(gallery)


@pytest.mark.parametrize(("form", "decodes"), [("JPEG", True), ("JPEG", False), ("PNG", False)])
async def test_zoom_shows_the_pixels_of_the_original(
    open_session: OpenBrowserSession,
    service: Service,
    photos: dict[str, dict[str, Any]],
    form: str,
    *,
    decodes: bool,
) -> None:
    session = await open_session(service)
    if not decodes:
        await session.context.add_init_script(_REFUSE_TO_DECODE)
    zoomed = await _open(session, photos[form])
    assert await zoomed.contrast() < SOME
    await zoomed.zoom_in(WIDTH)
    await expect(zoomed.image).to_have_js_property("currentSrc", photos[form]["original_url"])
    await zoomed.shows_lines()


async def test_zoom_ends_at_the_largest_rendition_of_what_browsers_do_not_show(
    open_session: OpenBrowserSession, service: Service, photos: dict[str, dict[str, Any]]
) -> None:
    photo = photos["HEIC"]
    session = await open_session(service)
    zoomed = await _open(session, photo)
    await zoomed.zoom_in(LARGEST)
    await expect(zoomed.image).to_have_js_property("currentSrc", _largest(service, photo))
    assert photo["original_url"] not in session.requests


async def test_original_that_is_damaged_on_the_way_leaves_the_largest_rendition(
    open_session: OpenBrowserSession, service: Service, photos: dict[str, dict[str, Any]]
) -> None:
    """It is loaded again, at the latest when the zoom changes, and then shown."""
    photo = photos["JPEG"]
    session = await open_session(service)
    zoomed = await _open(session, photo)
    is_repaired = asyncio.Event()

    async def damage(route: Route) -> None:
        if is_repaired.is_set():
            await route.continue_()
        else:
            await route.fulfill(body=b"no image", content_type="image/jpeg")

    await zoomed.page.route(lambda url: url == photo["original_url"], damage)
    # The largest rendition may be shown on the way, before the original is requested.
    async with zoomed.page.expect_request(lambda sent: sent.url == photo["original_url"]):
        await zoomed.zoom_in(WIDTH)
    await expect(zoomed.image).to_have_js_property("currentSrc", _largest(service, photo))
    assert await zoomed.contrast() < SOME
    is_repaired.set()
    await zoomed.page.mouse.wheel(0, 200)
    await zoomed.zoom_in(WIDTH)
    await expect(zoomed.image).to_have_js_property("currentSrc", photo["original_url"])
    await zoomed.shows_lines()


def _largest(service: Service, photo: dict[str, Any]) -> str:
    return f"{service.url}/api/photos/{photo['id']}/w{LARGEST}"
