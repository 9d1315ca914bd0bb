"""The photos to mutate: our own, those of packages, and a corpus beside the checkout."""

from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np

from support import colours, metadata, pictures

CORPUS: Final = Path(__file__).parents[2] / "shared" / "corpus"
_SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".heic", ".heif", ".hif", ".jfif", ".mpo"}
)
_PACKAGED: Final = (("skimage", "data"), ("sklearn", "datasets/images"))
_MAX_SIZE: Final = 4 << 20


def seeds(corpus: Path = CORPUS) -> dict[str, bytes]:
    """Return all seed files by name, always in the same order."""
    return {**_generate(), **_read_packages(), **_read_corpus(corpus)}


def _generate() -> dict[str, bytes]:
    fields = pictures.exif(6, "2017:06:17 20:35:13", "+02:00")
    more = {
        "jpeg with metadata": pictures.jpeg(exif=fields, comment=b"a comment"),
        "png with metadata": pictures.png(exif=fields),
        "webp with metadata": pictures.webp(exif=fields),
        "avif with metadata": pictures.avif(exif=fields),
        "heic with metadata": pictures.heic(exif=fields.tobytes()),
        "jpeg of scans": pictures.jpeg_of_scans(50),
        "interlaced png": pictures.png_of_zeros(500, 300, 8, interlaced=True),
        "webp of frames": pictures.webp_of_frames(20, 64, 48),
        "gif of frames": pictures.gif_of_frames(50, 40, 30),
        "heic of tiles": pictures.heif_grid(pictures.heic(128, 64), 3, 2),
        "avif of tiles": pictures.heif_grid(pictures.avif(128, 64), 3, 2),
        "heic of two pictures": pictures.heic_pair(),
        "heic of a thumbnail": pictures.heif_with_second(
            pictures.heic(128, 96), pictures.heic(64, 64), primary=2
        ),
        "avif of a thumbnail": pictures.heif_with_second(
            pictures.avif(128, 96), pictures.avif(64, 64), primary=2
        ),
        "avif sequence": pictures.animated("AVIF", 5),
        "lossless jpeg": pictures.jpeg_lossless(pictures.astronaut(80, 70)),
        "thin jpeg": pictures.jpeg(2560, 7),
        "tiny png": pictures.png(16, 16, "RGBA"),
        "gif past its canvas": pictures.gif_of_rectangles(
            (40, 20), (30, 0, 20, 20), (0, 0, 90, 90), delay=1
        ),
        "gif without its trailer": pictures.gif_of_rectangles((20, 20), (5, 5, 9, 9), trailer=b""),
        **_generate_colours(),
        **_generate_metadata(),
    }
    return {f"made: {name}": data for name, data in {**pictures.photographs(), **more}.items()}


def _generate_metadata() -> dict[str, bytes]:
    """Make photos with dates and places in XMP, and with EXIF that libvips passes over."""
    packet = metadata.xmp_packet(
        "<exif:GPSLatitude>48,51.5N</exif:GPSLatitude><exif:GPSLongitude>2,17.6E</exif:GPSLongitude>",
        'exif:DateTimeOriginal="2017-06-17T20:35:13.25+02:00" xmp:CreateDate="2018"',
    )
    times = pictures.exif_times("2017:06:17 20:35:13", "2018-01-02 03:04:05")
    return {
        "png with exif in a raw profile": metadata.png_with_raw_profile("exif", times),
        "jpeg with extended xmp": metadata.jpeg_with_extended_xmp(packet, packet),
        **{f"{place} with xmp": embed(packet) for place, embed in metadata.WITH_XMP.items()},
    }


def _generate_colours() -> dict[str, bytes]:
    """Make pictures whose colours are described by each kind of chunk and property."""
    pixels = colours.patches()
    chromaticities = colours.chrm(colours.PRIMARIES[9])
    light = pictures.png_chunk(b"cLLI", bytes([0, 61, 9, 0] * 2))
    display = pictures.png_chunk(b"mDCV", bytes([0, 61, 9, 0] * 6))
    return {
        "png in p3": colours.png(pixels, colours.cicp(12, 13)),
        "png in pq": colours.png(pixels, colours.cicp(9, 16), light, display),
        "16-bit png in hlg": colours.png_16_bit(pixels, colours.cicp(9, 18)),
        "png with gamma": colours.png(pixels, colours.gama(0.7), chromaticities),
        "grey png with gamma": colours.png(pixels[:, :, 0], colours.gama(1.0)),
        "avif in pq": colours.avif(pixels, 9, 16),
        "avif in p3": colours.avif(pixels, 12, 13),
        "avif with codes in its bitstream": colours.avif_without_property(pixels, 12, 8),
        "jpeg with a profile of pq": pictures.jpeg(icc_profile=colours.profile_with_codes(9, 16)),
        "webp with a profile of hlg": pictures.webp(icc_profile=colours.profile_with_codes(9, 18)),
        "png with a profile of pq": pictures.png(icc_profile=colours.profile_with_codes(9, 16)),
        "heic in p3": colours.heic(pixels, 12, 13),
        "heic in pq": colours.heic(pixels.astype(np.uint16) * 257, 9, 16),
    }


def _read_packages() -> dict[str, bytes]:
    found = {}
    for package, folder in _PACKAGED:
        for file in sorted(files(package).joinpath(folder).iterdir(), key=lambda file: file.name):
            if Path(file.name).suffix in _SUFFIXES:
                found[f"{package}: {file.name}"] = file.read_bytes()
    return found


def _read_corpus(corpus: Path) -> dict[str, bytes]:
    """Read the photos below a folder; none if it doesn't exist."""
    return {
        f"corpus: {path.relative_to(corpus)}": path.read_bytes()
        for path in sorted(corpus.rglob("*"))
        if path.suffix.lower() in _SUFFIXES and 0 < path.stat().st_size <= _MAX_SIZE
    }
