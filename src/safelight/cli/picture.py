"""A file that is to be sent: what it is by its first bytes, its digest, and its bytes in pieces."""

import hashlib
import io
import os
import stat
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

from safelight.errors import EmptyFile, Invalid, UnsupportedType
from safelight.formats import HEAD_BYTES, recognise

_PIECE: Final = 256 * 1024
"""Bytes that are read at once."""


class Stopped(Exception):
    """What is under way is to end at once, by Ctrl-C."""


class Counter(Protocol):
    """Whoever wants to know how far the reading is."""

    def advance(self, size: int, /) -> None:
        """Count bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A file that begins as a photo does. `size` is in bytes, as it was when it was looked at.

    `place` is its place in the list of all that are to be sent.
    """

    path: Path
    place: int
    size: int
    content_type: str

    @classmethod
    def at(cls, path: Path, *, place: int) -> Self:
        """Look at a file, but not at its name. Raises OSError, EmptyFile, UnsupportedType."""
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe might wait for ever
            folder = stat.S_ISDIR(status.st_mode)
            why = "it is a folder; that is for 'safelight import'" if folder else "it is no file"
            raise OSError(0, why)
        with path.open("rb", buffering=0) as file:
            head = file.read(HEAD_BYTES)
        form = recognise(head)
        if form is None:
            raise UnsupportedType if head else EmptyFile
        return cls(path=path, place=place, size=status.st_size, content_type=form.content_type)

    @property
    def filename(self) -> str:
        """Its name without the folder, with U+FFFD for bytes that aren't UTF-8."""
        return in_utf8(self.path.name)

    def digest(self, stop: threading.Event) -> "Digest":
        """Read it once. Raises OSError, also if it changed meanwhile, and Stopped."""
        sha256, buffer = hashlib.sha256(), memoryview(bytearray(_PIECE))
        with self.path.open("rb", buffering=0) as file:
            before, size = _stamp(file), 0
            while read := file.readinto(buffer):
                sha256.update(buffer[:read])
                size += read
                if stop.is_set():
                    raise Stopped
            if _stamp(file) != before or size != before[0]:
                raise _changed()
        return Digest(sha256=sha256.hexdigest(), size=size, stamp=before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """The SHA-256 (hex) of so many bytes; `stamp` tells if the file is still the same."""

    sha256: str
    size: int
    stamp: tuple[int, int]


class Reading(io.FileIO):
    """A file that is read while it is sent: just the bytes that were digested, and counted.

    Reading raises OSError if it has become shorter, and Stopped once `stop` is set.
    """

    def __init__(self, path: Path, digest: Digest, counter: Counter, stop: threading.Event) -> None:
        super().__init__(path)
        self._digest = digest
        self._counter = counter
        self._stop = stop
        self._left = digest.size

    def read(self, size: int | None = -1, /) -> bytes:
        """Read on."""
        if self._stop.is_set():
            raise Stopped
        piece = super().read(self._left if size is None or size < 0 else min(size, self._left))
        if self._left and not piece:
            raise _changed()
        self._left -= len(piece)
        self._counter.advance(len(piece))
        return piece

    def pieces(self, start: int, length: int) -> Iterator[bytes]:
        """Give `length` bytes from `start` on, a piece at a time."""
        self.seek(start)
        self._left = length
        while self._left:
            yield self.read(_PIECE)

    def check(self) -> None:
        """Raise OSError if it is no longer what was digested."""
        if _stamp(self) != self._digest.stamp:
            raise _changed()


def looked_at(
    files: Sequence[Path],
) -> tuple[list[Picture], list[tuple[int, OSError | Invalid]]]:
    """Tell those that begin as photos from the others, which come with their place, and why."""
    pictures: list[Picture] = []
    refused: list[tuple[int, OSError | Invalid]] = []
    for place, file in enumerate(files):
        try:
            pictures.append(Picture.at(file, place=place))
        except (OSError, Invalid) as error:
            refused.append((place, error))
    return pictures, refused


def in_utf8(told: str) -> str:
    """Write U+FFFD for the bytes of a name or an argument that aren't UTF-8."""
    return os.fsencode(told).decode(errors="replace")


def _stamp(file: io.FileIO) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


def _changed() -> OSError:
    return OSError(0, "it changed while it was sent")
