"""Words that a picture has in its metadata, cut down to labels that anybody may be shown."""

import encodings.utf_16_be  # noqa: F401, it would be imported when no file can be opened any more
import re
import struct
from typing import Final

MAX_LABEL: Final = 100
"""Characters of a label at the most."""

_LONGEST: Final = 1_000
_TAG: Final = struct.Struct(">4sII")
_MAX_TAGS: Final = 100


def label(value: object) -> str | None:
    """Give the text of an EXIF field; None for what holds no text, or what isn't there.

    libvips gives each field as ``TEXT (TEXT, ASCII, 5 components, 5 bytes)``.
    """
    if not isinstance(value, str):
        return None
    value = value[:_LONGEST]
    ends = (match.start() for match in re.finditer(r" \(", value))
    texts = (value[:end] for end in ends if value.startswith(f"{value[:end]}, ", end + 2))
    return _plain(next(texts, value))


def profile_name(profile: bytes) -> str | None:
    """Read the description of a colour profile (ICC.1:2022, 9.2.41; `desc` of version 2)."""
    try:
        start, length = _description(profile)
        kind, body = profile[start : start + 4], profile[start : start + length]
        if kind == b"desc":
            count = int.from_bytes(body[8:12], "big")
            return _plain(body[12 : 12 + count].decode("latin-1"))
        if kind == b"mluc":
            size, at = struct.unpack_from(">II", body, 20)
            return _plain(body[at : at + size].decode("utf-16-be", "ignore"))
    except (struct.error, LookupError):
        return None
    return None


def _description(profile: bytes) -> tuple[int, int]:
    """Find where the description is and how long. Raises LookupError, struct.error."""
    (count,) = struct.unpack_from(">I", profile, 128)
    for number in range(min(count, _MAX_TAGS)):
        name, start, length = _TAG.unpack_from(profile, 132 + _TAG.size * number)
        if name == b"desc":
            return start, length
    raise LookupError


def _plain(text: str) -> str | None:
    return "".join(filter(str.isprintable, text)).strip()[:MAX_LABEL] or None
