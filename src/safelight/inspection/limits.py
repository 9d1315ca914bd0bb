"""What one picture may cost, and the gate that holds it before the memory is spent."""

from dataclasses import dataclass
from datetime import timedelta

from safelight import errors


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeLimits:
    """What one decode may cost.

    `max_pixels` is of one frame, `max_total_pixels` of all frames together. `max_scans` is how
    often a JPEG may go over its picture: each pass costs time by the pixels, and next to no bytes
    (210 kB of 882 scans took 15 s); encoders make about ten. `cpu_seconds` is CPU time and
    `address_space` bytes, both of a child process.
    """

    max_pixels: int
    max_frames: int
    max_total_pixels: int
    cpu_seconds: float
    address_space: int
    max_scans: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a picture claims of itself. `width` and `height` are pixels as stored, of one frame.

    `scans` is how often its data goes over the picture; `duration` is that of all frames, if the
    decoder can't tell it.
    """

    width: int
    height: int
    frames: int = 1
    scans: int = 1
    duration: timedelta | None = None

    @property
    def pixels(self) -> int:
        """Pixels of one frame."""
        return self.width * self.height


def admit(header: Header, limits: DecodeLimits) -> None:
    """Let pass what is within the limits.

    Raises TooManyPixels, TooManyFrames, or CorruptImage for no pixels at all or too many scans.
    """
    if header.width < 1 or header.height < 1:
        raise errors.CorruptImage("The photo is damaged: its header tells of no pixels.")
    if header.pixels > limits.max_pixels:
        raise errors.TooManyPixels(
            f"The photo has {header.pixels:,} pixels; at most {limits.max_pixels:,} are allowed."
        )
    if header.frames > limits.max_frames:
        raise errors.TooManyFrames(
            f"The animation has {header.frames:,} frames; "
            f"at most {limits.max_frames:,} are allowed."
        )
    if header.pixels * header.frames > limits.max_total_pixels:
        raise errors.TooManyFrames(
            f"The animation has {header.pixels * header.frames:,} pixels in all its frames; "
            f"at most {limits.max_total_pixels:,} are allowed."
        )
    if header.scans > limits.max_scans:
        raise errors.CorruptImage(
            f"The photo is stored in {header.scans:,} scans; at most {limits.max_scans:,} "
            "are allowed."
        )
