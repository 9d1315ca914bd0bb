"""Readers of colour descriptions, and the matrices between primaries."""

import struct
import time
import zlib
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageCms

from safelight.imaging.colour.description import (
    BT709,
    BT2020,
    DISPLAY_P3,
    ColourDescription,
    from_gamma,
    from_still_codes,
    from_video_codes,
)
from safelight.imaging.colour.matrix import conversion_matrix
from safelight.imaging.headers import av1
from safelight.imaging.headers.colour import colour_description
from support import colours, pictures
from support.colours import PRIMARIES, avif, chrm, cicp, gama, heic, png

PIXELS: Final = colours.patches()[:32, :64].copy()
PROFILE: Final = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ICCP: Final = pictures.png_chunk(b"iCCP", b"profile\0\0" + zlib.compress(PROFILE))
SRGB: Final = pictures.png_chunk(b"sRGB", b"\0")
AVIF, HEIC = avif(PIXELS, 12, 13), heic(PIXELS, 9, 16)


def name_of(data: bytes, form: str = "png") -> str | None:
    description = colour_description(data, form)
    return description.name if description else None


@pytest.mark.parametrize(
    ("chunks", "name"),
    [
        ([], None),
        ([cicp(12, 13)], "Display P3"),
        ([cicp(1, 13)], None),
        ([cicp(1, 13), ICCP], "sRGB"),
        ([ICCP, cicp(12, 13)], "Display P3"),
        ([SRGB, gama(1.0), cicp(9, 16)], "BT.2100 PQ"),
        ([ICCP, gama(1.0)], None),
        ([SRGB, gama(1.0)], None),
        ([gama(1.0), SRGB], None),
        ([gama(1.0)], "Linear sRGB"),
        ([gama(1.0), chrm(PRIMARIES[9])], "BT.2020 gamma 1"),
        ([chrm(PRIMARIES[9])], None),
        ([gama(1 / 2.2)], None),
        ([gama(1 / 2.2), chrm(PRIMARIES[1])], "BT.709 gamma 2.2"),
        ([cicp(3, 13), gama(1.0)], "Linear sRGB"),
        ([cicp(12, 13), cicp(9, 13)], "Display P3"),
    ],
)
def test_chunks_of_a_png_take_precedence_in_order(chunks: list[bytes], name: str | None) -> None:
    assert name_of(png(PIXELS, *chunks)) == name


def _broken(chunk: bytes) -> bytes:
    return chunk[:-1] + bytes([chunk[-1] ^ 1])


@pytest.mark.parametrize(
    "chunks",
    [
        [gama(0)],
        [pictures.png_chunk(b"gAMA", b"")],
        [_broken(gama(1.0))],
        [_broken(cicp(12, 13))],
        [pictures.png_chunk(b"cICP", b"\x0c\x0d\0")],
        [pictures.png_chunk(b"cICP", b"\x0c\x0d\0\1\0")],
        [gama(1.0), chrm(((0, 0), (0, 0), (0, 0), (0, 0)))],
        [gama(1.0), chrm(((0.3, 0.3), (0.3, 0.3), (0.3, 0.3), (0.31, 0.33)))],
        [gama(1.0), chrm(((0.3, 0.3), (0.4, 0.4), (0.5, 0.5), (0.31, 0.33)))],
        [gama(1.0), chrm(((0.64, 0.33), (0.3, 0.6), (0.15, 0.06), (0.31, 0)))],
        [gama(1.0), chrm(((6.4, 0.33), (0.3, 0.6), (0.15, 0.06), (0.31, 0.33)))],
    ],
)
def test_nonsense_in_a_png_is_ignored(chunks: list[bytes]) -> None:
    assert name_of(png(PIXELS, *chunks)) is None


def test_profile_that_is_none_does_not_hide_the_gamma() -> None:
    noise = pictures.png_chunk(b"iCCP", b"profile\0\0" + zlib.compress(b"noise" * 100))
    assert name_of(png(PIXELS, noise, gama(1.0))) == "Linear sRGB"
    cut = pictures.png_chunk(b"iCCP", b"profile")
    assert name_of(png(PIXELS, cut, gama(1.0))) == "Linear sRGB"


def test_chunks_behind_the_pixels_are_ignored() -> None:
    data = png(PIXELS)
    assert name_of(data[:-12] + cicp(12, 13) + gama(1.0) + data[-12:]) is None


def test_first_bytes_are_enough() -> None:
    assert name_of(png(PIXELS, cicp(12, 13))[:60]) == "Display P3"
    assert name_of(AVIF[: AVIF.index(b"mdat")], "avif") == "Display P3"
    assert name_of(HEIC[: HEIC.index(b"mdat")], "heic") == "BT.2100 PQ"


def test_peak_is_read() -> None:
    def peak(*chunks: bytes) -> float:
        description = colour_description(png(PIXELS, cicp(9, 16), *chunks), "png")
        assert description
        return description.peak

    content = pictures.png_chunk(b"cLLI", struct.pack(">II", 4_000_000, 0))
    display = pictures.png_chunk(b"mDCV", bytes(16) + struct.pack(">II", 6_000_000, 0))
    assert [peak(), peak(content), peak(display), peak(content, display)] == [1000, 400, 600, 400]
    assert peak(pictures.png_chunk(b"cLLI", bytes(8))) == 1000


@pytest.mark.parametrize("form", ["jpeg", "gif", "webp"])
def test_formats_without_codes_have_none(form: str) -> None:
    assert colour_description(pictures.photographs()[form], form) is None


def test_ordinary_photos_have_no_description() -> None:
    for name, data in pictures.photographs().items():
        assert colour_description(data, name.rsplit(maxsplit=1)[-1]) is None


@pytest.mark.parametrize("primaries", PRIMARIES)
def test_matrix_is_that_of_the_standards(primaries: int) -> None:
    points = PRIMARIES[primaries]
    found = conversion_matrix(points, BT709.points)
    assert found
    assert np.allclose(found, colours.matrix(points, PRIMARIES[1]), atol=1e-9)
    assert np.allclose(np.array(found) @ np.ones(3), np.ones(3))


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "PNG", "AVIF", "HEIC"])
def test_codes_in_a_profile_are_found(form: str) -> None:
    def name(primaries: int, transfer: int) -> str | None:
        profile = colours.profile_with_codes(primaries, transfer)
        if form == "HEIC":
            return name_of(pictures.heic(64, 64, icc_profile=profile), "heic")
        image = pictures.astronaut(64, 64)
        return name_of(pictures.save(image, form, icc_profile=profile), form.lower())

    assert name(9, 16) == "BT.2100 PQ"
    assert name(12, 18) == "Display P3 HLG"
    assert name(12, 13) is None
    assert name(3, 16) is None


@given(st.data())
def test_any_profile_is_read_or_ignored(data: st.DataObject) -> None:
    profile = bytearray(colours.profile_with_codes(9, 16))
    for _ in range(data.draw(st.integers(1, 8))):
        profile[data.draw(st.integers(0, 300) | st.integers(0, len(profile) - 1))] = data.draw(
            st.integers(0, 255)
        )
    cut = bytes(profile)[: data.draw(st.integers(0, len(profile)))]
    chunk = pictures.png_chunk(b"iCCP", b"profile\0\0" + zlib.compress(cut))
    _check(colour_description(png(PIXELS, chunk), "png"))
    _check(colour_description(b"\xff\xd8" + _segment(cut), "jpeg"))
    _check(colour_description(pictures.riff((b"VP8X", b"\x20" + bytes(9)), (b"ICCP", cut)), "webp"))


def _segment(profile: bytes) -> bytes:
    return pictures.jpeg_segment(0xE2, b"ICC_PROFILE\0\1\1" + profile)


def test_profile_in_parts_is_joined_in_order() -> None:
    profile = colours.profile_with_codes(9, 16)
    first, second = (
        pictures.jpeg_segment(0xE2, b"ICC_PROFILE\0" + bytes([number, 2]) + part)
        for number, part in ((1, profile[:200]), (2, profile[200:]))
    )
    assert name_of(b"\xff\xd8" + second + first, "jpeg") == "BT.2100 PQ"
    assert name_of(b"\xff\xd8" + first, "jpeg") is None


@pytest.mark.parametrize("form", ["jpeg", "webp"])
@given(data=st.binary(max_size=100))
def test_any_bytes_are_read_or_ignored(form: str, data: bytes) -> None:
    _check(colour_description(data, form))
    _check(colour_description({"jpeg": b"\xff\xd8\xff\xe2", "webp": b"RIFF"}[form] + data, form))


def test_known_matrix_is_found() -> None:
    """As in ITU-R BT.2407, 2."""
    found = conversion_matrix(BT2020.points, BT709.points)
    known = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
    assert found
    assert np.allclose(found, known, atol=2e-4)


_COORDINATE = st.floats(-2, 2) | st.sampled_from([0.0, 1.0, 1 / 3, 1e-300, 1e300])
_POINT = st.tuples(_COORDINATE, _COORDINATE)


@given(st.tuples(_POINT, _POINT, _POINT, _POINT))
def test_any_points_have_a_sane_matrix_or_none(points: tuple[tuple[float, float], ...]) -> None:
    found = conversion_matrix(points, DISPLAY_P3.points)
    assert found is None or np.abs(found).max() <= 100


@given(st.integers(0, 255), st.integers(0, 255))
def test_any_codes_are_described_or_ignored(primaries: int, transfer: int) -> None:
    still, video = from_still_codes(primaries, transfer), from_video_codes(primaries, transfer)
    assert video.name
    assert still is None or still.primaries == video.primaries


@given(st.integers(0, 2**32 - 1))
def test_any_gamma_is_described_or_ignored(number: int) -> None:
    found = from_gamma(number / 100_000, None)
    assert found is None or 0 < len(found.name) <= 40


_KINDS = st.sampled_from([b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"cLLI", b"mDCV", b"PLTE"])
_LENGTHS = {b"cICP": 4, b"sRGB": 1, b"gAMA": 4, b"cHRM": 32, b"cLLI": 8, b"mDCV": 24}


@st.composite
def _chunk(draw: st.DrawFn) -> bytes:
    kind = draw(_KINDS)
    length = _LENGTHS.get(kind, 20)
    content = draw(st.binary(min_size=length, max_size=length) | st.binary(max_size=40))
    return pictures.png_chunk(kind, content)


@given(st.lists(_chunk(), max_size=8))
def test_any_chunks_are_read_or_ignored(chunks: list[bytes]) -> None:
    _check(colour_description(png(PIXELS, *chunks), "png"))


@pytest.mark.parametrize("form", ["avif", "heic"])
@given(data=st.data())
def test_mutated_file_is_read_or_ignored(form: str, data: st.DataObject) -> None:
    mutated = bytearray({"avif": AVIF, "heic": HEIC}[form])
    for _ in range(data.draw(st.integers(1, 8))):
        mutated[
            data.draw(st.integers(0, 699) | st.integers(0, len(mutated) - 1)) % len(mutated)
        ] = data.draw(st.integers(0, 255))
    _check(colour_description(bytes(mutated)[: data.draw(st.integers(0, len(mutated)))], form))


def _check(found: ColourDescription | None) -> None:
    if found:
        assert found.name.isprintable()
        assert len(found.name) <= 100
        assert found.peak > 0
        assert conversion_matrix(found.primaries.points, BT709.points)


def _heif(associations: bytes) -> bytes:
    box = pictures.heif_box
    properties = box(b"iprp", box(b"ipco", box(b"free") * 1_000), box(b"ipma", associations))
    return box(b"ftyp", b"avif\0\0\0\0") + box(
        b"meta", bytes(4), box(b"pitm", bytes(4), b"\0\1"), properties
    )


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("avif", _heif(struct.pack(">II", 0, 2**32 - 1) + b"\0\2\0" * 1_000_000)),
        ("avif", _heif(struct.pack(">II", 1, 3_000) + (b"\0\2\xff" + b"\1\1" * 255) * 3_000)),
        ("png", png(PIXELS, pictures.png_chunk(b"gAMA") * 150_000)),
        (
            "png",
            png(PIXELS, pictures.png_chunk(b"iCCP", b"\0\0" + pictures.deflated_zeros(1 << 27))),
        ),
        ("jpeg", b"\xff\xd8" + b"\xff\xe2\0\x10ICC_PROFILE\0\1\1" * 100_000),
    ],
    ids=["items", "properties", "chunks", "bomb", "segments"],
)
def test_long_header_takes_linear_time(form: str, data: bytes) -> None:
    began = time.process_time()
    assert colour_description(data, form) is None
    assert time.process_time() - began < 10


def test_bitstream_codes_are_found() -> None:
    single = colours.avif_without_property(PIXELS, 12, 13)
    assert name_of(single, "avif") == "Display P3"
    assert name_of(pictures.heif_grid(single, 2, 2), "avif") == "Display P3"
    assert name_of(AVIF.replace(b"colrnclx", b"freenclx"), "avif") is None


def _unit(*fields: tuple[int, int]) -> bytes:
    """Return a sequence header of these numbers, each with its number of bits."""
    text = "".join(f"{value:0{bits}b}" for value, bits in fields)
    content = int(text + "0" * (-len(text) % 8), 2).to_bytes(-(-len(text) // 8), "big")
    return bytes([0x0A, len(content)]) + content


_TIMING: Final = ((1, 1), (1, 32), (30, 32), (1, 1), (0b00101, 5))
_MODEL: Final = ((1, 1), (4, 5), (1, 32), (9, 5), (9, 5))
_POINT_FIELDS: Final = ((0, 12), (9, 5), (1, 1), (1, 1), (1, 5), (1, 5), (0, 1), (1, 1), (9, 4))
_SIZE: Final = ((7, 4), (7, 4), (63, 8), (63, 8))
_CODES: Final = ((0, 3), (1, 1), (0, 1), (1, 1), (9, 8), (16, 8))


@pytest.mark.parametrize(
    "tools",
    [
        ((0, 1), (0, 3), (0, 4), (1, 1), (0, 2), (1, 1), (1, 1), (6, 3)),
        ((0, 1), (0, 3), (0, 4), (1, 1), (0, 2), (0, 1), (1, 1), (0, 1), (0, 1), (6, 3)),
        ((1, 1), (0, 7), (0, 3), (0, 4), (0, 1), (0, 1), (0, 1)),
    ],
)
def test_codes_behind_every_optional_field_are_found(tools: tuple[tuple[int, int], ...]) -> None:
    start = ((0, 3), (0, 1), (0, 1))
    full = (*_TIMING, *_MODEL, (1, 1), (0, 5), *_POINT_FIELDS)
    short = ((0, 1), (0, 1), (1, 5), (0, 12), (3, 5), (0, 12), (8, 5), (0, 1))
    for points in (full, short):
        stream = b"\x12\x00" + _unit(*start, *points, *_SIZE, *tools, *_CODES)
        assert av1.read_colour(stream) == (9, 16)


@pytest.mark.parametrize("stream", ["", "12", "0a", "0a00", "0affffffffffffffffff7f", "32021234"])
def test_bitstream_without_codes_has_none(stream: str) -> None:
    assert av1.read_colour(bytes.fromhex(stream)) is None
    reduced = ((0, 3), (1, 1), (1, 1), (3, 5), *_SIZE, (0, 3), (0, 3), (0, 1), (0, 1), (0, 1))
    assert av1.read_colour(_unit(*reduced)) is None


@given(st.binary(max_size=80))
def test_any_bitstream_is_read_or_ignored(stream: bytes) -> None:
    av1.read_colour(b"\x0a" + stream)
    av1.read_colour(stream)
