"""What an engine prints: kept in one file and the one before it, each of bounded size."""

import os
import shutil
from pathlib import Path

_LIMIT = 8 * 1024 * 1024


class Journal:
    """A log file that an engine writes to by a descriptor it was given.

    It is cut by copying it aside and emptying it, which needs nothing of the writer, since all
    writes are appends; what is written in between the two is lost.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self) -> int:
        """Give a descriptor to append by; the caller closes it."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(self.path, flags, 0o600)

    def cut(self, limit: int = _LIMIT) -> None:
        """Begin anew if it has grown past `limit` bytes. Nothing is raised: it is only a log."""
        try:
            if self.path.stat().st_size > limit:
                shutil.copyfile(self.path, self.path.with_suffix(".old.log"))
                os.truncate(self.path, 0)
        except OSError:
            return

    def last(self, size: int = 2000) -> str:
        """Read the end of it, at most `size` bytes."""
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, self.path.stat().st_size - size))
                return file.read().decode(errors="replace").strip()
        except OSError:
            return ""
