"""An engine's log: the current file and the one before it, each of limited size."""

import os
import shutil
from pathlib import Path

_LIMIT = 8 * 1024 * 1024


class LogFile:
    """A log file that an engine writes to, by a descriptor that it inherits.

    It is rotated by copying and truncating it. The engine doesn't notice, since it only appends;
    lines written between the two steps are lost.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self) -> int:
        """Return a descriptor for appending; the caller closes it."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(self.path, flags, 0o600)

    def rotate(self, limit: int = _LIMIT) -> None:
        """Rotate the file if it is larger than `limit` bytes. Ignores errors."""
        try:
            if self.path.stat().st_size > limit:
                shutil.copyfile(self.path, self.path.with_suffix(".old.log"))
                os.truncate(self.path, 0)
        except OSError:
            return

    def tail(self, size: int = 2000) -> str:
        """Return the last `size` bytes, or an empty string if there is no file."""
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, self.path.stat().st_size - size))
                return file.read().decode(errors="replace").strip()
        except OSError:
            return ""
