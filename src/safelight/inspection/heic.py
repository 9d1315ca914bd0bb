"""Decode a HEIC with pillow-heif, which is an extra: its wheels bundle code under the GPL.

Import this in a child process of the darkroom only.
"""

from collections.abc import Mapping
from mmap import mmap
from typing import Any, Final

import pyvips

from safelight import errors

_BANDS: Final = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
_EXIF_IFD: Final = 0x8769


def open_upright(data: bytes | mmap) -> Any:  # noqa: ANN401
    """Decode the main picture of a file, turned as it is displayed, in eight bits.

    libheif has applied the file's own turns, and the EXIF orientation that cameras write beside
    them is left out, lest it be turned again. Raises UnsupportedType if pillow-heif isn't there,
    CorruptImage for what it can't decode.
    """
    try:
        import pillow_heif  # noqa: PLC0415, an extra
    except ImportError as error:
        raise errors.UnsupportedType(
            "This server does not take HEIC photos: its extra safelight[heic] is not installed."
        ) from error
    pillow_heif.options.DECODE_THREADS = 1
    try:
        heif = pillow_heif.open_heif(bytes(data), convert_hdr_to_8bit=True)
        pixels = bytes(heif.data)
    except (ValueError, OSError, RuntimeError, SyntaxError, EOFError) as error:
        raise errors.CorruptImage from error
    bands, (width, height) = _BANDS[heif.mode], heif.size
    padded = pyvips.Image.new_from_memory(
        pixels, heif.stride // bands, height, bands, pyvips.BandFormat.UCHAR
    )
    image = padded.crop(0, 0, width, height).copy(
        interpretation="srgb" if bands > 2 else "b-w"  # noqa: PLR2004, red, green and blue
    )
    _add_metadata(image, heif.info)
    return image


def _add_metadata(image: Any, info: Mapping[str, Any]) -> None:  # noqa: ANN401
    """Add the colour profile, and the fields that facts are read from, as libvips has them."""
    if profile := info.get("icc_profile"):
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    for name, value in _exif(info.get("exif")).items():
        image.set_type(pyvips.GValue.gstr_type, name, value)


def _exif(block: bytes | None) -> dict[str, str]:
    # TiffImagePlugin is what Exif is read by; it would be imported when no file can be opened.
    from PIL import ExifTags, Image, TiffImagePlugin  # noqa: F401, PLC0415, of pillow-heif's

    try:
        fields = Image.Exif()
        fields.load(block or b"")
        found = {0: dict(fields), 2: dict(fields.get_ifd(_EXIF_IFD))}
        found[3] = dict(fields.get_ifd(ExifTags.IFD.GPSInfo))
    except Exception:  # noqa: BLE001, broken metadata never rejects a good picture
        return {}
    tags = {0: ExifTags.TAGS, 2: ExifTags.TAGS, 3: ExifTags.GPSTAGS}
    return {
        f"exif-ifd{ifd}-{tags[ifd][tag]}": str(value).replace("\0", "")
        for ifd, values in found.items()
        for tag, value in values.items()
        if tag in tags[ifd] and not isinstance(value, bytes) and tags[ifd][tag] != "Orientation"
    }
