"""Only the first bytes say what a file is."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pictures
from safelight.formats import FORMATS, HEAD_BYTES, recognise

OURS = pictures.photographs()
OTHERS = {
    "nothing": b"",
    "text": pictures.TEXT,
    "html": pictures.HTML,
    "svg": pictures.SVG,
    "svg behind a byte-order mark": b"\xef\xbb\xbf" + pictures.SVG,
    "gzipped svg": gzip.compress(pictures.SVG),
    "pdf": pictures.PDF,
    "zip": pictures.zipped(),
    "tiff": pictures.save(pictures.astronaut(), "TIFF"),
    "bmp": pictures.save(pictures.astronaut(), "BMP"),
    "ico": pictures.save(pictures.astronaut(64, 64), "ICO"),
    "ppm": pictures.save(pictures.astronaut(), "PPM"),
    "a sequence of avif": b"\0\0\0\x2cftypavis\0\0\0\0avifavismsf1iso8mif1miaf",
    "a sequence of heic": b"\0\0\0\x1cftyphevc\0\0\0\0msf1hevciso8",
    "heif of another codec": b"\0\0\0\x1cftypmif1\0\0\0\0mif1miafj2ki",
    "mp4": b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41",
    "wave": b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0",
    "webp without a picture": b"RIFF\x24\0\0\0WEBPEXIF",
    "gif of a version that never was": b"GIF88a\1\0\1\0",
    "png with line ends changed": b"\x89PNG\n\x1a\n\0\0\0\rIHDR",
    "two bytes of a jpeg": b"\xff\xd8",
    "a picture behind a line feed": b"\n" + pictures.png(),
}


@pytest.mark.parametrize("name", OURS)
def test_a_picture_is_known_by_its_bytes(name: str) -> None:
    form = recognise(OURS[name][:HEAD_BYTES])
    assert form is not None
    assert form is FORMATS[name.rsplit(maxsplit=1)[-1]]


@pytest.mark.parametrize("name", OTHERS)
def test_nothing_else_is_a_picture(name: str) -> None:
    assert recognise(OTHERS[name][:HEAD_BYTES]) is None


@pytest.mark.parametrize(
    ("brands", "name"),
    [
        (b"avif\0\0\0\0mif1miaf", "avif"),
        (b"mif1\0\0\0\0mif1miafavif", "avif"),
        (b"mif1\0\0\0\0mif1heic", "heic"),
        (b"heix\0\0\0\0mif1heix", "heic"),
    ],
)
def test_a_heif_is_known_by_its_brands(brands: bytes, name: str) -> None:
    assert recognise(b"\0\0\0\x1cftyp" + brands) is FORMATS[name]


def test_only_heic_is_unknown_to_browsers() -> None:
    assert [form.name for form in FORMATS.values() if not form.in_browsers] == ["heic"]


def test_a_format_is_served_as_what_it_is() -> None:
    assert {form.content_type: form.extension for form in FORMATS.values()} == {
        "image/jpeg": ".jpg",
        "image/png": ".png",
        "image/gif": ".gif",
        "image/webp": ".webp",
        "image/avif": ".avif",
        "image/heic": ".heic",
    }


@given(st.binary(max_size=64))
def test_any_bytes_get_an_answer_and_more_bytes_do_not_change_it(data: bytes) -> None:
    assert recognise(data) is recognise(data[:HEAD_BYTES])
