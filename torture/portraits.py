"""Good pictures, each with bytes of its own."""

import io
import random

import numpy as np
from PIL import Image

import pictures

_SIZES = ((300, 200), (640, 480), (900, 700), (1400, 1000))
_LARGE = 5 * 1024 * 1024
"""An upload in parts has a second one past this."""


class Portraits:
    """Makes JPEGs that differ in a comment alone, so that each costs nothing to make."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._plain = [pictures.jpeg(*size) for size in _SIZES]
        self._large = _noise(seed)

    def one(self, name: str, dice: random.Random, *, large: bool = False) -> bytes:
        """Make the picture of a name; the same one for the same dice."""
        data = self._large if large else dice.choice(self._plain)
        said = f"{self._seed} {name}".encode()
        return data[:2] + b"\xff\xfe" + (len(said) + 2).to_bytes(2) + said + data[2:]


def _noise(seed: int) -> bytes:
    """Make a picture that takes two parts: of noise, which compresses badly."""
    pixels = np.random.default_rng(seed).integers(0, 256, (1300, 1600, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=100, subsampling=0)
    assert file.tell() > _LARGE, file.tell()
    return file.getvalue()
