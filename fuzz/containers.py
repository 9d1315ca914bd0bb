"""Split files of each format into their chunks, and join chunks with correct checksums.

As lenient as possible, since the input may be mutated already: a file that can't be split is one
chunk.
"""

import struct
import zlib
from typing import Final

_PNG, _RIFF, _JPEG = b"\x89PNG\r\n\x1a\n", b"RIFF", b"\xff\xd8\xff"
_MAX_CHUNKS: Final = 10_000
_LONG: Final = 8
_RIFF_HEAD: Final = 12


def kind(data: bytes) -> str:
    """Return "png", "webp", "jpeg", "gif" or "heif", or an empty string for anything else."""
    if data.startswith(_PNG):
        return "png"
    if data.startswith(_RIFF):
        return "webp"
    if data.startswith(_JPEG):
        return "jpeg"
    if data.startswith(b"GIF8"):
        return "gif"
    return "heif" if data[4:8] == b"ftyp" else ""


def split(data: bytes) -> tuple[bytes, list[bytes]]:
    """Return what precedes the first chunk, and the chunks with their headers and checksums."""
    if kind(data) == "png":
        return _PNG, _by_length(data, len(_PNG), ">I", extra=12)
    if kind(data) == "webp":
        return data[:_RIFF_HEAD], _by_length(data, _RIFF_HEAD, "<4xI", extra=_LONG, even=True)
    if kind(data) == "heif":
        return b"", _boxes(data)
    if kind(data) == "gif":
        parts = data.split(b"\x00\x21")
        return parts[0], [b"\x00\x21" + part for part in parts[1:]]
    if kind(data) == "jpeg":
        return data[:2], _segments(data)
    return b"", [data]


def join(head: bytes, chunks: list[bytes]) -> bytes:
    """Join a file's head and chunks, and correct the checksums."""
    return with_correct_checksums(head + b"".join(chunks))


def with_correct_checksums(data: bytes) -> bytes:
    """Correct the CRC of each chunk of a PNG, and the total length of a WebP."""
    if kind(data) == "webp" and len(data) > _RIFF_HEAD:
        return data[:4] + struct.pack("<I", (len(data) - _LONG) % 2**32) + data[_LONG:]
    if kind(data) != "png":
        return data
    chunks = _by_length(data, len(_PNG), ">I", extra=12)
    return _PNG + b"".join(
        chunk[:-4] + struct.pack(">I", zlib.crc32(chunk[4:-4]))
        if len(chunk) == int.from_bytes(chunk[:4], "big") + 12
        else chunk
        for chunk in chunks
    )


def _by_length(data: bytes, at: int, head: str, *, extra: int, even: bool = False) -> list[bytes]:
    found: list[bytes] = []
    while at + _LONG <= len(data) and len(found) < _MAX_CHUNKS:
        (length,) = struct.unpack_from(head, data, at)
        end = at + extra + length + (length & 1 if even else 0)
        found.append(data[at:end])
        at = end
    return [*found, data[at:]] if at < len(data) else found


def _boxes(data: bytes) -> list[bytes]:
    found: list[bytes] = []
    at = 0
    while at + _LONG <= len(data) and len(found) < _MAX_CHUNKS:
        (size,) = struct.unpack_from(">I", data, at)
        end = at + size if size >= _LONG else len(data)
        found.append(data[at:end])
        at = end
    return found


def _segments(data: bytes) -> list[bytes]:
    """Return the segments before the first scan, and the rest as one."""
    found: list[bytes] = []
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        found.append(data[at:end])
        at = end
    return [*found, data[at:]]
