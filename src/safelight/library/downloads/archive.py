"""A ZIP archive of photos that is written while it is sent.

The files are stored, not compressed: photos are compressed already, and so the archive's length is
known beforehand. A file's checksum follows it, since it is known only then.
"""

import io
import zipfile
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from safelight.errors import StorageUnavailable
from safelight.models import Photo

if TYPE_CHECKING:
    from typing_extensions import Buffer

_LOCAL_HEADER: Final = 30
_CENTRAL_HEADER: Final = 46
_DESCRIPTOR: Final = 16
_ZIP64_DESCRIPTOR: Final = 24
_END: Final = 22
_EXTRA: Final = 4
"""The bytes before the values of an extra field."""
_ZIP64_VALUE: Final = 8
_ZIP64_SIZES: Final = _EXTRA + 2 * _ZIP64_VALUE
_ZIP64_END: Final = 56 + 20
_YEARS: Final = (1980, 2107)
"""What a ZIP archive can express."""
_PERMISSIONS: Final = 0o100644


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """A photo's original in an archive: its name, size in bytes, SHA-256, and date.

    Archives have no time zones: programs show the date unchanged.
    """

    photo_id: int
    storage_id: str
    name: str
    size: int
    sha256: str
    date: tuple[int, int, int, int, int, int]


def archive_date(photo: Photo) -> tuple[int, int, int, int, int, int]:
    """Return when a photo was taken, by the camera's clock, or else when it was added."""
    time = photo.facts.taken_at or photo.created_at
    if not _YEARS[0] <= time.year <= _YEARS[1]:
        time = photo.created_at
    return (time.year, time.month, time.day, time.hour, time.minute, time.second)


OpenOriginal = Callable[[ArchiveMember], AsyncGenerator[bytes]]
"""Yields the bytes of a member's original."""


class Archive:
    """An archive whose content is fixed: the same members always give the same bytes."""

    def __init__(self, members: Sequence[ArchiveMember]) -> None:
        self._members = tuple(members)
        self.size = _size(self._members)
        """The length of the archive in bytes."""
        digest = sha256()
        for member in self._members:
            digest.update(repr((member.name, member.sha256, member.date)).encode())
        self.etag = f'"{digest.hexdigest()[:32]}"'
        """A quoted digest of the archive's content."""

    async def read(
        self, open_original: OpenOriginal, *, start: int, stop: int
    ) -> AsyncGenerator[bytes]:
        """Yield the bytes from `start` to `stop`, less than one chunk of a photo in memory.

        The photos before `start` are read as well: their checksums are at the archive's end.
        Raises StorageUnavailable if a photo has another length than its row says.
        """
        at = 0
        async with aclosing(self._chunks(open_original)) as chunks:
            async for chunk in chunks:
                if at + len(chunk) > start:
                    yield chunk[max(0, start - at) : stop - at]
                at += len(chunk)
                if at >= stop:
                    return

    async def _chunks(self, open_original: OpenOriginal) -> AsyncGenerator[bytes]:
        output = _Output()
        with zipfile.ZipFile(output, "w") as archive:
            for member in self._members:
                with archive.open(_zip_info(member), "w") as file:
                    left = member.size
                    async with aclosing(open_original(member)) as chunks:
                        async for chunk in chunks:
                            left -= len(chunk)
                            if left >= 0:
                                file.write(chunk)
                                yield output.take()
                    if left:
                        raise StorageUnavailable from RuntimeError(
                            f"photo {member.photo_id}: {left} bytes are missing in the store"
                        )
                yield output.take()
        yield output.take()


class _Output(io.RawIOBase):
    """A file that can only be written, and gives away what was written."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: "Buffer", /) -> int:
        before = len(self._written)
        self._written += data
        return len(self._written) - before

    def take(self) -> bytes:
        """Return what was written since the last call."""
        taken, self._written = bytes(self._written), bytearray()
        return taken


def _zip_info(member: ArchiveMember) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(member.name, member.date)
    info.file_size = member.size
    info.CRC = 0  # not known yet
    info.external_attr = _PERMISSIONS << 16
    info.create_system = 3  # Unix, for the permissions
    return info


def _size(members: Sequence[ArchiveMember]) -> int:
    """Return the length of the archive that `zipfile` makes of stored files in a stream."""
    at = directory = 0
    for member in members:
        info, size = _zip_info(member), member.size
        # zipfile decides by an estimate whether a file will be large.
        may_be_large = size * 1.05 > zipfile.ZIP64_LIMIT
        header = len(info.FileHeader(zip64=may_be_large))
        name = header - _LOCAL_HEADER - (_ZIP64_SIZES if may_be_large else 0)
        values = 2 * _is_large(size) + _is_large(at)
        directory += _CENTRAL_HEADER + name + (_EXTRA + values * _ZIP64_VALUE if values else 0)
        at += header + size
        at += _ZIP64_DESCRIPTOR if may_be_large else _DESCRIPTOR
    is_zip64 = _is_large(at) or _is_large(directory) or len(members) > zipfile.ZIP_FILECOUNT_LIMIT
    return at + directory + _END + (_ZIP64_END if is_zip64 else 0)


def _is_large(number: int) -> bool:
    return number > zipfile.ZIP64_LIMIT
