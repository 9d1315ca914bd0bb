"""Notice when a disk that was full has space again."""

import os
from pathlib import Path
from typing import Final

_LOW: Final = 0.02
"""SeaweedFS stops writing below one percent. It looks once a minute, also for space again."""


class DiskSpace:
    """The free space of the disk that a directory is on."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._was_low = False

    def is_back(self) -> bool:
        """Return whether there is space, but was none when this was last called."""
        was_low, self._was_low = self._was_low, self._is_low()
        return was_low and not self._was_low

    def _is_low(self) -> bool:
        try:
            found = os.statvfs(self._directory)
        except OSError:
            return False
        return found.f_bavail < _LOW * found.f_blocks
