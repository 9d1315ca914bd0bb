"""Score the visual similarity of a rendition and its photo with SSIMULACRA2."""

import io
import tempfile
from pathlib import Path

from PIL import Image
from ssimulacra2 import compute_ssimulacra2


def score(photo: Path, rendition: bytes) -> float:
    """Compare a rendition with its photo, shrunk by Pillow's Lanczos filter; 100 is identical."""
    with tempfile.TemporaryDirectory() as folder:
        expected, found = Path(folder) / "expected.png", Path(folder) / "found.png"
        with Image.open(io.BytesIO(rendition)) as picture, Image.open(photo) as original:
            picture.convert("RGB").save(found)
            shrunk = original.convert("RGB").resize(picture.size, Image.Resampling.LANCZOS)
            shrunk.save(expected)
        return float(compute_ssimulacra2(str(expected), str(found)))
