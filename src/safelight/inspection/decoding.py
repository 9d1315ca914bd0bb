"""Decode a picture to its last line with libvips, and tell what it is.

Import this in a child process of the darkroom only: it loads libvips, and strangers' bytes go
through it. Call `lock_loaders` once before anything is decoded.
"""

from collections.abc import Callable
from datetime import timedelta
from mmap import mmap
from typing import Any, Final, Protocol

import pyvips
from pyvips import ffi, vips_lib

from safelight import errors
from safelight.inspection import gif, heic, heif, jpeg, png, webp
from safelight.inspection.capture import parse_date_time, parse_offset
from safelight.inspection.labels import label, profile_name
from safelight.inspection.limits import DecodeLimits, Header, admit
from safelight.photo import Details, ImageFacts

_HEADERS: Final[dict[str, Callable[[bytes | mmap], Header]]] = {
    "jpeg": jpeg.read_header,
    "png": png.read_header,
    "gif": gif.read_header,
    "webp": webp.read_header,
    "avif": heif.read_header,
    "heic": heif.read_header,
}
_ALLOWED: Final = (
    "VipsForeignLoadJpeg",
    "VipsForeignLoadPng",
    "VipsForeignLoadNsgif",
    "VipsForeignLoadWebp",
    "VipsForeignLoadHeif",
)
_PAGED: Final = frozenset({"gif", "webp"})
_TURNED_ALREADY: Final = frozenset({"avif", "heic"})
_SMALLEST_TO_SHRINK: Final = 64
_SIDEWAYS: Final = frozenset({5, 6, 7, 8})
_CUT_SHORT: Final = "premature end of data segment"
"""libjpeg's words, only a warning to it, for data that end before the picture does."""


class PictureFormat(Protocol):
    """What has to be known of a format in order to decode it."""

    @property
    def name(self) -> str:
        """What we call it."""

    @property
    def content_type(self) -> str:
        """What it is served as."""

    @property
    def loader(self) -> str:
        """The libvips operation that decodes it from a source."""


def lock_loaders() -> None:
    """Leave libvips with the loaders of the accepted formats, for the rest of this process.

    CVE-2026-66066 is what the others lead to. A misspelt name would pass here without an error, so
    the tests try real files, those let in and those refused.
    """
    pyvips.cache_set_max(0)
    pyvips.operation_block_set("VipsForeignLoad", True)  # noqa: FBT003, the binding's own way
    for loader in _ALLOWED:
        pyvips.operation_block_set(loader, False)  # noqa: FBT003


def inspect(data: bytes | mmap, form: PictureFormat, limits: DecodeLimits) -> ImageFacts:
    """Decode every pixel of every frame, one strip after another, and tell the facts.

    The header is held against the limits before libvips sees a byte, and libvips' own reading of
    it once more before a pixel is decoded. Raises CorruptImage, TooManyPixels, TooManyFrames.
    """
    header = _HEADERS[form.name](data)
    admit(header, limits)
    vips_lib.vips_error_clear()
    try:
        image = _open(data, form)
        admit(_seen(image), limits)
        facts = _facts(image, form, header)
        _read_last_line(_open(data, form, shrink=8) if _may_shrink(form, header) else image)
    except (pyvips.Error, UnicodeDecodeError, MemoryError) as error:
        raise errors.CorruptImage from error
    if form.name == "jpeg" and _CUT_SHORT in _warnings():
        raise errors.CorruptImage
    return facts


def open_still(data: bytes | mmap, form: PictureFormat, *, shrink: int = 1) -> Any:  # noqa: ANN401
    """Open a picture that was inspected: its first frame, to be read once from top to bottom.

    `shrink` is 1, 2, 4 or 8, of a JPEG alone. Raises pyvips.Error, now or when it is read.
    """
    return _open(data, form, n=1, **({"shrink": shrink} if shrink > 1 else {}))


def _open(data: bytes | mmap, form: PictureFormat, *, n: int = -1, **options: int) -> Any:  # noqa: ANN401
    if form.name == "heic":
        return heic.open_upright(data)
    if form.name in _PAGED:
        options["n"] = n
    source = pyvips.Source.new_from_memory(data)
    return pyvips.Operation.call(
        form.loader, source, access="sequential", fail_on="error", **options
    )


def _may_shrink(form: PictureFormat, header: Header) -> bool:
    """Whether an eighth of the size proves as much.

    All of a JPEG's coded data is still read and checked, only the transform that can't fail is
    spared: half the time. With several scans it would take twice as long instead, and a side that
    would shrink to nothing is an error to libvips.
    """
    return (
        form.name == "jpeg"
        and header.scans == 1
        and min(header.width, header.height) >= _SMALLEST_TO_SHRINK
    )


def _seen(image: Any) -> Header:  # noqa: ANN401
    """Tell the size as libvips sees it. `n=-1` puts the frames below one another."""
    page_height = image.get_page_height()
    return Header(width=image.width, height=page_height, frames=image.height // page_height)


def _read_last_line(image: Any) -> None:  # noqa: ANN401
    """Ask for the last line alone: a sequential image decodes and drops all those before it."""
    image.crop(0, image.height - 1, image.width, 1).avg()


def _facts(image: Any, form: PictureFormat, header: Header) -> ImageFacts:  # noqa: ANN401
    width, height = header.width, header.height
    if form.name in _TURNED_ALREADY:
        width, height = image.width, image.height
    elif _field(image, "orientation") in _SIDEWAYS:
        width, height = height, width
    return ImageFacts(
        format=form.name,
        content_type=form.content_type,
        width=width,
        height=height,
        frames=header.frames,
        taken_at=parse_date_time(str(_field(image, "exif-ifd2-DateTimeOriginal"))),
        taken_offset=parse_offset(str(_field(image, "exif-ifd2-OffsetTimeOriginal"))),
        details=Details(
            duration=_duration(image, header),
            alpha=bool(image.hasalpha()),
            profile=profile_name(_blob(image, "icc-profile-data")),
            camera_make=label(_field(image, "exif-ifd0-Make")),
            camera_model=label(_field(image, "exif-ifd0-Model")),
            located=_is_located(image),
        ),
    )


def _duration(image: Any, header: Header) -> timedelta | None:  # noqa: ANN401
    """Add up how long each frame stays, in milliseconds; libvips knows nothing of an APNG's."""
    delays = _field(image, "delay")
    if header.frames == 1 or not isinstance(delays, list):
        return header.duration if header.frames > 1 else None
    return timedelta(milliseconds=sum(max(delay, 0) for delay in delays[: header.frames]))


def _is_located(image: Any) -> bool:  # noqa: ANN401
    fields = ("exif-ifd3-GPSLatitude", "exif-ifd3-GPSLongitude")
    return all(_field(image, name) is not None for name in fields)


def _blob(image: Any, name: str) -> bytes:  # noqa: ANN401
    value = _field(image, name)
    return value if isinstance(value, bytes) else b""


def _field(image: Any, name: str) -> object:  # noqa: ANN401
    """Read one field; None if it is absent, or text that isn't UTF-8."""
    try:
        return image.get(name) if image.get_typeof(name) else None
    except (pyvips.Error, UnicodeDecodeError):
        return None


def _warnings() -> str:
    text: bytes = ffi.string(vips_lib.vips_error_buffer())
    return text.decode(errors="replace")
