"""One Safelight at a time on a data directory."""

import fcntl
import os
from pathlib import Path

from safelight.errors import EngineError


class Lock:
    """An exclusive lock on a file, held until `release` or the end of the process.

    The kernel gives it up with the process, however that ends, so none has to be broken. The file
    holds the process id of whoever has it, to be read by people.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take it; EngineError if somebody else has it."""
        if self._fd is not None:
            return
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(fd, 20, 0).decode(errors="replace").strip()
            os.close(fd)
            whom = f" (process {holder})" if holder.isdigit() else ""
            raise EngineError(
                f"Another Safelight{whom} is already using the data directory {self._path.parent}:"
                " stop it first, or set SAFELIGHT_DATA_DIR to another directory."
            ) from error
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """Give it up; nothing happens if it isn't held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
