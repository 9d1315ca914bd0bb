"""Make good photos, each with different bytes."""

import io
import random

import numpy as np
from PIL import Image

from support import pictures

_SIZES = ((300, 200), (640, 480), (900, 700), (1400, 1000))
_LARGE = 5 * 1024 * 1024
"""A larger upload in parts has a second part."""


class PhotoMaker:
    """Makes JPEGs that differ only in a comment, which takes no time."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._plain = [pictures.jpeg(*size) for size in _SIZES]
        self._large = _noise(seed)

    def make(self, name: str, rng: random.Random, *, large: bool = False) -> bytes:
        """Make the photo of a name; the same for the same state of `rng`."""
        data = self._large if large else rng.choice(self._plain)
        comment = f"{self._seed} {name}".encode()
        return data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + data[2:]


def _noise(seed: int) -> bytes:
    """Make a photo of noise, which compresses badly, so that it needs two parts."""
    pixels = np.random.default_rng(seed).integers(0, 256, (1300, 1600, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=100, subsampling=0)
    assert file.tell() > _LARGE, file.tell()
    return file.getvalue()
