"""Pictures whose colours are described by numbers, and how they look in sRGB.

The right colours are computed with NumPy from the standards (ITU-R BT.2020 and BT.2100, SMPTE ST
2094-50, annex D, ICC.1:2022, annex E), and not by the code that is tested.
"""

import io
import struct
import zlib
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pillow_heif
from PIL import Image, ImageCms

from support import pictures

Pixels = npt.NDArray[Any]

PRIMARIES: Final = {
    1: ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06), (0.3127, 0.329)),
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), (0.31, 0.316)),
    5: ((0.64, 0.33), (0.29, 0.6), (0.15, 0.06), (0.3127, 0.329)),
    6: ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07), (0.3127, 0.329)),
    7: ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07), (0.3127, 0.329)),
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), (0.31, 0.316)),
    9: ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046), (0.3127, 0.329)),
    11: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), (0.314, 0.351)),
    12: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), (0.3127, 0.329)),
    22: ((0.63, 0.34), (0.295, 0.605), (0.155, 0.077), (0.3127, 0.329)),
}
ADOBE_RGB: Final = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), (0.3127, 0.329))
PATCH: Final = 32
_COLOURS: Final = (
    *((60, 140, 90), (200, 60, 50), (40, 80, 190), (230, 200, 40)),
    *((0, 0, 0), (128, 128, 128), (255, 255, 255), (25, 25, 25)),
    *((255, 0, 0), (0, 255, 0), (150, 110, 200), (90, 90, 60)),
)


def patches() -> Pixels:
    """Return twelve areas of one colour each, 128 by 96 pixels."""
    colours = np.array(_COLOURS, np.uint8).reshape(3, 4, 3)
    return colours.repeat(PATCH, 0).repeat(PATCH, 1)


def centres(image: Pixels) -> Pixels:
    """Return the twelve colours of an image of patches: 12 by 3."""
    areas = [
        image[y + 12 : y + 20, x + 12 : x + 20, :3].mean(axis=(0, 1))
        for y in range(0, 3 * PATCH, PATCH)
        for x in range(0, 4 * PATCH, PATCH)
    ]
    return np.array(areas)


def error(picture: bytes, right: Pixels) -> float:
    """Return by how much the colours of an encoded image of patches differ, on average."""
    made = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
    return float(np.abs(centres(made) - centres(right)).mean())


# Pictures


def png(pixels: Pixels, *chunks: bytes) -> bytes:
    """Make a PNG with more chunks after its header."""
    data = pictures.save(Image.fromarray(pixels), "PNG")
    return data[:33] + b"".join(chunks) + data[33:]


def png_16_bit(pixels: Pixels, *chunks: bytes) -> bytes:
    """Make a PNG of 16 bits from pixels of eight, in one to four bands."""
    height, width, bands = pixels.shape
    lines = (pixels.astype(">u2") * 257).astype(">u2").reshape(height, -1)
    form = {1: 0, 2: 4, 3: 2, 4: 6}[bands]
    header = struct.pack(">IIBBBBB", width, height, 16, form, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + line.tobytes() for line in lines))
    return (
        pictures.PNG_SIGNATURE
        + pictures.png_chunk(b"IHDR", header)
        + b"".join(chunks)
        + pictures.png_chunk(b"IDAT", packed)
        + pictures.png_chunk(b"IEND")
    )


def cicp(primaries: int, transfer: int, matrix: int = 0, full_range: int = 1) -> bytes:
    return pictures.png_chunk(b"cICP", bytes([primaries, transfer, matrix, full_range]))


def gama(gamma: float) -> bytes:
    return pictures.png_chunk(b"gAMA", struct.pack(">I", round(gamma * 100_000)))


def chrm(points: tuple[tuple[float, float], ...]) -> bytes:
    red, green, blue, white = points
    numbers = [round(number * 100_000) for point in (white, red, green, blue) for number in point]
    return pictures.png_chunk(b"cHRM", struct.pack(">8I", *numbers))


def avif(pixels: Pixels, primaries: int, transfer: int) -> bytes:
    """Make an AVIF with these codes in its `colr` property."""
    data = bytearray(
        pictures.save(Image.fromarray(pixels), "AVIF", quality=100, subsampling="4:4:4", speed=10)
    )
    struct.pack_into(">HH", data, data.index(b"colrnclx") + 8, primaries, transfer)
    return bytes(data)


def avif_without_property(pixels: Pixels, primaries: int, transfer: int) -> bytes:
    """Make an AVIF with these codes in its bitstream only."""
    data = avif(pixels, 1, 13).replace(b"colrnclx", b"freenclx")
    start = data.index(b"mdat") + 4
    stream = int.from_bytes(data[start : start + 32], "big")
    codes, others = 1 << 24 | 1 << 16 | 13 << 8, 1 << 24 | primaries << 16 | transfer << 8
    shift = next(shift for shift in range(231, 0, -1) if stream >> shift & 0x1FFFF00 == codes)
    stream ^= (codes ^ others) << shift
    return data[:start] + stream.to_bytes(32, "big") + data[start + 32 :]


def heic(pixels: Pixels, primaries: int, transfer: int, *, full_range: bool = True) -> bytes:
    """Make a HEIC with these codes in its `colr` property; 10 bits for pixels of 16."""
    height, width, _ = pixels.shape
    mode = "RGB;16" if pixels.dtype == np.uint16 else "RGB"
    image = pillow_heif.from_bytes(mode=mode, size=(width, height), data=pixels.tobytes())
    file = io.BytesIO()
    image.save(
        file,
        quality=95,
        chroma=444,
        color_primaries=1,
        transfer_characteristics=13,
        matrix_coefficients=6,
        full_range_flag=int(full_range),
        enc_params={"preset": pictures.X265_PRESET},
    )
    data = bytearray(file.getvalue())
    struct.pack_into(">HH", data, data.index(b"colrnclx") + 8, primaries, transfer)
    return bytes(data)


def profile_with_codes(primaries: int, transfer: int) -> bytes:
    """Make a profile of sRGB with codes in it."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    (count,) = struct.unpack_from(">I", profile, 128)
    tags = [struct.unpack_from(">4sII", profile, 132 + 12 * number) for number in range(count)]
    content = profile[132 + 12 * count :]
    content += bytes(-len(content) % 4)
    start = 132 + 12 * (count + 1)
    table = [(name, at + 12, length) for name, at, length in tags]
    table.append((b"cicp", start + len(content), 12))
    body = struct.pack(">I", len(table)) + b"".join(struct.pack(">4sII", *tag) for tag in table)
    body += content + b"cicp" + bytes([0, 0, 0, 0, primaries, transfer, 0, 1])
    return struct.pack(">I", 128 + len(body)) + profile[4:128] + body


# The right colours


def expected(
    pixels: Pixels,
    transfer: int,
    primaries: tuple[tuple[float, float], ...] = PRIMARIES[1],
    *,
    peak: float = 1000,
) -> Pixels:
    """Return the pixels in sRGB. `transfer` is a code of ITU-T H.273."""
    level = pixels / np.iinfo(pixels.dtype).max
    if transfer not in {16, 18}:
        return _encode(_LIGHT[transfer](level), primaries)
    light = _pq(level) if transfer == 16 else _hlg(level)
    light = light @ matrix(primaries, PRIMARIES[9]).T
    if transfer == 18:
        luminance = np.maximum(light @ [0.2627, 0.678, 0.0593], 0)
        light = light * luminance[..., None] ** 0.2 * (1000 / 203)
    light *= _tone_gain(light.max(axis=-1), peak / 203)[..., None]
    return _encode(light, PRIMARIES[9])


def expected_of_power(
    pixels: Pixels, exponent: float, primaries: tuple[tuple[float, float], ...] = PRIMARIES[1]
) -> Pixels:
    """Return the pixels in sRGB, of a transfer function that is a power."""
    return _encode((pixels / np.iinfo(pixels.dtype).max) ** exponent, primaries)


def _encode(light: Pixels, primaries: tuple[tuple[float, float], ...]) -> Pixels:
    light = np.clip(light @ matrix(primaries, PRIMARIES[1]).T, 0, 1)
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.round(srgb * 255))


def _srgb(level: Pixels) -> Pixels:
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)


_LIGHT: Final = {
    4: lambda level: level**2.2,
    5: lambda level: level**2.8,
    7: lambda level: np.where(
        level < 4 * 0.0228, level / 4, ((level + 0.1115) / 1.1115) ** (1 / 0.45)
    ),
    8: lambda level: level,
    13: _srgb,
}


def _pq(level: Pixels) -> Pixels:
    power = level ** (1 / 78.84375)
    light = np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)
    return np.asarray(light ** (1 / 0.1593017578125) * (10_000 / 203))


def _hlg(level: Pixels) -> Pixels:
    bright = (np.exp((level - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return np.where(level <= 0.5, level**2 / 3, bright)


def _tone_gain(brightest: Pixels, peak: float) -> Pixels:
    """Return the gain of the Reference White Tone Mapping Operator, from a table of its curve."""
    if peak <= 1:
        return np.ones_like(brightest)
    white = 1 - 0.5 * min(np.log2(peak) / np.log2(1000 / 203), 1)
    way = np.linspace(0, 1, 10_000)
    middle, result = 0.35 + 0.65 / white, 0.35 * white + 0.65
    across = (1 - way) ** 2 + 2 * way * (1 - way) * middle + way**2 * peak
    up = (1 - way) ** 2 * white + 2 * way * (1 - way) * result + way**2
    bright = np.interp(brightest, across, up) / brightest.clip(1)
    return np.asarray(np.where(brightest <= 1, white, bright))


def matrix(
    source: tuple[tuple[float, float], ...], target: tuple[tuple[float, float], ...]
) -> Pixels:
    """Return the matrix between two sets of primaries, with white adapted by Bradford."""
    bradford = np.array(
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    )
    cones = (bradford @ _xyz(target[3])) / (bradford @ _xyz(source[3]))
    adapt = np.linalg.inv(bradford) @ np.diag(cones) @ bradford
    return np.asarray(np.linalg.inv(_to_xyz(target)) @ adapt @ _to_xyz(source))


def _to_xyz(points: tuple[tuple[float, float], ...]) -> Pixels:
    colours = np.array([[x, y, 1 - x - y] for x, y in points[:3]]).T
    return np.asarray(colours * np.linalg.solve(colours, _xyz(points[3])))


def _xyz(point: tuple[float, float]) -> Pixels:
    x, y = point
    return np.array([x / y, 1, (1 - x - y) / y])
