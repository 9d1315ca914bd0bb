"""Make the photograph to upload, as large and as hard to compress as a phone's."""

import io
from importlib.resources import files
from pathlib import Path

from PIL import Image

WIDTH, HEIGHT = 4000, 2668
BYTES = 2_400_000
_NEAR = 0.02


def make(path: Path, height: int = HEIGHT, profile: bytes | None = None) -> Path:
    """Write a JPEG of about BYTES: a real photograph enlarged, with a sensor's noise added."""
    source = files("sklearn") / "datasets" / "images" / "china.jpg"
    with source.open("rb") as stream, Image.open(stream) as small:
        large = small.convert("RGB").resize((WIDTH, height), Image.Resampling.BICUBIC)
    noise = Image.effect_noise((WIDTH, height), 64).convert("RGB")
    low, high = 0.0, 0.5
    while True:
        share = (low + high) / 2
        data = _jpeg(Image.blend(large, noise, share), profile)
        if abs(len(data) - BYTES) < _NEAR * BYTES:
            path.write_bytes(data)
            return path
        low, high = (share, high) if len(data) < BYTES else (low, share)


def _jpeg(image: Image.Image, profile: bytes | None) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=85, icc_profile=profile)
    return stream.getvalue()
