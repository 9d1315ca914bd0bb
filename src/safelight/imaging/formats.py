"""The accepted formats, and their magic bytes.

The first bytes alone decide a file's format, not its name, its Content-Type or a library's guess.
A file that the table doesn't match is never decoded.
"""

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """An image format.

    `extension` and `other_extensions` include the dot, and `loader` is the libvips operation that
    decodes the format, empty if there is none. `in_browsers` is True if browsers show it.
    `needs_thread` is True if its decoder starts threads for a photo.
    """

    name: str
    content_type: str
    extension: str
    other_extensions: tuple[str, ...] = ()
    loader: str
    in_browsers: bool = True
    needs_thread: bool = False


JPEG: Final = Format(
    name="jpeg",
    content_type="image/jpeg",
    extension=".jpg",
    other_extensions=(".jpeg", ".jpe", ".jfif"),
    loader="jpegload_source",
)
PNG: Final = Format(
    name="png",
    content_type="image/png",
    extension=".png",
    other_extensions=(".apng",),
    loader="pngload_source",
)
GIF: Final = Format(name="gif", content_type="image/gif", extension=".gif", loader="gifload_source")
WEBP: Final = Format(
    name="webp",
    content_type="image/webp",
    extension=".webp",
    loader="webpload_source",
    needs_thread=True,
)
AVIF: Final = Format(
    name="avif",
    content_type="image/avif",
    extension=".avif",
    other_extensions=(".avifs",),
    loader="heifload_source",
    needs_thread=True,  # if the photo has tiles
)
HEIC: Final = Format(
    name="heic",
    content_type="image/heic",
    extension=".heic",
    other_extensions=(".heif", ".hif", ".heics", ".heifs"),
    loader="",
    in_browsers=False,
    needs_thread=True,
)

FORMATS: Final[dict[str, Format]] = {form.name: form for form in (JPEG, PNG, GIF, WEBP, AVIF, HEIC)}
"""The accepted formats by name."""

HEAD_BYTES: Final = 64
"""How many of a file's first bytes `detect_format` needs."""

_HEIF: Final = rb".{4}ftyp(?:%b|(?:mif[12]|miaf|msf1).{4}(?:.{4}){0,11}?%b)"
_MAGIC: Final = (
    # ITU-T T.81, B.1.1.3: SOI, and the first byte of the marker that has to follow it.
    (JPEG, re.compile(rb"\xff\xd8\xff")),
    # PNG, third edition, 5.2.
    (PNG, re.compile(rb"\x89PNG\r\n\x1a\n")),
    # GIF89a, 17.
    (GIF, re.compile(rb"GIF8[79]a")),
    # RFC 9649, 2.3 to 2.7. The four arbitrary bytes are the size.
    (WEBP, re.compile(rb"RIFF.{4}WEBPVP8[ LX]", re.DOTALL)),
    # ISO/IEC 23000-22, and 23008-12, annex B: the format's major brand, or a general one with the
    # format's brand among the compatible ones. `avis` and `hev…` are sequences.
    (AVIF, re.compile(_HEIF % (rb"avi[fs]", rb"avi[fs]"), re.DOTALL)),
    (HEIC, re.compile(_HEIF % (rb"he[iv][cxms]", rb"he[iv][cxms]"), re.DOTALL)),
)


def detect_format(head: bytes) -> Format | None:
    """Return the format of a file by its first `HEAD_BYTES` bytes; None if it isn't accepted."""
    for format_, magic in _MAGIC:
        if magic.match(head):
            return format_
    return None
