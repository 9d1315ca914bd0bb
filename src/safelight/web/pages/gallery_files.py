"""The built files of ``frontend/``.

Their names contain a digest of their content, so browsers may cache them forever.
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from starlette.responses import Response
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).parents[1] / "gallery_files"
MISSING = (
    "The gallery is not built. Run `make gallery` in the checkout (it needs npm's registry once)"
    " and restart. Until then, use the simple page at /simple-upload."
)

_ENTRY = "src/main.tsx"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryBuild:
    """The first files of the gallery in one language, by their paths below ``/gallery``."""

    script: str
    styles: tuple[str, ...]
    preloads: tuple[str, ...]
    """Scripts that the entry script imports."""

    @classmethod
    def load(cls, language: str, folder: Path = FOLDER) -> Self | None:
        """Read Vite's manifest. Return None, and log a warning, if it is missing."""
        try:
            manifest = json.loads((folder / f"manifest.{language}.json").read_text())
        except FileNotFoundError:
            _log.warning(MISSING)
            return None
        entry = manifest[_ENTRY]
        imported = [manifest[name] for name in entry.get("imports", ())]
        return cls(
            script=entry["file"],
            styles=tuple(style for chunk in (*imported, entry) for style in chunk.get("css", ())),
            preloads=tuple(chunk["file"] for chunk in imported),
        )


class GalleryFiles(StaticFiles):
    """Serves the built files, whose content never changes."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER, check_dir=False)

    def file_response(self, *args: object, **options: object) -> Response:
        """Let browsers cache the file for a year."""
        response = super().file_response(*args, **options)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
