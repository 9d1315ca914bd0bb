"""The estimate of what a photo costs, by its header."""

import struct
from dataclasses import replace

import pytest

from safelight.imaging.cost import estimate
from safelight.imaging.headers import heif, jpeg, png
from safelight.imaging.limits import Header
from support import pictures

GIB = 1 << 30
LARGE = Header(width=16_320, height=12_240)
"""A photo of 200 megapixels."""


def png_head(width: int, height: int, *, depth: int = 8, interlaced: bool = False) -> bytes:
    """Return the beginning of a PNG."""
    header = struct.pack(">2I5B", width, height, depth, 2, 0, 0, interlaced)
    return pictures.PNG_SIGNATURE + pictures.png_chunk(b"IHDR", header)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (png_head(4000, 3000), False),
        (png_head(4000, 3000, depth=16, interlaced=True), True),
        (png_head(8000, 6000), False),
        (png_head(12000, 10000), True),
    ],
)
def test_large_png_is_expensive(head: bytes, expected: bool) -> None:  # noqa: FBT001
    assert estimate(png.read_header(head), "png", len(head)).is_expensive == expected


@pytest.mark.parametrize(
    ("format_name", "header", "most"),
    [
        ("jpeg", replace(LARGE, samples=1.5), 0.25),
        ("jpeg", replace(LARGE, samples=3, scans=10), 1.5),
        ("png", replace(LARGE, depth=16), 0.5),
        ("png", replace(LARGE, samples=3, scans=7), 1.1),
        ("webp", LARGE, 2.2),
        ("heic", replace(LARGE, samples=1.5, tiles=True), 1.1),
        ("heic", replace(LARGE, samples=1.5, depth=10, tiles=True), 1.7),
    ],
)
def test_200_megapixels_fit_into_a_machine_of_4_gb(
    format_name: str, header: Header, most: float
) -> None:
    """Of which 1 GB is for the rest, and 0.5 GB for a photo beside it."""
    assert estimate(header, format_name, 0).memory < most * GIB < 2.5 * GIB


def test_large_heic_of_10_bits_may_be_converted() -> None:
    """The peak of 32 by 24 tiles was 1.47 GiB, and 1.63 of address space: too much to test."""
    header = Header(width=16_384, height=12_288, samples=1.5, depth=10, tiles=True)
    cost = estimate(header, "heic", 0)
    assert (cost.memory > 1.47 * GIB, cost.space > 1.63 * GIB) == (True, True)


def test_file_counts_where_it_is_mapped_and_copied() -> None:
    size = 200 << 20
    for format_name, maps, copies in (("jpeg", 1, 0), ("heic", 3, 2)):
        without, with_it = (estimate(LARGE, format_name, each) for each in (0, size))
        assert with_it.space - without.space == maps * size
        assert with_it.memory - without.memory == copies * size


@pytest.mark.parametrize(
    ("data", "samples", "scans"),
    [
        (pictures.jpeg(mode="L"), 1, 1),
        (pictures.jpeg(subsampling="4:2:0"), 1.5, 1),
        (pictures.jpeg(subsampling="4:4:4"), 3, 1),
        (pictures.jpeg(mode="CMYK", subsampling="4:4:4"), 4, 1),
        (pictures.jpeg_of_scans(1), 1, 2),  # progressive: kept in memory like one of several scans
    ],
)
def test_jpeg_header_has_samples(data: bytes, samples: float, scans: int) -> None:
    header = jpeg.read_header(data)
    assert (header.samples, header.scans) == (samples, scans)


@pytest.mark.parametrize("end", range(16))
def test_jpeg_header_cut_in_its_factors_is_read(end: int) -> None:
    data = pictures.jpeg()
    start = data.index(b"\xff\xc0")
    assert jpeg.read_header(data[: start + 9 + end]).samples > 0


@pytest.mark.parametrize(
    ("data", "samples", "depth", "interlaced"),
    [
        (pictures.png(mode="RGBA"), 4, 8, False),
        (pictures.png(mode="1"), 1, 8, False),
        (pictures.png_16_bit(), 1, 16, False),
        (pictures.png_of_zeros(9, 9, 16, 3, interlaced=True), 3, 16, True),
    ],
)
def test_png_header_has_samples(
    data: bytes,
    samples: float,
    depth: int,
    interlaced: bool,  # noqa: FBT001
) -> None:
    header = png.read_header(data)
    assert (header.samples, header.depth, header.scans > 1) == (samples, depth, interlaced)


def test_heif_header_has_samples_and_tiles() -> None:
    plain = heif.read_header(pictures.heic())
    assert (plain.samples, plain.depth, plain.tiles) == (1.5, 8, False)
    assert heif.read_header(pictures.heic(mode="RGBA")).samples == 2.5
    assert heif.read_header(pictures.avif(subsampling="4:4:4")).samples == 3
    assert heif.read_header(pictures.heif_grid(pictures.avif(128, 64), 3, 2)).tiles
