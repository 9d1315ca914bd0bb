"""Local files to upload: found in folders, checked by their first bytes, hashed, and read."""

import hashlib
import io
import os
import stat
import threading
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple, Protocol, Self

from safelight.errors import EmptyFile, Invalid, UnsupportedType
from safelight.imaging.formats import HEAD_BYTES, detect_format
from safelight.imaging.headers import other_formats

_CHUNK: Final = 256 * 1024
_FIRST_YEAR: Final = 1980


class TransferStopped(Exception):
    """The user pressed Ctrl-C during a transfer."""


class ByteCounter(Protocol):
    """Counts bytes as they are read."""

    def advance(self, size: int, /) -> None:
        """Count bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFile:
    """A file that starts like a photo.

    `index` is its position in the list of files to upload. `size` may change until `digest`.
    `identity` is its device and inode: if the path leads to another file later, that isn't read.
    """

    path: Path
    index: int
    size: int
    content_type: str
    identity: tuple[int, int]

    @classmethod
    def from_path(cls, path: Path, *, index: int, follow_link: bool = True) -> Self:
        """Detect a file's format, ignoring its name. Raises OSError, EmptyFile, UnsupportedType."""
        with open_regular(path, follow_link=follow_link) as file:
            status = os.fstat(file.fileno())
            head = file.read(HEAD_BYTES)
            detected = detect_format(head)
            if detected is None:
                if not head:
                    raise EmptyFile
                head += file.read(other_formats.HEAD_BYTES - len(head))
                raise UnsupportedType(other_formats.describe_other(head))
        return cls(
            path=path,
            index=index,
            size=status.st_size,
            content_type=detected.content_type,
            identity=(status.st_dev, status.st_ino),
        )

    @property
    def filename(self) -> str:
        """The name without the folder, with U+FFFD for bytes that aren't UTF-8."""
        return as_utf8(self.path.name)

    def digest(self, stop: threading.Event) -> "FileDigest":
        """Hash the file. Raises OSError, also if the file changes meanwhile, or TransferStopped."""
        sha256, buffer = hashlib.sha256(), memoryview(bytearray(_CHUNK))
        with open_regular(self.path) as file:
            before, size = _stamp(file), 0
            if before.identity != self.identity:
                raise _changed()
            while read := file.readinto(buffer):
                sha256.update(buffer[:read])
                size += read
                if stop.is_set():
                    raise TransferStopped
            if _stamp(file) != before or size != before.size:
                raise _changed()
        return FileDigest(sha256=sha256.hexdigest(), size=size, stamp=before)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDigest:
    """The SHA-256 (hex) of a file's bytes; `stamp` shows whether the file has changed since."""

    sha256: str
    size: int
    stamp: "FileStamp"


class FileStamp(NamedTuple):
    """Which file it is (device and inode), its size, and when it was changed."""

    identity: tuple[int, int]
    size: int
    modified_ns: int

    @property
    def modified_at(self) -> str | None:
        """When it was changed, in RFC 3339 with the offset of this machine; None if unknown."""
        try:
            time = datetime.fromtimestamp(self.modified_ns // 1_000_000_000, UTC).astimezone()
        except (OverflowError, OSError, ValueError):
            return None
        # Before, it is the epoch of a file system, and some offsets had seconds.
        return time.isoformat() if time.year >= _FIRST_YEAR else None


class FileReader(io.FileIO):
    """A hashed file, open for sending; reading counts its bytes.

    Opening it raises OSError if the file has changed since.

    Reading raises OSError if the file has become shorter, and TransferStopped once `stop` is set.
    """

    def __init__(
        self, path: Path, digest: FileDigest, counter: ByteCounter, stop: threading.Event
    ) -> None:
        super().__init__(_open_descriptor(path))
        self._digest = digest
        self._counter = counter
        self._stop = stop
        self._left = digest.size
        try:
            self.check_unchanged()
        except OSError:
            self.close()
            raise

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to `size` bytes, but none beyond those that were hashed."""
        if self._stop.is_set():
            raise TransferStopped
        chunk = super().read(self._left if size is None or size < 0 else min(size, self._left))
        if self._left and not chunk:
            raise _changed()
        self._left -= len(chunk)
        self._counter.advance(len(chunk))
        return chunk

    def chunks(self, start: int, length: int) -> Iterator[bytes]:
        """Read `length` bytes from offset `start`, in chunks."""
        self.seek(start)
        self._left = length
        while self._left:
            yield self.read(_CHUNK)

    def check_unchanged(self) -> None:
        """Raise OSError if the file has changed since it was hashed."""
        if _stamp(self) != self._digest.stamp:
            raise _changed()


def inspect_files(
    files: Sequence[Path], *, not_links: Container[Path] = ()
) -> tuple[list[LocalFile], list[tuple[int, OSError | Invalid]]]:
    """Return the files that start like photos, and the index and the error of each other file.

    Those in `not_links` were no links when they were found, and are not followed if they are now.
    """
    photos: list[LocalFile] = []
    rejected: list[tuple[int, OSError | Invalid]] = []
    for index, path in enumerate(files):
        try:
            file = LocalFile.from_path(path, index=index, follow_link=path not in not_links)
            photos.append(file)
        except (OSError, Invalid) as error:
            rejected.append((index, error))
    return photos, rejected


@dataclass(slots=True)
class FolderScan:
    """The contents of folders.

    `hidden` counts names that begin with a dot; they are skipped. Links to files are files, but not
    in `not_links`. Links to folders aren't followed: they could lead elsewhere, or in circles.
    """

    files: list[Path] = field(default_factory=list)
    not_links: set[Path] = field(default_factory=set)
    linked_folders: list[Path] = field(default_factory=list)
    unreadable: list[tuple[Path, OSError]] = field(default_factory=list)
    hidden: int = 0


def scan_folders(paths: Iterable[Path]) -> FolderScan:
    """List all files in folders and subfolders, sorted by name, files before folders.

    The given paths are never skipped; those that aren't folders are listed as files.
    """
    scan = FolderScan()
    for path in paths:
        if path.is_dir():
            _scan_folder(path, scan)
        else:
            scan.files.append(path)
    return scan


def _scan_folder(root: Path, scan: FolderScan) -> None:
    pending = [root]
    while pending:
        folder = pending.pop()
        subfolders: list[Path] = []
        try:
            with _open_folder(folder, follow_link=folder is root) as fd, os.scandir(fd) as listing:
                for entry in sorted(listing, key=lambda entry: entry.name):
                    _scan_entry(entry, folder / entry.name, scan, subfolders)
        except OSError as error:
            scan.unreadable.append((folder, error))
        pending.extend(reversed(subfolders))


def _scan_entry(
    entry: os.DirEntry[str], path: Path, scan: FolderScan, subfolders: list[Path]
) -> None:
    if entry.name.startswith("."):
        scan.hidden += 1
    elif entry.is_dir(follow_symlinks=False):
        subfolders.append(path)
    elif not entry.is_symlink():
        scan.files.append(path)
        scan.not_links.add(path)
    elif path.is_dir():
        scan.linked_folders.append(path)
    else:
        scan.files.append(path)


@contextmanager
def _open_folder(path: Path, *, follow_link: bool) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    fd = os.open(path, flags if follow_link else flags | os.O_NOFOLLOW)
    try:
        yield fd
    finally:
        os.close(fd)


def open_regular(path: Path, *, follow_link: bool = True) -> io.FileIO:
    """Open a file for reading. Raises OSError for anything but a regular file, without blocking."""
    return io.FileIO(_open_descriptor(path, follow_link=follow_link))


def _open_descriptor(path: Path, *, follow_link: bool = True) -> int:
    _check_regular(path.stat())  # opening a device can have effects
    # The path may be a named pipe by now, and opening that could block forever.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    fd = os.open(path, flags if follow_link else flags | os.O_NOFOLLOW)
    try:
        _check_regular(os.fstat(fd))
    except OSError:
        os.close(fd)
        raise
    return fd


def _check_regular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise OSError(0, "it is a folder; use 'safelight import'")
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "it is not a regular file")


def as_utf8(text: str) -> str:
    """Replace the bytes of a name or an argument that aren't UTF-8 by U+FFFD."""
    return os.fsencode(text).decode(errors="replace")


def _stamp(file: io.FileIO) -> FileStamp:
    status = os.fstat(file.fileno())
    return FileStamp((status.st_dev, status.st_ino), status.st_size, status.st_mtime_ns)


def _changed() -> OSError:
    return OSError(0, "it changed during the upload")
