"""The spool: uploads in progress, in files on disk that have no name.

A spooled file is unlinked when it is created, so a crash leaves nothing behind.
"""

import asyncio
import errno
import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from safelight.errors import (
    Busy,
    OperatorError,
    StorageFull,
    StorageUnavailable,
    TooLarge,
    format_size,
)

_CHUNK = 256 * 1024
_SHARE = 3
"""An owner's uploads may hold this many times the room that they leave to others."""
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Spool:
    """Temporary files in one folder, with at most `max_bytes` in all of them together.

    One owner alone can use three quarters of it, so that there is always room for others; a single
    upload can use all of it.
    """

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self._folder = folder
        self.free_bytes = max_bytes
        self.held_bytes: Counter[str] = Counter()

    @contextmanager
    def file(self, owner: str, *, hashed: bool = True) -> Iterator["SpooledUpload"]:
        """Yield an empty file for an owner's upload, which is deleted when the context ends.

        What is written to it is hashed on the way, unless `hashed` is false. Raises StorageFull if
        the disk is full, StorageUnavailable if files can't be written there.
        """
        try:
            file = self._create_file()
        except OSError as error:
            raise _unavailable(error) from error
        with file:
            hash_ = hashlib.sha256() if hashed else None
            upload = SpooledUpload(spool=self, owner=owner, file=file, hash=hash_)
            try:
                yield upload
            finally:
                self.free_bytes += upload.size
                self.held_bytes[owner] -= upload.size
                if not self.held_bytes[owner]:
                    del self.held_bytes[owner]

    def check(self) -> None:
        """Check that files can be written. Raises StorageFull or StorageUnavailable otherwise."""
        try:
            with self._create_file() as file:
                os.write(file.fileno(), bytes(_CHUNK))
        except OSError as error:
            raise _unavailable(error) from error

    def require_writable(self) -> None:
        """Raise OperatorError, which names the folder, if files can't be written."""
        try:
            self.check()
        except (StorageFull, StorageUnavailable) as error:
            raise OperatorError(
                f"Uploads can't be written to {self._folder}: {error.__cause__}. Make room there,"
                " or set SAFELIGHT_DATA_DIR to a folder that this user can write to."
            ) from error

    def _create_file(self) -> BinaryIO:
        self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        return tempfile.TemporaryFile(dir=self._folder, buffering=0)

    @asynccontextmanager
    async def private_file(
        self, owner: str, file: "BinaryIO | SpooledUpload", *, limit: int
    ) -> AsyncIterator["SpooledUpload"]:
        """Yield the file itself if it has no name on disk, otherwise a copy.

        What is checked must be what is stored, and a file with a name can be changed in between.
        Raises TooLarge for a file of more than `limit` bytes.
        """
        if isinstance(file, SpooledUpload):
            if file.size > limit:
                raise too_large(file.size, limit)
            yield file
            return
        if file.seekable():
            size = file.seek(0, os.SEEK_END)
            if size > limit:
                raise too_large(size, limit)
            if _is_private(file):
                file.flush()
                yield SpooledUpload(spool=self, owner=owner, file=file, hash=None, size=size)
                return
            file.seek(0)
        with self.file(owner) as copy:
            while chunk := await asyncio.to_thread(file.read, _CHUNK):
                copy.write(chunk)
                if copy.size > limit:
                    raise too_large(copy.size, limit)
            yield copy


@dataclass(slots=True, kw_only=True)
class SpooledUpload:
    """The bytes of one upload, `size` of them; `hash` is theirs, None until it is computed."""

    spool: Spool
    owner: str
    file: BinaryIO
    hash: "hashlib._Hash | None"
    size: int = 0

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes.

        Raises Busy if the spool is full or the owner has its share of it, StorageFull if the disk
        is full.
        """
        spool, held = self.spool, self.spool.held_bytes[self.owner]
        free = spool.free_bytes - len(data)
        if free < 0 or (held > self.size and held + len(data) > _SHARE * free):
            raise Busy("Too many uploads are in progress. Try again in a few seconds.")
        spool.free_bytes = free
        spool.held_bytes[self.owner] += len(data)
        self.size += len(data)
        if self.hash:  # Here, since the bytes are at hand: 64 KB take less time than their write.
            self.hash.update(data)
        try:
            while data:
                data = data[os.write(self.file.fileno(), data) :]
        except OSError as error:
            raise _unavailable(error) from error

    async def sha256(self) -> str:
        """Return the SHA-256 of all bytes, in lower-case hex.

        A file that was not written here is read for it, on a thread.
        """
        if self.hash is None:
            self.hash = await asyncio.to_thread(_hash_file, self.file.fileno())
        return self.hash.hexdigest()


def _is_private(file: BinaryIO) -> bool:
    """Return whether a file is on disk without a name, as temporary files are."""
    try:
        return os.fstat(file.fileno()).st_nlink == 0
    except OSError:  # a file in memory
        return False


def _unavailable(error: OSError) -> StorageFull | StorageUnavailable:
    if error.errno in _FULL:
        return StorageFull()
    return StorageUnavailable("Uploads can't be received at the moment. Try again later.")


def _hash_file(descriptor: int) -> "hashlib._Hash":
    hash_, position = hashlib.sha256(), 0
    while chunk := os.pread(descriptor, _CHUNK, position):
        hash_.update(chunk)
        position += len(chunk)
    return hash_


def too_large(size: int, limit: int) -> TooLarge:
    """Return the error for a photo of more than `limit` bytes."""
    shown, limit_shown = format_size(size), format_size(limit)
    if shown == limit_shown:
        shown = f"just over {limit_shown}"
    return TooLarge(f"This photo is too large ({shown}). The limit is {limit_shown}.")
