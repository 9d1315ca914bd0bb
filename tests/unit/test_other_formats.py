"""Messages about files in formats that are not accepted."""

import gzip
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.errors import UnsupportedType
from safelight.imaging.headers.other_formats import HEAD_BYTES, describe_other
from support import pictures


def tiff(*fields: tuple[int, int, int, int], order: str = "<", make: bytes = b"") -> bytes:
    """Make the start of a TIFF of these fields, in which tag 271 refers to `make`."""
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    at = 8 + 2 + 12 * (len(fields) + 1)
    directory = struct.pack(f"{order}H", len(fields) + 1)
    for tag, kind, count, value in fields:
        packed = struct.pack(f"{order}H2x", value) if kind == 3 else struct.pack(f"{order}I", value)
        directory += struct.pack(f"{order}HHI", tag, kind, count) + packed
    return start + directory + struct.pack(f"{order}HHII", 271, 2, len(make), at) + make


PREVIEW, SUB_IFDS, DNG = (254, 4, 1, 1), (330, 4, 2, 400), (50706, 1, 4, 0x401)
NAMED = {
    "camera RAW, Canon CR2": [b"II*\0\x10\0\0\0CR\x02\0" + bytes(40)],
    "camera RAW, Canon CR3": [b"\0\0\0\x18ftypcrx \0\0\0\1crx isom"],
    "camera RAW, Nikon NEF": [
        tiff(PREVIEW, make=b"NIKON CORPORATION\0", order=">"),
        tiff(SUB_IFDS, make=b"NIKON\0"),
        tiff((259, 3, 1, 34713), make=b"NIKON\0", order=">"),
    ],
    "camera RAW, Sony ARW": [tiff(PREVIEW, SUB_IFDS, make=b"SONY\0")],
    "camera RAW, Pentax PEF": [tiff((259, 3, 1, 65535), make=b"PENTAX \0", order=">")],
    "camera RAW, DNG": [tiff(DNG, make=b"Apple\0"), tiff(PREVIEW, DNG, make=b"Canon\0", order=">")],
    "camera RAW, Fujifilm RAF": [b"FUJIFILMCCD-RAW 0201"],
    "camera RAW, Olympus ORF": [b"IIRO\x08\0\0\0", b"MMOR\0\0\0\x08"],
    "camera RAW, Panasonic RW2": [b"IIU\0\x18\0\0\0"],
    "TIFF or camera RAW": [tiff(make=b"NIKON\0"), tiff((259, 3, 1, 34713))],
    "TIFF": [pictures.save(pictures.astronaut(), "TIFF"), tiff(make=b"Epson Scan\0"), b"MM\0*"],
    "JPEG XL": [b"\xff\x0a\xfa\x1f", b"\0\0\0\x0cJXL \x0d\x0a\x87\x0a"],
    "JPEG 2000": [pictures.save(pictures.astronaut(), "JPEG2000")],
    "BMP": [pictures.save(pictures.astronaut(), "BMP")],
    "icon": [pictures.save(pictures.astronaut(64, 64), "ICO")],
    "netpbm": [pictures.save(pictures.astronaut(), "PPM")],
    "Photoshop PSD": [b"8BPS\0\1" + bytes(20)],
    "SVG": [
        pictures.SVG,
        b"\xef\xbb\xbf" + pictures.SVG,
        b'<?xml version="1.0"?>\n<!-- a drawing -->\n' + pictures.SVG,
    ],
    "HEIF with another codec": [b"\0\0\0\x1cftypmif1\0\0\0\0mif1miafj2ki"],
    "MP4 video": [b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41"],
    "QuickTime video": [b"\0\0\0\x14ftypqt  \0\0\x02\0qt  ", b"\0\0\0\x08wide\0\0\0\0mdat"],
    "WebM video": [b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\1\x42\xf7\x81\1\x42\x82\x84webm"],
    "Matroska video": [b"\x1a\x45\xdf\xa3\xa3\x42\x86\x81\1\x42\x82\x88matroska"],
    "AVI video": [b"RIFF\x24\0\0\0AVI LIST"],
    "WAV audio": [b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0"],
    "PDF": [pictures.PDF],
    "HTML page": [pictures.HTML],
    "XML": [b'<?xml version="1.0"?><note/>'],
    "ZIP archive": [pictures.zipped()],
    "gzip archive": [gzip.compress(pictures.SVG)],
    "text": [pictures.TEXT, "Grüße\n".encode() * 200, b"\xef\xbb\xbfa,b\r\n1,2\r\n"],
}


@pytest.mark.parametrize("name", NAMED)
def test_common_other_format_is_named_with_what_to_do(name: str) -> None:
    for head in NAMED[name]:
        message = describe_other(head[:HEAD_BYTES])
        assert message.startswith(f"Unsupported format ({name}). ")
        assert message.endswith(".")
        assert len(message) <= 200


def test_advice_depends_on_the_format() -> None:
    assert describe_other(NAMED["camera RAW, DNG"][0]) == (
        "Unsupported format (camera RAW, DNG). Export it as JPEG and upload that."
    )
    assert describe_other(pictures.PDF) == (
        "Unsupported format (PDF). Export it as JPEG or PNG and upload that."
    )
    assert describe_other(NAMED["MP4 video"][0]) == (
        "Unsupported format (MP4 video). "
        "Upload a photo instead: JPEG, PNG, GIF, WebP, AVIF or HEIC."
    )
    assert describe_other(pictures.zipped()) == (
        "Unsupported format (ZIP archive). Unpack it and upload the photos in it."
    )


@pytest.mark.parametrize("head", [b"", b"\n\n", pictures.noise(500), bytes(500), b"\xffabc"])
def test_unknown_format_is_not_named(head: bytes) -> None:
    assert describe_other(head) == UnsupportedType.text


def test_directory_of_a_tiff_that_is_further_away_is_not_read() -> None:
    assert "(TIFF)" in describe_other(b"II*\0" + struct.pack("<I", 2**32 - 1) + bytes(100))


@given(
    start=st.sampled_from([head for heads in NAMED.values() for head in heads] + [b""]),
    data=st.binary(max_size=200),
    keep=st.integers(0, 64),
)
def test_any_bytes_give_a_message(start: bytes, data: bytes, keep: int) -> None:
    message = describe_other(start[:keep] + data)
    assert message.startswith("Unsupported format")
    assert message.isascii()
    assert len(message) <= 200
