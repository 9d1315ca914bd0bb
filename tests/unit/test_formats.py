"""The first bytes of a file decide its format."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.imaging.formats import FORMATS, HEAD_BYTES, detect_format
from support import pictures

ACCEPTED = pictures.photographs()
OTHER = {
    "nothing": b"",
    "text": pictures.TEXT,
    "html": pictures.HTML,
    "svg": pictures.SVG,
    "svg after a byte-order mark": b"\xef\xbb\xbf" + pictures.SVG,
    "gzipped svg": gzip.compress(pictures.SVG),
    "pdf": pictures.PDF,
    "zip": pictures.zipped(),
    "tiff": pictures.save(pictures.astronaut(), "TIFF"),
    "bmp": pictures.save(pictures.astronaut(), "BMP"),
    "ico": pictures.save(pictures.astronaut(64, 64), "ICO"),
    "ppm": pictures.save(pictures.astronaut(), "PPM"),
    "a sequence of another codec": b"\0\0\0\x1cftypmsf1\0\0\0\0msf1iso8",
    "heif of another codec": b"\0\0\0\x1cftypmif1\0\0\0\0mif1miafj2ki",
    "mp4": b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41",
    "wave": b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0",
    "webp without an image": b"RIFF\x24\0\0\0WEBPEXIF",
    "gif of an unknown version": b"GIF88a\1\0\1\0",
    "png with converted line ends": b"\x89PNG\n\x1a\n\0\0\0\rIHDR",
    "two bytes of a jpeg": b"\xff\xd8",
    "png after a line feed": b"\n" + pictures.png(),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted_format_is_detected(name: str) -> None:
    form = detect_format(ACCEPTED[name][:HEAD_BYTES])
    assert form is not None
    assert form is FORMATS[name.rsplit(maxsplit=1)[-1]]


@pytest.mark.parametrize("name", OTHER)
def test_other_content_is_not_accepted(name: str) -> None:
    assert detect_format(OTHER[name][:HEAD_BYTES]) is None


@pytest.mark.parametrize(
    ("brands", "name"),
    [
        (b"avif\0\0\0\0mif1miaf", "avif"),
        (b"mif1\0\0\0\0mif1miafavif", "avif"),
        (b"mif1\0\0\0\0mif1heic", "heic"),
        (b"heix\0\0\0\0mif1heix", "heic"),
        (b"avis\0\0\0\0avifavismsf1iso8mif1miaf", "avif"),
        (b"hevc\0\0\0\0msf1hevciso8", "heic"),
        (b"msf1\0\0\0\0msf1iso8hevc", "heic"),
    ],
)
def test_heif_is_detected_by_brands(brands: bytes, name: str) -> None:
    assert detect_format(b"\0\0\0\x1cftyp" + brands) is FORMATS[name]


def test_browsers_show_all_formats_but_heic() -> None:
    assert [form.name for form in FORMATS.values() if not form.in_browsers] == ["heic"]


def test_each_format_has_content_type_and_extension() -> None:
    assert {form.content_type: form.extension for form in FORMATS.values()} == {
        "image/jpeg": ".jpg",
        "image/png": ".png",
        "image/gif": ".gif",
        "image/webp": ".webp",
        "image/avif": ".avif",
        "image/heic": ".heic",
    }


@given(st.binary(max_size=64))
def test_bytes_after_the_head_do_not_matter(data: bytes) -> None:
    assert detect_format(data) is detect_format(data[:HEAD_BYTES])
