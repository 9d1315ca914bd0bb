"""Name the formats that are not accepted, for messages only.

A photo is never decoded here: a few numbers of its first bytes are read, with every position
checked.
"""

import re
import struct
from collections.abc import Iterator
from typing import Final

from safelight.errors import UnsupportedType

HEAD_BYTES: Final = 65_536
"""How many of a file's first bytes `describe_other` reads."""

_ACCEPTED: Final = "JPEG, PNG, GIF, WebP, AVIF or HEIC"
_EXPORT: Final = "Export it as JPEG or PNG and upload that."
_EXPORT_RAW: Final = "Export it as JPEG and upload that."
_PHOTOS_ONLY: Final = f"Upload a photo instead: {_ACCEPTED}."
_CONVERT: Final = f"Convert it to {_ACCEPTED} and upload that."
_UNPACK: Final = "Unpack it and upload the photos in it."

_BOM: Final = rb"(?:\xef\xbb\xbf)?\s*"
_PROLOGUE: Final = (
    rb"(?:<\?xml[^>]{0,200}>\s*)?(?:<!--.{0,500}?-->\s*)?(?:<!DOCTYPE svg[^>]{0,500}>\s*)?"
)
_MAGIC: Final = tuple(
    (name, advice, re.compile(pattern, re.DOTALL))
    for name, advice, pattern in (
        # Camera RAW with magic bytes of its own. The others are TIFF inside.
        ("camera RAW, Canon CR2", _EXPORT_RAW, rb"II\*\0.{4}CR\x02"),
        ("camera RAW, Canon CR3", _EXPORT_RAW, rb".{4}ftypcrx "),
        ("camera RAW, Canon CRW", _EXPORT_RAW, rb"II.{4}HEAPCCDR"),
        ("camera RAW, Fujifilm RAF", _EXPORT_RAW, rb"FUJIFILMCCD-RAW|FUJIFILM"),
        ("camera RAW, Olympus ORF", _EXPORT_RAW, rb"IIR[OS]|MMOR"),
        ("camera RAW, Panasonic RW2", _EXPORT_RAW, rb"IIU\0"),
        ("camera RAW, Sigma X3F", _EXPORT_RAW, rb"FOVb"),
        ("camera RAW, Minolta MRW", _EXPORT_RAW, rb"\0MRM"),
        # Images.
        ("JPEG-LS", _EXPORT, rb"\xff\xd8\xff\xf7"),
        ("JPEG XL", _CONVERT, rb"\xff\x0a|\0\0\0\x0cJXL "),
        ("JPEG 2000", _CONVERT, rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
        ("JPEG XR", _CONVERT, rb"II\xbc"),
        ("HEIF with another codec", _CONVERT, rb".{4}ftyp(?:mi[af][f12]|msf1|j2ki|avc[is]|vvic)"),
        ("Photoshop PSD", _EXPORT, rb"8BPS"),
        ("GIMP XCF", _EXPORT, rb"gimp xcf"),
        ("OpenEXR", _EXPORT, rb"\x76\x2f\x31\x01"),
        ("Radiance HDR", _EXPORT, rb"#\?(?:RADIANCE|RGBE)"),
        ("BMP", _CONVERT, rb"BM.{4}\0\0\0\0.{4}[\x0c-\x7c]\0\0\0"),
        ("icon", _EXPORT, rb"\0\0[\x01\x02]\0[^\0]"),
        ("netpbm", _CONVERT, rb"P[1-7]\s"),
        ("QOI", _CONVERT, rb"qoif"),
        ("DDS texture", _EXPORT, rb"DDS "),
        ("EPS", _EXPORT, rb"%!PS-Adobe|\xc5\xd0\xd3\xc6"),
        # Videos and sounds.
        ("QuickTime video", _PHOTOS_ONLY, rb".{4}(?:ftypqt  |moov|mdat|wide|pnot)"),
        ("3GP video", _PHOTOS_ONLY, rb".{4}ftyp3g"),
        ("M4A audio", _PHOTOS_ONLY, rb".{4}ftypM4[AB] "),
        ("MP4 video", _PHOTOS_ONLY, rb".{4}ftyp"),
        ("WebM video", _PHOTOS_ONLY, rb"\x1a\x45\xdf\xa3.{0,48}\x42\x82.{1,8}?webm"),
        ("Matroska video", _PHOTOS_ONLY, rb"\x1a\x45\xdf\xa3"),
        ("AVI video", _PHOTOS_ONLY, rb"RIFF.{4}AVI "),
        ("WAV audio", _PHOTOS_ONLY, rb"RIFF.{4}WAVE"),
        ("MPEG video", _PHOTOS_ONLY, rb"\0\0\x01[\xba\xb3]|\x47.{187}\x47.{187}\x47"),
        ("Windows Media video", _PHOTOS_ONLY, rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
        ("Flash video", _PHOTOS_ONLY, rb"FLV\x01"),
        ("Ogg", _PHOTOS_ONLY, rb"OggS"),
        ("MP3 audio", _PHOTOS_ONLY, rb"ID3"),
        # Documents and archives.
        ("PDF", _EXPORT, rb"\s{0,64}%PDF-"),
        ("SVG", _EXPORT, _BOM + _PROLOGUE + rb"<svg[\s>:]"),
        ("HTML page", _PHOTOS_ONLY, _BOM + rb"<(?i:!doctype html|html|head|body)[\s>]"),
        ("XML", _PHOTOS_ONLY, _BOM + rb"<\?xml"),
        ("ZIP archive", _UNPACK, rb"PK(?:\x03\x04|\x05\x06)"),
        ("gzip archive", _UNPACK, rb"\x1f\x8b"),
        ("RAR archive", _UNPACK, rb"Rar!\x1a\x07"),
        ("7-Zip archive", _UNPACK, rb"7z\xbc\xaf\x27\x1c"),
        ("tar archive", _UNPACK, rb".{257}ustar"),
        ("program", _PHOTOS_ONLY, rb"\x7fELF|MZ.{56}"),
    )
)  # fmt: skip

_TIFF: Final = re.compile(rb"II[\*\x2b]\0|MM\0[\*\x2b]")
_SUBFILE_TYPE, _COMPRESSION, _MAKE, _SUB_IFDS, _DNG_VERSION = 254, 259, 271, 330, 50706
_REDUCED: Final = 1
_MAX_FIELDS: Final = 200
_RAW_COMPRESSIONS: Final = frozenset({32767, 32769, 32770, 32867, 34713, 65000, 65535})
"""Those of Sony, Epson, Samsung, Kodak, Nikon and Pentax, used by no other TIFF."""
_RAW_BY_MAKE: Final = {
    b"CANON": "Canon RAW",
    b"NIKON": "Nikon NEF",
    b"SONY": "Sony ARW",
    b"PENTAX": "Pentax PEF",
    b"RICOH": "Pentax PEF",
    b"SAMSUNG": "Samsung SRW",
    b"HASSELBLAD": "Hasselblad 3FR",
    b"EASTMAN KODAK": "Kodak DCR",
    b"KODAK": "Kodak DCR",
    b"PHASE ONE": "Phase One IIQ",
    b"LEAF": "Leaf MOS",
    b"MAMIYA": "Mamiya MEF",
    b"SEIKO EPSON": "Epson ERF",
    b"LEICA": "Leica RWL",
}


def describe_other(head: bytes) -> str:
    """Return the message about a file in none of the accepted formats.

    `head` is its first bytes, at most `HEAD_BYTES` of them. The message names the format if that is
    a common one, and what to do: "Unsupported format (QuickTime video). Upload a photo instead: …".
    """
    for name, advice, magic in _MAGIC:
        if magic.match(head):
            return unsupported(name, advice)
    if _TIFF.match(head):
        return _describe_tiff(head)
    return unsupported("text", _PHOTOS_ONLY) if _is_text(head) else UnsupportedType.text


def unsupported(name: str, advice: str = _CONVERT) -> str:
    """Return the message that a format is not accepted, and what to do instead."""
    return f"Unsupported format ({name}). {advice}"


def _describe_tiff(head: bytes) -> str:
    """Describe a TIFF. Many cameras' RAW files are one, whose first image is a preview."""
    try:
        fields = dict(_tiff_fields(head))
    except struct.error:  # The fields are not among the first bytes.
        fields = {}
    if _DNG_VERSION in fields:
        return unsupported("camera RAW, DNG", _EXPORT_RAW)
    make = next((name for make, name in _RAW_BY_MAKE.items() if _make(head, fields, make)), None)
    is_raw = (
        fields.get(_SUBFILE_TYPE) == _REDUCED
        or _SUB_IFDS in fields
        or fields.get(_COMPRESSION) in _RAW_COMPRESSIONS
    )
    if make and is_raw:
        return unsupported(f"camera RAW, {make}", _EXPORT_RAW)
    if make or fields.get(_COMPRESSION) in _RAW_COMPRESSIONS:
        return unsupported("TIFF or camera RAW", _EXPORT_RAW)
    return unsupported("TIFF", _EXPORT)


def _tiff_fields(head: bytes) -> Iterator[tuple[int, int]]:
    """Yield tag and value, or the value's position, of each field of a TIFF's first directory."""
    order = "<" if head[:2] == b"II" else ">"
    (start,) = struct.unpack_from(f"{order}I", head, 4)
    (count,) = struct.unpack_from(f"{order}H", head, start)
    for number in range(min(count, _MAX_FIELDS)):
        tag, kind, _, value = struct.unpack_from(f"{order}HHII", head, start + 2 + 12 * number)
        short = order == ">" and kind == 3
        yield tag, value >> 16 if short else value


def _make(head: bytes, fields: dict[int, int], make: bytes) -> bool:
    at = fields.get(_MAKE)
    return at is not None and head[at : at + len(make)].upper() == make


def _is_text(head: bytes) -> bool:
    """Whether these bytes look like text: UTF-8, perhaps cut off, without control characters."""
    try:
        text = head[:1024].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(head[:1024]) - 3:
            return False
        text = head[: error.start].decode("utf-8-sig")
    return bool(text.strip()) and all(each.isprintable() or each in "\t\n\r\f" for each in text)
