"""Ensure that only one Safelight uses a data directory."""

import fcntl
import os
from pathlib import Path

from safelight.errors import EngineError


class Lock:
    """An exclusive lock on a file, held until `release` or the end of the process.

    The kernel releases it with the process, however that ends, so there are no stale locks. The
    file contains the id of the process that holds it, for people to read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def acquire(self) -> None:
        """Acquire the lock. Raises EngineError if another process holds it."""
        if self._fd is not None:
            return
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(fd, 20, 0).decode(errors="replace").strip()
            os.close(fd)
            process = f" (process {holder})" if holder.isdigit() else ""
            raise EngineError(
                f"Another Safelight{process} is already using the data directory"
                f" {self._path.parent}: stop it first, or set SAFELIGHT_DATA_DIR to another one."
                " The embedded engines belong to one process: for several workers of an app, set"
                " SAFELIGHT_DATABASE_URL and SAFELIGHT_S3__ENDPOINT_URL."
            ) from error
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
