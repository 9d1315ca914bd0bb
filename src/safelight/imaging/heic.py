"""Decode a HEIC with pillow-heif, which is an extra: its wheels bundle code under the GPL.

Import this in a decoder process only.
"""

from collections.abc import Mapping
from mmap import mmap
from typing import Any, Final

import pyvips

from safelight import errors
from safelight.imaging.limits import MAX_DEEP_PIXELS

_BANDS: Final = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
_DEEP_SUFFIX: Final = ";16"
_INTERPRETATIONS: Final = {
    (False, False): "b-w",
    (True, False): "srgb",
    (False, True): "grey16",
    (True, True): "rgb16",
}
_EXIF_IFD: Final = 0x8769


def open_heic(data: bytes | mmap, *, deep: bool = False) -> Any:
    """Decode the primary image of a file, upright, in eight bits.

    If `deep`, an image of more bits gets 16, unless it is too large for that.
    libheif has applied the file's own rotation. The EXIF orientation that cameras write beside it
    is dropped, so that the image isn't rotated twice. Raises UnsupportedType if pillow-heif isn't
    installed, CorruptImage if it can't decode the image.
    """
    try:
        import pillow_heif
    except ImportError as error:
        raise errors.UnsupportedType(
            "This server does not accept HEIC photos: the extra safelight[heic] is not installed."
        ) from error
    pillow_heif.options.DECODE_THREADS = 1
    try:
        heif = pillow_heif.open_heif(bytes(data), convert_hdr_to_8bit=not deep)
        # Without a primary image that it can decode, it would take another one.
        if not heif.info["primary"]:
            raise errors.CorruptImage
        if heif.size[0] * heif.size[1] > MAX_DEEP_PIXELS and heif.mode.endswith(_DEEP_SUFFIX):
            heif = pillow_heif.open_heif(bytes(data), convert_hdr_to_8bit=True)
        pixels: memoryview = heif.data  # of memory that it keeps alive
    except (ValueError, OSError, RuntimeError, SyntaxError, EOFError, IndexError) as error:
        raise errors.CorruptImage from error
    bands, (width, height) = _BANDS[heif.mode.removesuffix(_DEEP_SUFFIX)], heif.size
    is_deep = heif.mode.endswith(_DEEP_SUFFIX)
    across = heif.stride // (bands * (2 if is_deep else 1))
    form = pyvips.BandFormat.USHORT if is_deep else pyvips.BandFormat.UCHAR
    padded = pyvips.Image.new_from_memory(pixels, across, height, bands, form)
    image = padded.crop(0, 0, width, height).copy(
        interpretation=_INTERPRETATIONS[bands > 2, is_deep]
    )
    _add_metadata(image, heif.info)
    return image


def _add_metadata(image: Any, info: Mapping[str, Any]) -> None:
    """Add the colour profile and the EXIF fields, under the names that libvips gives them."""
    if profile := info.get("icc_profile"):
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    for name, value in _exif(info.get("exif")).items():
        image.set_type(pyvips.GValue.gstr_type, name, value)


def _exif(block: bytes | None) -> dict[str, str]:
    # Exif needs TiffImagePlugin, and would import it later, when no file can be opened.
    from PIL import ExifTags, Image, TiffImagePlugin  # noqa: F401, installed with pillow-heif

    try:
        fields = Image.Exif()
        fields.load(block or b"")
        fields_of = {0: dict(fields), 2: dict(fields.get_ifd(_EXIF_IFD))}
        fields_of[3] = dict(fields.get_ifd(ExifTags.IFD.GPSInfo))
    except Exception:  # noqa: BLE001, broken metadata never causes a good photo to be refused
        return {}
    tags = {0: ExifTags.TAGS, 2: ExifTags.TAGS, 3: ExifTags.GPSTAGS}
    return {
        f"exif-ifd{ifd}-{tags[ifd][tag]}": str(value).replace("\0", "")
        for ifd, values in fields_of.items()
        for tag, value in values.items()
        if tag in tags[ifd] and not isinstance(value, bytes) and tags[ifd][tag] != "Orientation"
    }
