"""Read what a PNG keeps as text: XMP packets, and the profiles that ImageMagick writes.

A raw profile is a text chunk named ``Raw profile type exif`` with a name, a length, and the bytes
in hex digits. `limit` is in bytes; longer texts are cut.
"""

import binascii
import re
import zlib
from collections.abc import Iterator
from mmap import mmap
from typing import Final

from safelight.imaging.headers import png

_TEXTS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_MAX_KEYWORD: Final = 79
_PREFIX: Final = b"Raw profile type "
_RAW_PROFILE: Final = re.compile(rb"\s*\w+\s+\d+\s+([0-9a-fA-F\s]*)")
_NOT_HEX: Final = re.compile(rb"\s+")


def texts(data: bytes | mmap, *keywords: bytes, limit: int) -> Iterator[bytes]:
    """Yield the texts with one of these keywords. A damaged one gives what precedes the damage."""
    for kind, start, end in png.chunks(data):
        if kind not in _TEXTS:
            continue
        keyword, found, _ = data[start : min(end, start + _MAX_KEYWORD + 1)].partition(b"\0")
        if found and keyword in keywords:
            at = start + len(keyword) + 1
            yield _text(kind, data[at : min(end, at + limit)], limit)


def raw_profiles(data: bytes | mmap, *names: bytes, limit: int) -> Iterator[bytes]:
    """Yield the raw profiles with one of these names."""
    for text in texts(data, *(_PREFIX + name for name in names), limit=2 * limit):
        if profile := _RAW_PROFILE.match(text):
            digits = _NOT_HEX.sub(b"", profile[1])
            yield binascii.unhexlify(digits[: len(digits) & ~1])


def _text(kind: bytes, body: bytes, limit: int) -> bytes:
    """Return the text of a chunk, from what follows its keyword (PNG, 11.3.3)."""
    if kind == b"tEXt":
        return body
    if kind == b"zTXt":
        return _inflate(body[1:], limit)
    is_compressed, body = body[:1] == b"\1", body[2:]
    body = body.partition(b"\0")[2].partition(b"\0")[2]  # the language, and the keyword in it
    return _inflate(body, limit) if is_compressed else body


def _inflate(body: bytes, limit: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(body, limit)
    except zlib.error:
        return b""
