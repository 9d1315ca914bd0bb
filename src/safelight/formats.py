"""The formats that are accepted, told by the first bytes alone: our own table of magic bytes.

Nothing else decides what a file is: neither its name, nor the Content-Type that came with it, nor
a library's guess. What isn't in the table is nobody's to decode.
"""

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format of pictures.

    `name` is what we call it, `content_type` what it is stored and served as, `extension` what
    its files are called by (with the dot), and `loader` the libvips operation that decodes it;
    empty if none does.
    `in_browsers` tells whether browsers show it.
    """

    name: str
    content_type: str
    extension: str
    loader: str
    in_browsers: bool = True


JPEG: Final = Format(
    name="jpeg", content_type="image/jpeg", extension=".jpg", loader="jpegload_source"
)
PNG: Final = Format(name="png", content_type="image/png", extension=".png", loader="pngload_source")
GIF: Final = Format(name="gif", content_type="image/gif", extension=".gif", loader="gifload_source")
WEBP: Final = Format(
    name="webp", content_type="image/webp", extension=".webp", loader="webpload_source"
)
AVIF: Final = Format(
    name="avif", content_type="image/avif", extension=".avif", loader="heifload_source"
)
HEIC: Final = Format(
    name="heic", content_type="image/heic", extension=".heic", loader="", in_browsers=False
)

FORMATS: Final[dict[str, Format]] = {form.name: form for form in (JPEG, PNG, GIF, WEBP, AVIF, HEIC)}
"""Every accepted format by its name."""

HEAD_BYTES: Final = 64
"""How many of a file's first bytes `recognise` needs at the most."""

_MAGIC: Final = (
    # ITU-T T.81, B.1.1.3: SOI, and the first byte of the marker that has to follow it.
    (JPEG, re.compile(rb"\xff\xd8\xff")),
    # PNG, third edition, 5.2.
    (PNG, re.compile(rb"\x89PNG\r\n\x1a\n")),
    # GIF89a, 17.
    (GIF, re.compile(rb"GIF8[79]a")),
    # RFC 9649, 2.3 to 2.7. The four bytes left open are the size.
    (WEBP, re.compile(rb"RIFF.{4}WEBPVP8[ LX]", re.DOTALL)),
    # ISO/IEC 23000-22, and 23008-12, annex B: the major brand, or a general one and among those
    # that are compatible ours. Sequences (avis, hevc) are another thing: no still picture.
    (AVIF, re.compile(rb".{4}ftyp(?:avif|(?:mif1|miaf).{4}(?:.{4}){0,8}?avif)", re.DOTALL)),
    (
        HEIC,
        re.compile(rb".{4}ftyp(?:hei[cxms]|(?:mif1|miaf).{4}(?:.{4}){0,8}?hei[cxms])", re.DOTALL),
    ),
)


def recognise(head: bytes) -> Format | None:
    """Tell the format of a file from its first `HEAD_BYTES` bytes; None if it is none of ours."""
    return next((form for form, magic in _MAGIC if magic.match(head)), None)
