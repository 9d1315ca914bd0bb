"""Hatch build hook: builds the gallery and adds it to wheels and source archives.

A source archive contains the gallery's sources and its build, so building a wheel from it needs no
Node. For editable installs, run `make gallery` instead.
"""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent / "frontend"))

import build


class GalleryHook(BuildHookInterface):  # type: ignore[type-arg]  # any builder config
    """Builds the gallery before Hatch collects the files."""

    def dependencies(self) -> list[str]:
        """Return the Node wheel if the gallery must be built and Node is missing."""
        needed = not build.is_current() and build.find_npm() is None
        return [build.NODE_WHEEL] if needed else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the gallery, except for editable installs."""
        if version != "editable":
            build.build()
            build_data["artifacts"].append("src/safelight/web/gallery_files")
