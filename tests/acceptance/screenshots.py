"""Makes pictures of the gallery: ``make screenshots``.

Those of the README go to docs/; all, light and dark, wide and narrow, to screenshots/. The
photographs are those that scikit-image and scikit-learn ship.
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

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))

import browser  # noqa: E402  found beside this folder, as the tests find it
import pictures  # noqa: E402
from acceptance.gallery import Wall, jpeg_file  # noqa: E402
from acceptance.service import Service, serving  # noqa: E402
from acceptance.visits import Visit, shown  # noqa: E402

FOLDER = TESTS.parent / "screenshots"
DOCS = TESTS.parent / "docs"
MAX_BYTES = 300_000

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
SIZES = {
    "wide": ViewportSize(width=1280, height=860),
    "narrow": ViewportSize(width=390, height=780),
}


@dataclass(frozen=True, slots=True)
class Shot:
    """A photograph: its name in scikit-image or scikit-learn, and the part of it that is taken."""

    name: str
    title: str
    part: tuple[float, float, float, float] = (0, 0, 1, 1)
    """Left, top, right, bottom, of one."""

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
"""The newest first."""
SHOWN = "Dahlia"
_DRAG = """() => {
  const dataTransfer = new DataTransfer()
  dataTransfer.items.add(new File([], "photo.jpg"))
  document.body.dispatchEvent(new DragEvent("dragenter", {bubbles: true, dataTransfer}))
}"""


@asynccontextmanager
async def visiting(
    chromium: Browser, service: Service, scheme: Scheme, size: str
) -> AsyncIterator[Wall]:
    phone = size == "narrow"
    context = await chromium.new_context(
        viewport=SIZES[size],
        color_scheme=scheme,
        device_scale_factor=2 if phone else 1,
        is_mobile=phone,
        has_touch=phone,
    )
    wall = Wall(Visit(service=service, context=context, page=await context.new_page()))
    await wall.visit.sign_in()
    yield wall
    await context.close()


async def keep(wall: Wall, what: str, scheme: Scheme, size: str) -> None:
    await wall.page.evaluate(
        "Promise.all([...document.images].map(image => image.decode().catch(() => {})))"
    )
    await wall.page.wait_for_timeout(400)
    await wall.page.screenshot(path=FOLDER / f"{what}-{size}-{scheme}.png")


async def take_empty(chromium: Browser, service: Service) -> None:
    for scheme in SCHEMES:
        for size in SIZES:
            async with visiting(chromium, service, scheme, size) as wall:
                await expect(wall.page.get_by_role("heading", name="No photos yet")).to_be_visible()
                await keep(wall, "empty", scheme, size)


async def take_all(chromium: Browser, service: Service) -> None:
    for number, shot in enumerate(SHOTS):
        when = NEWEST - timedelta(days=4 * number, hours=number)
        await service.add(shot.jpeg(when), title=shot.title)
    for scheme in SCHEMES:
        for size in SIZES:
            async with visiting(chromium, service, scheme, size) as wall:
                await shown(wall.photo(SHOWN).get_by_role("img"))
                await wall.page.evaluate("scrollTo(0, 0)")
                await keep(wall, "wall", scheme, size)
                await wall.photo(SHOWN).click()
                await wall.viewer.shows(SHOWN)
                await keep(wall, "viewer", scheme, size)
                if size == "narrow":
                    await wall.viewer.dialog.get_by_role("button", name="Details").click()
                    await keep(wall, "details", scheme, size)
                await wall.viewer.delete()
                await keep(wall, "deleted", scheme, size)
                await wall.page.get_by_role("button", name="Undo").click()
                await wall.page.go_back()
                await take_uploads(wall, scheme, size)


async def held_up(page: Page, calls: str) -> list[Route]:
    """Leave calls without an answer; they come to stand in the list."""
    waiting: list[Route] = []

    def wait(route: Route) -> None:
        waiting.append(route)

    await page.route(calls, wait)
    return waiting


async def take_states(chromium: Browser, service: Service) -> None:
    """What is seen while the photos load, when they can't, and when a session has ended."""
    for scheme in SCHEMES:
        for size in SIZES:
            async with visiting(chromium, service, scheme, size) as wall:
                page = wall.page
                await shown(wall.photo(SHOWN).get_by_role("img"))
                await page.evaluate(_DRAG)
                await keep(wall, "dropping", scheme, size)
                await page.evaluate(_DRAG.replace("dragenter", "dragleave"))
                await wall.visit.context.set_offline(True)
                await expect(page.get_by_text("You are offline")).to_be_visible()
                await page.evaluate("scrollTo(0, 0)")
                await keep(wall, "offline", scheme, size)
                await wall.visit.context.set_offline(False)
                waiting = await held_up(page, "**/api/photos*")
                await page.reload()
                await keep(wall, "loading", scheme, size)
                for each in waiting:
                    await each.abort()
                await expect(page.get_by_role("alert")).to_be_visible()
                await keep(wall, "failed", scheme, size)
                await page.unroute("**/api/photos*")
                await wall.visit.context.clear_cookies()
                await page.get_by_role("button", name="Try again").click()
                await expect(page.get_by_label("Token")).to_be_visible()
                await keep(wall, "ended", scheme, size)


async def take_uploads(wall: Wall, scheme: Scheme, size: str) -> None:
    wire = await wall.visit.context.new_cdp_session(wall.page)
    await wire.send("Network.enable")
    slow = {"offline": False, "latency": 5, "downloadThroughput": -1, "uploadThroughput": 600_000}
    await wire.send("Network.emulateNetworkConditions", slow)
    files = [
        jpeg_file(f"IMG_{number}.jpg", pictures.jpeg() + pictures.noise(700_000 * (number - 4801)))
        for number in range(4802, 4806)
    ]
    half = jpeg_file("IMG_4801.jpg", pictures.cut(pictures.jpeg(), 60))
    await wall.choose(half, *files)
    await expect(wall.upload("IMG_4801.jpg")).to_contain_text("damaged", timeout=20_000)
    await wall.page.wait_for_timeout(1_200)
    await keep(wall, "uploads", scheme, size)
    await wall.tray.get_by_role("button", name="Cancel all").click()


async def take(service: Service, program: Path) -> None:
    """Take all of them."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=program, args=list(browser.ARGUMENTS)
        )
        await take_empty(chromium, service)
        await take_all(chromium, service)
        await take_states(chromium, service)
        await chromium.close()


def publish(scheme: Scheme) -> None:
    """Put the README's picture into docs/."""
    target = DOCS / f"gallery-{scheme}.jpg"
    picture = Image.open(FOLDER / f"wall-wide-{scheme}.png").convert("RGB")
    picture.save(target, quality=86, optimize=True, progressive=True)
    size = target.stat().st_size
    if size > MAX_BYTES:
        sys.exit(f"screenshots: {target} has {size} bytes, more than {MAX_BYTES}")


def main() -> None:
    program = browser.find()
    if program is None:
        sys.exit(f"screenshots: {browser.MISSING}")
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        with serving(Path(folder) / "data") as service:
            asyncio.run(take(service, program))
    for scheme in SCHEMES:
        publish(scheme)


if __name__ == "__main__":
    main()
