"""The gallery's program, as ``frontend/`` was built: which files a page of it needs.

The files' names hold a digest of what is in them, so browsers may keep them for ever.
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from starlette.responses import Response
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).with_name("gallery_files")
MISSING = (
    "The gallery was not built: run `make gallery` in the checkout and start again. It needs npm's"
    " registry once. Until then there is the plain page at /simple-upload."
)

FIRST_PAGE = "/api/photos?limit=60&order=taken"
"""What the program asks for first, exactly so: the page says it before the program has come."""

_ENTRY = "src/main.tsx"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """The first files of the gallery, by their paths below ``/gallery``."""

    script: str
    styles: tuple[str, ...]
    preloads: tuple[str, ...]
    """Scripts that the first one imports at once."""

    @classmethod
    def found(cls, folder: Path = FOLDER) -> Self | None:
        """Read Vite's manifest; None, and a warning, if nothing was built."""
        try:
            manifest = json.loads((folder / "manifest.json").read_text())
        except FileNotFoundError:
            _log.warning(MISSING)
            return None
        entry = manifest[_ENTRY]
        imported = [manifest[name] for name in entry.get("imports", ())]
        return cls(
            script=entry["file"],
            styles=tuple(style for each in (*imported, entry) for style in each.get("css", ())),
            preloads=tuple(each["file"] for each in imported),
        )


class Assets(StaticFiles):
    """The built files, which never change under their names."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER, check_dir=False)

    def file_response(self, *args: object, **options: object) -> Response:
        """Let browsers keep it for a year."""
        response = super().file_response(*args, **options)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
