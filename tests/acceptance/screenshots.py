"""Makes docs/screenshot.png, the picture of the page in the README: ``make screenshots``.

The photographs are those that scikit-image and scikit-learn ship.
"""

import asyncio
import io
import sys
import tempfile
from pathlib import Path
from typing import Any

import skimage.data
import sklearn.datasets
from PIL import Image
from playwright.async_api import ViewportSize, async_playwright

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))

import browser  # noqa: E402  found beside this folder, as the tests find it
from acceptance.service import Service, serving  # noqa: E402
from acceptance.visits import Visit, shown  # noqa: E402

SCREENSHOT = TESTS.parent / "docs" / "screenshot.png"
MAX_BYTES = 400_000
SIZE = ViewportSize(width=1120, height=970)

TITLES = {
    "moon": ("The Moon", "Through the small telescope"),
    "hubble_deep_field": ("Deep field", "Nearly everything here is a galaxy"),
    "rocket": ("Before dawn", "On the pad, an hour to go"),
    "astronaut": ("Eileen Collins", ""),
    "flower.jpg": ("Dahlia", "Behind the greenhouse"),
    "china.jpg": ("Summer Palace", "From the lake"),
    "coffee": ("Coffee", "The second one of the day"),
    "chelsea": ("Chelsea", "She had been asleep"),
}
"""Oldest first; names of scikit-image's functions, and of scikit-learn's files."""


def photograph(name: str) -> bytes:
    pixels: Any = (
        sklearn.datasets.load_sample_image(name) if "." in name else getattr(skimage.data, name)()
    )
    file = io.BytesIO()
    Image.fromarray(pixels).convert("RGB").save(file, "JPEG", quality=92)
    return file.getvalue()


async def take(service: Service, program: Path) -> bytes:
    """The page with the photos, as a visitor sees it."""
    for name, (title, description) in TITLES.items():
        await service.add(photograph(name), title=title, description=description)
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=program, args=list(browser.ARGUMENTS)
        )
        context = await chromium.new_context(viewport=SIZE)
        visit = Visit(service=service, context=context, page=await context.new_page())
        await visit.sign_in()
        for image in await visit.page.locator(".photos img").all():
            await shown(image)
        await visit.page.evaluate("scrollTo(0, 0)")
        picture = await visit.page.screenshot()
        await chromium.close()
    return picture


def few_colours(picture: Image.Image) -> Image.Image:
    """The same in 256 colours, what is nearly white being white: it has to be small."""
    few = picture.quantize(palette=picture.quantize(256))
    colours = iter(few.getpalette() or [])
    whitened = (
        (255, 255, 255) if min(each) > 248 else each for each in zip(*[colours] * 3, strict=True)
    )
    few.putpalette([level for colour in whitened for level in colour])
    return few


def main() -> None:
    program = browser.find()
    if program is None:
        sys.exit(f"screenshots: {browser.MISSING}")
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "data") as service:
        picture = Image.open(io.BytesIO(asyncio.run(take(service, program))))
    few_colours(picture.convert("RGB")).save(SCREENSHOT, optimize=True)
    size = SCREENSHOT.stat().st_size
    if size > MAX_BYTES:
        sys.exit(f"screenshots: {SCREENSHOT} has {size} bytes, more than {MAX_BYTES}")


if __name__ == "__main__":
    main()
