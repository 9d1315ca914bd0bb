"""What is on the store's disk: its buckets, and whether it has space again."""

import glob
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


def has_bucket(directory: Path, bucket: str) -> bool:
    """Return whether an object was ever stored in a bucket, which every start with it does.

    Each bucket has volumes of its own, whose files have its name.
    """
    return any(directory.glob(f"{glob.escape(bucket)}_*.dat"))
