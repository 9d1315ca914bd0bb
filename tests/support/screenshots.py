"""Take screenshots of the gallery: ``make screenshots``.

All states are saved to screenshots/: light and dark, wide and narrow. The README's screenshots are
saved to docs/ too. The photos come with scikit-image and scikit-learn.
"""

import asyncio
import io
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import skimage.data
import sklearn.datasets
from PIL import Image
from playwright.async_api import Browser, Page, Route, ViewportSize, async_playwright, expect

from support import browser, pictures
from support.browser_session import BrowserSession, wait_for_image
from support.gallery import GalleryPage, jpeg_file
from support.service import Service, run_service

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "screenshots"
DOCS = ROOT / "docs"
MAX_BYTES = 300_000

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
SIZES = {
    "wide": ViewportSize(width=1280, height=860),
    "narrow": ViewportSize(width=390, height=780),
}


@dataclass(frozen=True, slots=True)
class Shot:
    """A photo: its name in scikit-image or scikit-learn, and how to crop it."""

    name: str
    title: str
    part: tuple[float, float, float, float] = (0, 0, 1, 1)
    """Left, top, right and bottom, as fractions of the size."""

    def jpeg(self, when: datetime) -> bytes:
        pixels: Any = (
            sklearn.datasets.load_sample_image(self.name)
            if "." in self.name
            else getattr(skimage.data, self.name)()
        )
        image = Image.fromarray(pixels).convert("RGB")
        sides = (image.width, image.height) * 2
        image = image.crop(
            tuple(int(side * at) for side, at in zip(sides, self.part, strict=True))  # type: ignore[arg-type]  # four
        )
        exif = Image.Exif()
        exif[0x010F], exif[0x0110] = "FUJIFILM", "FUJIFILM X100V"
        exif.get_ifd(0x8769)[0x9003] = when.strftime("%Y:%m:%d %H:%M:%S")
        file = io.BytesIO()
        image.save(file, "JPEG", quality=92, exif=exif.tobytes())
        return file.getvalue()


NEWEST = datetime(2024, 6, 28, 17, 42)  # noqa: DTZ001  a camera's clock has no zone
SHOTS = (
    Shot("china.jpg", "Summer Palace"),
    Shot("chelsea", "Chelsea"),
    Shot("flower.jpg", "Dahlia"),
    Shot("coffee", "Coffee"),
    Shot("rocket", "Before dawn"),
    Shot("astronaut", "Eileen Collins"),
    Shot("hubble_deep_field", "Deep field"),
    Shot("moon", "The Moon"),
    Shot("china.jpg", "From the lake", (0.0, 0.2, 0.62, 1.0)),
    Shot("camera", "The cameraman"),
    Shot("flower.jpg", "Petals", (0.25, 0.15, 0.8, 0.95)),
    Shot("coins", "Coins"),
    Shot("rocket", "On the pad", (0.2, 0.1, 0.85, 1.0)),
    Shot("coffee", "The second cup", (0.1, 0.0, 0.8, 1.0)),
    Shot("hubble_deep_field", "Nearly everything here is a galaxy", (0.0, 0.1, 0.9, 0.75)),
    Shot("chelsea", "Asleep", (0.1, 0.0, 0.75, 1.0)),
)
"""Newest first."""
SHOWN = "Dahlia"
_DRAG = """() => {
  const dataTransfer = new DataTransfer()
  dataTransfer.items.add(new File([], "photo.jpg"))
  document.body.dispatchEvent(new DragEvent("dragenter", {bubbles: true, dataTransfer}))
}"""


@asynccontextmanager
async def open_session(
    chromium: Browser, service: Service, scheme: Scheme, size: str
) -> AsyncIterator[GalleryPage]:
    phone = size == "narrow"
    context = await chromium.new_context(
        viewport=SIZES[size],
        color_scheme=scheme,
        device_scale_factor=2 if phone else 1,
        is_mobile=phone,
        has_touch=phone,
    )
    gallery = GalleryPage(
        BrowserSession(service=service, context=context, page=await context.new_page())
    )
    await gallery.session.sign_in()
    yield gallery
    await context.close()


async def save(gallery: GalleryPage, state: str, scheme: Scheme, size: str) -> None:
    await gallery.page.evaluate(
        "Promise.all([...document.images].map(image => image.decode().catch(() => {})))"
    )
    await gallery.page.wait_for_timeout(400)
    await gallery.page.screenshot(path=FOLDER / f"{state}-{size}-{scheme}.png")


async def take_empty(chromium: Browser, service: Service) -> None:
    for scheme in SCHEMES:
        for size in SIZES:
            async with open_session(chromium, service, scheme, size) as gallery:
                await expect(
                    gallery.page.get_by_role("heading", name="No photos yet")
                ).to_be_visible()
                await save(gallery, "empty", scheme, size)


async def take_all(chromium: Browser, service: Service) -> None:
    for number, shot in enumerate(SHOTS):
        when = NEWEST - timedelta(days=4 * number, hours=number)
        await service.add(shot.jpeg(when), title=shot.title)
    for scheme in SCHEMES:
        for size in SIZES:
            async with open_session(chromium, service, scheme, size) as gallery:
                await wait_for_image(gallery.photo(SHOWN).get_by_role("img"))
                await gallery.page.evaluate("scrollTo(0, 0)")
                await save(gallery, "grid", scheme, size)
                await gallery.photo(SHOWN).click()
                await gallery.viewer.shows(SHOWN)
                await save(gallery, "viewer", scheme, size)
                if size == "narrow":
                    await gallery.viewer.dialog.get_by_role("button", name="Details").click()
                    await save(gallery, "details", scheme, size)
                await gallery.viewer.delete()
                await save(gallery, "deleted", scheme, size)
                await gallery.page.get_by_role("button", name="Undo").click()
                await gallery.viewer.shows(SHOWN)
                await gallery.page.go_back()
                await take_uploads(gallery, scheme, size)


async def hold_requests(page: Page, pattern: str) -> list[Route]:
    """Hold matching requests back. Return a list that receives them."""
    waiting: list[Route] = []

    def wait(route: Route) -> None:
        waiting.append(route)

    await page.route(pattern, wait)
    return waiting


async def take_states(chromium: Browser, service: Service) -> None:
    """Take the page while dragging, offline, while loading, after an error and a session's end."""
    for scheme in SCHEMES:
        for size in SIZES:
            async with open_session(chromium, service, scheme, size) as gallery:
                page = gallery.page
                await wait_for_image(gallery.photo(SHOWN).get_by_role("img"))
                await page.evaluate(_DRAG)
                await save(gallery, "dropping", scheme, size)
                await page.evaluate(_DRAG.replace("dragenter", "dragleave"))
                await gallery.session.context.set_offline(True)
                await expect(page.get_by_text("You are offline")).to_be_visible()
                await page.evaluate("scrollTo(0, 0)")
                await save(gallery, "offline", scheme, size)
                await gallery.session.context.set_offline(False)
                waiting = await hold_requests(page, "**/api/photos*")
                await page.reload()
                await save(gallery, "loading", scheme, size)
                for route in waiting:
                    await route.abort()
                await expect(page.get_by_role("alert")).to_be_visible()
                await save(gallery, "failed", scheme, size)
                await page.unroute("**/api/photos*")
                await gallery.session.context.clear_cookies()
                await page.get_by_role("button", name="Try again").click()
                await expect(page.get_by_label("Token")).to_be_visible()
                await save(gallery, "ended", scheme, size)


async def take_uploads(gallery: GalleryPage, scheme: Scheme, size: str) -> None:
    wire = await gallery.session.context.new_cdp_session(gallery.page)
    await wire.send("Network.enable")
    slow = {"offline": False, "latency": 5, "downloadThroughput": -1, "uploadThroughput": 600_000}
    await wire.send("Network.emulateNetworkConditions", slow)
    files = [
        jpeg_file(f"IMG_{number}.jpg", pictures.jpeg() + pictures.noise(700_000 * (number - 4801)))
        for number in range(4802, 4806)
    ]
    half = jpeg_file("IMG_4801.jpg", pictures.truncate(pictures.jpeg(), 60))
    await gallery.choose(half, *files)
    await expect(gallery.upload("IMG_4801.jpg")).to_contain_text("damaged", timeout=60_000)
    await gallery.page.wait_for_timeout(1_200)
    await save(gallery, "uploads", scheme, size)
    await gallery.uploads.get_by_role("button", name="Cancel all").click()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "IMG_4806.jpg").write_bytes(pictures.jpeg())
        for number in range(3):
            (folder / f"notes {number}.txt").write_bytes(pictures.TEXT)
        await gallery.uploads.get_by_role("button", name="Close").click()
        await gallery.drop_folder(folder)
        await expect(gallery.uploads.get_by_text("were left out")).to_be_visible()
        await gallery.page.wait_for_timeout(1_500)
        await save(gallery, "folder", scheme, size)
    await gallery.uploads.get_by_role("button", name="Close").click()
    async with gallery.session.service.api() as api:
        for photo in (await api.get("/api/photos")).json():
            if photo["filename"] == "IMG_4806.jpg":
                await api.delete(f"/api/photos/{photo['id']}")


async def take(service: Service, program: Path) -> None:
    """Take all screenshots."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=program,
            args=list(browser.ARGUMENTS),
            env=dict(browser.environment(program)),
        )
        await take_empty(chromium, service)
        await take_all(chromium, service)
        await take_states(chromium, service)
        await chromium.close()


def publish(scheme: Scheme) -> None:
    """Save the README's screenshot to docs/."""
    target = DOCS / f"gallery-{scheme}.jpg"
    picture = Image.open(FOLDER / f"grid-wide-{scheme}.png").convert("RGB")
    picture.save(target, quality=86, optimize=True, progressive=True)
    size = target.stat().st_size
    if size > MAX_BYTES:
        sys.exit(
            f"screenshots: {target} is too large ({size // 1000} KB)."
            f" The limit is {MAX_BYTES // 1000} KB."
        )


def main() -> None:
    program = browser.find()
    if program is None:
        sys.exit(f"screenshots: {browser.MISSING}")
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        with run_service(Path(folder) / "data", empty=True) as service:
            asyncio.run(take(service, program))
    for scheme in SCHEMES:
        publish(scheme)


if __name__ == "__main__":
    main()
