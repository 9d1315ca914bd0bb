"""How near a rendition is to its photo to the eye: SSIMULACRA2, by the package of that name."""

import io
import tempfile
from pathlib import Path

from PIL import Image
from ssimulacra2 import compute_ssimulacra2


def score(photo: Path, rendition: bytes) -> float:
    """Hold a rendition against its photo, shrunk by Pillow's Lanczos filter; 100 is the same."""
    with tempfile.TemporaryDirectory() as folder:
        expected, found = Path(folder) / "expected.png", Path(folder) / "found.png"
        with Image.open(io.BytesIO(rendition)) as picture, Image.open(photo) as original:
            picture.convert("RGB").save(found)
            shrunk = original.convert("RGB").resize(picture.size, Image.Resampling.LANCZOS)
            shrunk.save(expected)
        return float(compute_ssimulacra2(str(expected), str(found)))
