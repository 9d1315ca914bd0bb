"""Make pictures for tests."""

import io
import itertools
import struct
from datetime import datetime
from hashlib import sha256
from typing import Final, Literal, get_args

PhotoFormat = Literal["jpeg", "png", "webp", "gif", "avif", "heic"]

_numbers = itertools.count()
_ASCII, _LONG, _RATIONAL = 2, 4, 5
_BYTES: Final = {_ASCII: 1, _LONG: 4, _RATIONAL: 8}
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_DATE_TIME_ORIGINAL, _OFFSET_TIME_ORIGINAL, _SUBSEC_TIME_ORIGINAL = 0x9003, 0x9011, 0x9291
_MAX_SIDE: Final = 20_000

_Field = tuple[int, int, bytes]


def photo(
    form: PhotoFormat = "jpeg",
    *,
    size: tuple[int, int] = (640, 480),
    colour: tuple[int, int, int] | None = None,
    taken_at: datetime | None = None,
    location: tuple[float, float] | None = None,
) -> bytes:
    """Make a picture, and return the bytes of its file.

    Each call without a `colour` (red, green and blue from 0 to 255) makes another picture; with
    one, the same arguments make the same bytes, as a duplicate. `size` is width and height in
    pixels. `taken_at` (with an offset or naive) and `location` (latitude and longitude in degrees)
    are written as EXIF, which a GIF can't hold. HEIC needs ``safelight[heic]``. Raises ValueError.
    """
    if form not in get_args(PhotoFormat):
        raise ValueError(f"the format must be one of {', '.join(get_args(PhotoFormat))}")
    if not all(1 <= side <= _MAX_SIDE for side in size):
        raise ValueError(f"width and height must be from 1 to {_MAX_SIDE:,} pixels")
    if colour is None:
        red, green, blue = sha256(str(next(_numbers)).encode()).digest()[:3]
        colour = red, green, blue
    if not all(0 <= value <= 255 for value in colour):
        raise ValueError("a colour is three numbers from 0 to 255")
    exif = _exif(taken_at, location)
    if form == "gif" and exif:
        raise ValueError("a GIF can't hold a date or a location: use another format")
    return _heic(size, colour, exif) if form == "heic" else _encode(form, size, colour, exif)


def _encode(
    form: PhotoFormat, size: tuple[int, int], colour: tuple[int, int, int], exif: bytes
) -> bytes:
    """Encode the colour, lighter from the left to the right, so that a turn would show."""
    import pyvips

    width, height = size
    slope = pyvips.Image.xyz(width, height)[0] * (48 / width)
    image = (
        (slope.bandjoin([slope, slope]) + list(colour)).cast("uchar").copy(interpretation="srgb")
    )
    if exif:
        image = image.copy()
        image.set_type(pyvips.GValue.blob_type, "exif-data", b"Exif\0\0" + exif)
    options = {"avif": {"effort": 0}, "webp": {"effort": 0}}.get(form, {})
    data: bytes = image.write_to_buffer(f".{form}", **options)
    return data


def _heic(size: tuple[int, int], colour: tuple[int, int, int], exif: bytes) -> bytes:
    try:
        import pillow_heif
    except ModuleNotFoundError as error:
        raise ValueError("a HEIC needs pip install 'safelight[heic]'") from error
    width, height = size
    row = b"".join(
        bytes(min(255, value + 48 * x // width) for value in colour) for x in range(width)
    )
    file = io.BytesIO()
    pillow_heif.from_bytes("RGB", size, row * height).save(file, exif=b"Exif\0\0" + exif or None)
    return file.getvalue()


def _exif(taken_at: datetime | None, location: tuple[float, float] | None) -> bytes:
    """Return an EXIF block (a TIFF header and its directories); empty if there is nothing in it."""
    groups: dict[int, list[_Field]] = {}
    if taken_at:
        groups[_EXIF_IFD] = _date_fields(taken_at)
    if location:
        groups[_GPS_IFD] = _location_fields(*location)
    if not groups:
        return b""
    header = struct.pack("<2sHL", b"II", 42, 8)
    start = len(header) + 2 + 12 * len(groups) + 4
    pointers, directories = list[_Field](), b""
    for tag, fields in groups.items():
        pointers.append((tag, _LONG, struct.pack("<L", start + len(directories))))
        directories += _directory(fields, start + len(directories))
    return header + _directory(pointers, len(header)) + directories


def _date_fields(taken_at: datetime) -> list[_Field]:
    def text(tag: int, value: str) -> _Field:
        return tag, _ASCII, value.encode() + b"\0"

    fields = [text(_DATE_TIME_ORIGINAL, taken_at.strftime("%Y:%m:%d %H:%M:%S"))]
    if taken_at.utcoffset() is not None:
        fields.append(text(_OFFSET_TIME_ORIGINAL, taken_at.isoformat()[-6:]))
    if taken_at.microsecond:
        fields.append(text(_SUBSEC_TIME_ORIGINAL, f"{taken_at.microsecond:06}"))
    return fields


def _location_fields(latitude: float, longitude: float) -> list[_Field]:
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise ValueError("a location is a latitude from -90 to 90 and a longitude from -180 to 180")
    return [
        (1, _ASCII, b"N\0" if latitude >= 0 else b"S\0"),
        (2, _RATIONAL, _degrees(latitude)),
        (3, _ASCII, b"E\0" if longitude >= 0 else b"W\0"),
        (4, _RATIONAL, _degrees(longitude)),
    ]


def _degrees(value: float) -> bytes:
    """Return degrees, minutes and seconds as three fractions."""
    minutes, milliseconds = divmod(round(abs(value) * 3_600_000), 60_000)
    degrees, minutes = divmod(minutes, 60)
    return struct.pack("<6L", degrees, 1, minutes, 1, milliseconds, 1000)


def _directory(fields: list[_Field], offset: int) -> bytes:
    """Return an IFD at an offset (TIFF 6.0, section 2); long values follow it."""
    entries, values = b"", b""
    behind = offset + 2 + 12 * len(fields) + 4
    for tag, kind, value in sorted(fields):
        entries += struct.pack("<HHL", tag, kind, len(value) // _BYTES[kind])
        if len(value) <= 4:
            entries += value.ljust(4, b"\0")
        else:
            entries += struct.pack("<L", behind + len(values))
            values += value
    return struct.pack("<H", len(fields)) + entries + bytes(4) + values
