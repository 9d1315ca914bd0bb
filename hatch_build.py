"""Builds the gallery before a wheel or a source archive is made, and puts it in.

An archive carries both the sources and what was built of them, so a wheel can be made of it
without Node. An editable install leaves the building to `make gallery`.
"""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent / "frontend"))

import build


class GalleryHook(BuildHookInterface):  # type: ignore[type-arg]  # whatever is built
    """Hatch calls it."""

    def dependencies(self) -> list[str]:
        """Ask for Node where something has to be built and there is none."""
        needed = not build.is_current() and build.node() is None
        return [build.NODE_WHEEL] if needed else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build."""
        if version != "editable":
            build.build()
            build_data["artifacts"].append("src/safelight/web/gallery_files")
