"""Decode a photo completely with libvips, and return its facts.

Import this in a decoder process only: libvips decodes untrusted bytes. Call `lock_loaders` once
before anything is decoded.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from mmap import mmap
from typing import Any, Final, Protocol

import pyvips
from pyvips import ffi, vips_lib

from safelight import errors
from safelight.imaging import heic, xmp
from safelight.imaging.browsers import is_displayable
from safelight.imaging.colour.description import ColourDescription
from safelight.imaging.exif import find_exif_blocks
from safelight.imaging.headers import gif, heif, jpeg, png, webp
from safelight.imaging.headers.animation import duration_of
from safelight.imaging.headers.colour import colour_description
from safelight.imaging.heif.primary import show_primary
from safelight.imaging.limits import DecodeLimits, Header, check_limits
from safelight.imaging.location import is_located
from safelight.imaging.metadata import clean_label, icc_profile_name, read_dates
from safelight.models import Details, ImageFacts

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
_UPRIGHT: Final = frozenset({"avif", "heic"})
_LIBVIPS_ITEMS: Final = 256
"""Without `unlimited`, libvips refuses more tiles. Items and pixels were limited by the header, and
memory is by the process."""
_ORIENTATIONS: Final = frozenset(range(1, 9))
_QUARTER_TURNS: Final = frozenset({5, 6, 7, 8})
_TRUNCATED: Final = "premature end of data segment"
"""libjpeg's warning (to it, no error) about data that end before the photo does."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An image that `open_first_frame` has opened, and the prepared bytes that it refers to."""

    image: Any
    data: bytes | mmap


class ImageFormat(Protocol):
    """The properties of a format that decoding needs."""

    @property
    def name(self) -> str:
        """Its name in Safelight."""

    @property
    def content_type(self) -> str:
        """Its media type."""

    @property
    def loader(self) -> str:
        """The libvips operation that decodes it from a source."""


def lock_loaders() -> None:
    """Block all loaders of libvips but those of the accepted formats, until this process ends.

    The others lead to CVE-2026-66066. A misspelt name raises no error here, so the tests try real
    files, accepted and refused ones.
    """
    pyvips.cache_set_max(0)
    pyvips.operation_block_set("VipsForeignLoad", True)
    for loader in _ALLOWED:
        pyvips.operation_block_set(loader, False)


def read_header(data: bytes | mmap, form: ImageFormat, limits: DecodeLimits) -> Header:
    """Read the header, and check it against the limits before libvips reads a byte.

    Raises CorruptImage, TooManyPixels, TooManyFrames.
    """
    header = _HEADERS[form.name](data)
    check_limits(header, limits)
    return header


def inspect(
    data: bytes | mmap, form: ImageFormat, limits: DecodeLimits, header: Header | None = None
) -> ImageFacts:
    """Decode every pixel of every frame, strip by strip, and return the facts.

    `header` is what `read_header` returned; otherwise it is read first. libvips' own reading of it
    is checked again before it decodes a pixel. Raises CorruptImage, TooManyPixels, TooManyFrames.
    """
    header = header or read_header(data, form, limits)
    return _inspect(data, form, limits, header, is_kept=False)[0]


def inspect_and_keep(
    data: bytes | mmap, form: ImageFormat, limits: DecodeLimits, header: Header
) -> tuple[ImageFacts, "Opened | None"]:
    """Inspect a photo that is rendered next, and return also what it is rendered from.

    Its pixels are decoded only then, so it must be rendered, which may raise pyvips.Error, and
    `require_whole` called afterwards. An animation was decoded, and must be opened again.
    """
    is_kept = header.frames == 1 and form.name != "gif"
    return _inspect(data, form, limits, header, is_kept=is_kept)


def _inspect(
    data: bytes | mmap, form: ImageFormat, limits: DecodeLimits, header: Header, *, is_kept: bool
) -> tuple[ImageFacts, "Opened | None"]:
    file, data = data, prepare(data, form)
    vips_lib.vips_error_clear()
    try:
        if is_kept:
            colour = colour_description(data, form.name)
            image = open_first_frame(data, form, colour=colour)
        else:
            image = _open(data, form)
        check_limits(_header(image), limits)
        facts = _facts(data, image, form, header)
        if data is not file or (form.name == "jpeg" and jpeg.read_frame(data).is_lossless):
            facts = replace(facts, renderer=2)  # version 0.1 showed another item, or cropped it
        if form.name == "gif":
            facts = _with_canvas(facts, gif.read_canvas(data))
        if is_kept:
            return facts, Opened(image, data)
        _read_last_line(_open(data, form, shrink=8) if _may_shrink(data, form, header) else image)
    except (pyvips.Error, UnicodeDecodeError, MemoryError) as error:
        raise errors.CorruptImage from error
    require_whole(form)
    return facts, None


def require_whole(form: ImageFormat) -> None:
    """Raise CorruptImage if the JPEG that was decoded last is truncated.

    Call it before anything else is done with libvips: encoding clears its warnings.
    """
    if form.name == "jpeg" and _TRUNCATED in _warnings():
        raise errors.CorruptImage


def _with_canvas(facts: ImageFacts, canvas: gif.Canvas) -> ImageFacts:
    """Return the facts of a GIF; version 0.1 rendered a first frame of another size otherwise."""
    if canvas.is_extended:
        facts = replace(facts, renderer=2)
    if canvas.is_covered:
        return facts
    return replace(facts, renderer=2, details=replace(facts.details, alpha=True))


def prepare(data: bytes | mmap, form: ImageFormat) -> bytes | mmap:
    """Return the bytes to open: those of the file, or changed so that its primary item is shown.

    Keep them as long as the image is used: libvips refers to them.
    """
    return show_primary(data) if form.name in _UPRIGHT else data


def open_first_frame(
    data: bytes | mmap,
    form: ImageFormat,
    *,
    shrink: int = 1,
    colour: ColourDescription | None = None,
) -> Any:
    """Open the first frame of an inspected and prepared photo, to be read once, top to bottom.

    `shrink` is 1, 2, 4 or 8, for a JPEG only. `colour` is what the file says instead of a profile.
    Raises pyvips.Error, now or while it is read.
    """
    if form.name == "heic":
        return heic.open_heic(data, deep=colour is not None and colour.has_high_range)
    return _open(data, form, n=1, **({"shrink": shrink} if shrink > 1 else {}))


def _open(data: bytes | mmap, form: ImageFormat, *, n: int = -1, **options: int) -> Any:
    if form.name == "heic":
        return heic.open_heic(data)
    if form.name in _PAGED:
        options["n"] = n
    if form.name == "avif" and heif.item_count(data) > _LIBVIPS_ITEMS:
        options["unlimited"] = True
    source = pyvips.Source.new_from_memory(data)
    return pyvips.Operation.call(
        form.loader, source, access="sequential", fail_on="error", **options
    )


def _may_shrink(data: bytes | mmap, form: ImageFormat, header: Header) -> bool:
    """Whether decoding at an eighth of the size proves as much, in half the time.

    All coded data of a JPEG is still read and checked; only the transform, which can't fail, is
    saved. With several scans it would take twice as long instead.
    """
    return form.name == "jpeg" and header.scans == 1 and jpeg.read_frame(data).can_shrink


def _header(image: Any) -> Header:
    """Return the size according to libvips. `n=-1` puts the frames below one another."""
    page_height = image.get_page_height()
    return Header(width=image.width, height=page_height, frames=image.height // page_height)


def _read_last_line(image: Any) -> None:
    """Read the last line only: a sequential image decodes and drops all lines before it."""
    image.crop(0, image.height - 1, image.width, 1).avg()


def _facts(data: bytes | mmap, image: Any, form: ImageFormat, header: Header) -> ImageFacts:
    exif_blocks = find_exif_blocks(data, form.name)
    properties = xmp.read_properties(data, form.name)
    colour = colour_description(data, form.name)
    found = _field(image, "orientation")
    orientation = found if isinstance(found, int) and found in _ORIENTATIONS else 1
    width, height = header.width, header.height
    if form.name in _UPRIGHT:
        width, height = image.width, image.height
    elif orientation in _QUARTER_TURNS:
        width, height = height, width
    return ImageFacts(
        renderer=2 if colour else 1,
        format=form.name,
        content_type=form.content_type,
        width=width,
        height=height,
        frames=header.frames,
        dates=read_dates(
            partial(_field, image),
            exif_blocks if form.name == "png" else (),  # libvips passes over some of a PNG
            properties,
        ),
        details=Details(
            duration=_duration(image, header),
            alpha=bool(image.hasalpha()),
            profile=colour.name if colour else icc_profile_name(_blob(image, "icc-profile-data")),
            camera_make=clean_label(_field(image, "exif-ifd0-Make")),
            camera_model=clean_label(_field(image, "exif-ifd0-Model")),
            located=is_located(exif_blocks, properties),
            displayable=is_displayable(
                data,
                form.name,
                longest_side=max(width, height),
                orientation=orientation,
                exif_blocks=exif_blocks,
            ),
        ),
    )


def _duration(image: Any, header: Header) -> timedelta | None:
    """Return the sum of the frames' delays, which libvips reads from a GIF or WebP only."""
    delays = _field(image, "delay")
    if header.frames == 1 or not isinstance(delays, list):
        return header.duration if header.frames > 1 else None
    return duration_of(timedelta(milliseconds=delay) for delay in delays[: header.frames])


def _blob(image: Any, name: str) -> bytes:
    value = _field(image, name)
    return value if isinstance(value, bytes) else b""


def _field(image: Any, name: str) -> object:
    """Return a metadata field; None if it is missing, or text that isn't UTF-8."""
    try:
        return image.get(name) if image.get_typeof(name) else None
    except (pyvips.Error, UnicodeDecodeError):
        return None


def _warnings() -> str:
    text: bytes = ffi.string(vips_lib.vips_error_buffer())
    return text.decode(errors="replace")
