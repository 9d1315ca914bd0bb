"""The limits of one photo, checked against its header before memory is spent."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from safelight import errors

MAX_DEEP_PIXELS: Final = 50_000_000
"""The largest HEIC that is decoded with 16 bits: 6 bytes a pixel, and copies."""
_MANY_PIXELS: Final = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeLimits:
    """The limits of one decode.

    `max_pixels` is for one frame, `max_total_pixels` for all frames together. `max_scans` limits
    the passes of a JPEG: each takes time for every pixel, and next to no bytes (210 kB with 882
    scans took 15 s); encoders make about ten. `cpu_seconds` and `address_space` (in bytes) limit
    the decoder process. A photo that needs more than these gets a process of its own: up to
    `max_address_space` and, of that, up to `max_memory` bytes of real memory. `is_allowance` is
    True for the limits of such a process.
    """

    max_pixels: int
    max_frames: int
    max_total_pixels: int
    cpu_seconds: float
    address_space: int
    max_scans: int = 100
    max_address_space: int = 0
    max_memory: int = 0
    is_allowance: bool = False

    def seconds_for(self, pixels: int) -> float:
        """Return the CPU time for a photo: in proportion to its pixels, if it has many."""
        return self.cpu_seconds * max(1.0, pixels / _MANY_PIXELS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a photo's header claims. `width` and `height` are the pixels of one frame, as stored.

    `scans` is the number of passes over the photo. `duration` is that of all frames, set only if
    the decoder doesn't report it. `samples` of `depth` bits are stored for each pixel, at most; it
    is in `tiles` if a decoder needs only one of them at a time.
    """

    width: int
    height: int
    frames: int = 1
    scans: int = 1
    duration: timedelta | None = None
    samples: float = 4
    depth: int = 8
    tiles: bool = False

    @property
    def pixels(self) -> int:
        """The pixels of one frame."""
        return self.width * self.height


def check_limits(header: Header, limits: DecodeLimits) -> None:
    """Check a header against the limits.

    Raises TooManyPixels, TooManyFrames, or CorruptImage for no pixels or too many scans.
    """
    if header.width < 1 or header.height < 1:
        raise errors.CorruptImage("The photo is damaged: its header gives no size.")
    if header.pixels > limits.max_pixels:
        raise errors.TooManyPixels(
            f"The photo has {header.pixels:,} pixels. The limit is {limits.max_pixels:,}."
        )
    if header.frames > limits.max_frames:
        raise errors.TooManyFrames(
            f"The animation has {header.frames:,} frames. The limit is {limits.max_frames:,}."
        )
    if header.pixels * header.frames > limits.max_total_pixels:
        raise errors.TooManyFrames(
            f"The animation has {header.pixels * header.frames:,} pixels in all its frames. "
            f"The limit is {limits.max_total_pixels:,}."
        )
    if header.scans > limits.max_scans:
        raise errors.CorruptImage(
            f"The photo is stored in {header.scans:,} scans. The limit is {limits.max_scans:,}."
        )
