"""Renditions have the colours in which a real browser shows the originals."""

import base64
import io
from collections.abc import Mapping
from datetime import timedelta

import numpy as np
from PIL import Image
from playwright.async_api import Browser

from safelight.darkroom.pool import Darkroom
from safelight.settings import LimitSettings
from support import colours, pictures
from support.colours import PRIMARIES, avif, chrm, cicp, gama, png
from support.darkrooms import render

WIDTH, HEIGHT = 128, 96
PATCHES = colours.patches()
_CONTENT = pictures.png_chunk(b"cLLI", (4_000_000).to_bytes(4, "big") + bytes(4))
PICTURES = {
    "png in P3": png(PATCHES, cicp(12, 13)),
    "png in BT.2020": png(PATCHES, cicp(9, 14)),
    "png in PQ": png(PATCHES, cicp(9, 16)),
    "png in PQ with a peak": png(PATCHES, cicp(9, 16), _CONTENT),
    "png in HLG": png(PATCHES, cicp(9, 18)),
    "png of light": png(PATCHES, gama(1.0)),
    "png of gamma 2.2": png(PATCHES, gama(1 / 2.2), chrm(PRIMARIES[1])),
    "png with both": png(PATCHES, gama(1 / 1.8), chrm(PRIMARIES[12])),
    "png of 16 bits": colours.png_16_bit(PATCHES, gama(1.0), chrm(PRIMARIES[9])),
    "png with chromaticities only": png(PATCHES, chrm(PRIMARIES[12])),
    "png with reserved codes": png(PATCHES, cicp(3, 13), gama(0.7)),
    "avif in P3": avif(PATCHES, 12, 13),
    "avif in BT.2020": avif(PATCHES, 9, 1),
    "avif in DCI-P3": avif(PATCHES, 11, 17),
    "avif in PQ": avif(PATCHES, 9, 16),
    "avif in HLG": avif(PATCHES, 9, 18),
    "avif of light": avif(PATCHES, 1, 8),
    "avif with other codes": avif(PATCHES, 3, 200),
    "jpeg with a profile of PQ": pictures.save(
        Image.fromarray(PATCHES), "JPEG", quality=100, icc_profile=colours.profile_with_codes(9, 16)
    ),
    "webp with a profile of HLG": pictures.save(
        Image.fromarray(PATCHES), "WEBP", icc_profile=colours.profile_with_codes(9, 18)
    ),
    "avif without a property": colours.avif_without_property(PATCHES, 12, 13),
}
LIMIT = 2.0


async def test_renditions_look_as_in_a_browser(chromium: Browser) -> None:
    shown = await _show(chromium, PICTURES)
    room = Darkroom(LimitSettings(decode_seconds=timedelta(minutes=2)), children=1)
    await room.start()
    try:
        made = {name: (await render(room, data))[1] for name, data in PICTURES.items()}
    finally:
        await room.close()
    errors = {name: colours.error(made[name].images[-1].data, shown[name]) for name in PICTURES}
    assert {name: error for name, error in errors.items() if error > LIMIT} == {}


async def _show(chromium: Browser, files: Mapping[str, bytes]) -> dict[str, colours.Pixels]:
    """Return the pixels of a screenshot of each image."""
    tags = "".join(
        f'<img src="data:image/{name.partition(" ")[0]};base64,{base64.b64encode(data).decode()}">'
        for name, data in files.items()
    )
    style = f"<style>body {{margin: 0}} img {{display: block; height: {HEIGHT}px}}</style>"
    page = await chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT * len(files)})
    await page.set_content(style + tags)
    await page.evaluate("() => Promise.all([...document.images].map(each => each.decode()))")
    screenshot = await page.screenshot()
    await page.close()
    pixels = np.asarray(Image.open(io.BytesIO(screenshot)).convert("RGB"))
    return {
        name: pixels[number * HEIGHT : (number + 1) * HEIGHT] for number, name in enumerate(files)
    }
