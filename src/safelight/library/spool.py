"""The spool: where the bytes of uploads under way lie, on disk and without a name.

A spooled file is unlinked from its beginning, so a crash leaves nothing to clear away.
"""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from safelight.errors import Busy, StorageFull, TooLarge

_CHUNK = 256 * 1024
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def _is_nameless(file: BinaryIO) -> bool:
    try:
        return os.fstat(file.fileno()).st_nlink == 0
    except OSError:
        return False


class Spool:
    """Files under one folder, `max_bytes` in all of them together at the most."""

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self._folder = folder
        self._left = max_bytes

    def file(self) -> "SpooledUpload":
        """Open an empty file. Raises StorageFull if there is no room even for that."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return SpooledUpload(self, tempfile.TemporaryFile(dir=self._folder, buffering=0))
        except OSError as error:
            raise StorageFull from error

    @contextmanager
    def nameless(self, file: BinaryIO, *, limit: int) -> Iterator[BinaryIO]:
        """Give the file if nobody else can reach it by a name, else a copy.

        What is checked must be what is stored: a file that has a name may be changed meanwhile.
        Raises TooLarge for one of more than `limit` bytes.
        """
        if file.seek(0, os.SEEK_END) > limit:
            raise TooLarge(f"The photo is larger than {limit} bytes.")
        if _is_nameless(file):
            file.flush()
            yield file
            return
        with self.file() as copy:
            file.seek(0)
            while chunk := file.read(_CHUNK):
                copy.write(chunk)
                if copy.size > limit:
                    raise TooLarge(f"The photo is larger than {limit} bytes.")
            yield copy.file

    def take(self, count: int) -> None:
        """Reserve bytes, or raise Busy."""
        if count > self._left:
            raise Busy("Too many uploads are under way: try again shortly.")
        self._left -= count

    def give_back(self, count: int) -> None:
        """Return what was reserved."""
        self._left += count


class SpooledUpload:
    """One upload's bytes. Closing it, or leaving its context, drops them."""

    def __init__(self, spool: Spool, file: BinaryIO) -> None:
        self._spool = spool
        self.file = file
        self.size = 0

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes. Raises Busy past the spool's limit, StorageFull when the disk is."""
        self._spool.take(len(data))
        self.size += len(data)
        try:
            while data:
                data = data[os.write(self.file.fileno(), data) :]
        except OSError as error:
            if error.errno in _FULL:
                raise StorageFull from error
            raise

    def close(self) -> None:
        """Drop the bytes; a second time does nothing."""
        self._spool.give_back(self.size)
        self.size = 0
        self.file.close()

    def __enter__(self) -> Self:
        """Be closed by the end of a with statement."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()
