"""The messages between the server and a decoder process, and the checks of its answers.

An image may have taken over the process: types, lengths and ranges of an answer are checked before
any of it is used. Text from it is limited to 200 characters of printable ASCII.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from mmap import mmap
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from safelight import errors
from safelight.imaging.formats import Format
from safelight.imaging.limits import DecodeLimits
from safelight.imaging.metadata import MAX_DATES
from safelight.imaging.presets import LATEST_RENDERER
from safelight.models import (
    MAX_WEBP_SIDE,
    CaptureDate,
    DateSource,
    Details,
    ImageFacts,
    Preset,
)

MAX_ANSWER_BYTES: Final = 65_536
"""A longer answer is cut off, and so isn't valid JSON."""

_REFUSALS: Final = {
    kind.code: kind
    for kind in (
        errors.CorruptImage,
        errors.TooManyPixels,
        errors.TooManyFrames,
        errors.UnsupportedType,
    )
}
_Side = Annotated[int, Meta(ge=1, le=2**31 - 1)]
_Label = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
_MAX_OFFSET_MINUTES = 14 * 60
_STARTS: Final = {
    "image/webp": re.compile(rb"RIFF.{4}WEBPVP8[ LX]", re.DOTALL),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
}


class ProtocolError(Exception):
    """A decoder process sent an answer that it can't send unless it is compromised or broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """The facts of an image, and its renditions if it was rendered at the same time."""

    facts: ImageFacts
    rendered: "RenderResult | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedImage:
    """One rendition: its preset, its size in pixels and its bytes."""

    preset: Preset
    width: int
    height: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderResult:
    """The renditions of an image, narrowest first, its thumbhash and its dominant colour.

    The colour is six hex digits.
    """

    images: tuple[RenderedImage, ...]
    thumbhash: bytes
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a large photo gets: memory and address space in bytes, and seconds of CPU time."""

    memory: int
    space: int
    seconds: float


class NeedsAllowance(Exception):
    """The image needs a decoder of its own, with this allowance. Nothing was decoded yet."""

    def __init__(self, allowance: Allowance) -> None:
        super().__init__("it needs more than usual")
        self.allowance = allowance


class Ready(msgspec.Struct, forbid_unknown_fields=True):
    """The first message of a process; `gaps` are what is missing of a decoder's confinement."""

    ready: bool
    pid: int = 0
    gaps: tuple[str, ...] = ()
    reason: str = ""


class _Date(msgspec.Struct, forbid_unknown_fields=True):
    at: Annotated[datetime, Meta(tz=False)]
    offset_minutes: Annotated[int, Meta(ge=-_MAX_OFFSET_MINUTES, le=_MAX_OFFSET_MINUTES)] | None
    source: Literal["exif", "xmp"]


class _Facts(msgspec.Struct, forbid_unknown_fields=True):
    width: _Side
    height: _Side
    frames: Annotated[int, Meta(ge=1)]
    renderer: Annotated[int, Meta(ge=1, le=LATEST_RENDERER)]
    dates: Annotated[list[_Date], Meta(max_length=MAX_DATES)]
    milliseconds: Annotated[int, Meta(ge=0, le=2**40)] | None = None
    alpha: bool = False
    profile: _Label | None = None
    camera_make: _Label | None = None
    camera_model: _Label | None = None
    located: bool = False
    displayable: bool = True


class _Refusal(msgspec.Struct, forbid_unknown_fields=True):
    code: str
    message: Annotated[str, Meta(pattern=r"^[ -~]{1,200}\Z")]


class _Needs(msgspec.Struct, forbid_unknown_fields=True):
    memory: Annotated[int, Meta(ge=1, le=2**48)]
    space: Annotated[int, Meta(ge=1, le=2**48)]
    seconds: Annotated[float, Meta(gt=0, le=1e6)]


class _CheckAnswer(msgspec.Struct, forbid_unknown_fields=True):
    failed: list[str] = []
    needs: _Needs | None = None
    refusal: _Refusal | None = None


class _InspectAnswer(msgspec.Struct, forbid_unknown_fields=True):
    facts: _Facts | None = None
    needs: _Needs | None = None
    refusal: _Refusal | None = None


class _RenderAnswer(msgspec.Struct, forbid_unknown_fields=True):
    renditions: list[tuple[_Side, _Side, _Side] | None] | None = None
    thumbhash: Annotated[bytes, Meta(min_length=5, max_length=32)] | None = None
    colour: Annotated[str, Meta(pattern=r"^[0-9a-f]{6}\Z")] | None = None
    needs: _Needs | None = None
    refusal: _Refusal | None = None


_A = TypeVar("_A", _CheckAnswer, _InspectAnswer, _RenderAnswer)


def decode_ready(message: bytes) -> Ready:
    """Decode a process's first message. Raises ProtocolError."""
    try:
        return msgspec.json.decode(message, type=Ready)
    except msgspec.MsgspecError as error:
        raise ProtocolError from error


def encode_check(formats: Sequence[str]) -> bytes:
    """Encode the request to decode a sample of each of these formats."""
    return msgspec.json.encode({"operation": "check", "formats": formats})


@cache
def encode_inspect(format_: Format, *, render_next: bool = False) -> bytes:
    """Encode the request to inspect the attached image, and perhaps to keep it for the next one."""
    return msgspec.json.encode(
        {"operation": "inspect", "format": format_.name, "render_next": render_next}
    )


def encode_render(facts: ImageFacts, presets: Sequence[Preset]) -> bytes:
    """Encode the request to render the attached image, in the order of `widest_first`."""
    return msgspec.json.encode(
        {
            "operation": "render",
            "format": facts.format,
            "width": facts.width,
            "height": facts.height,
            "turn": facts.turn,
            "presets": presets,
        }
    )


def encode_limits(limits: DecodeLimits) -> str:
    """Encode the limits for a process's command line."""
    return msgspec.json.encode(limits).decode()


def decode_check(message: bytes) -> list[str]:
    """Return the formats that could not be decoded. Raises ProtocolError."""
    return _decode(message, _CheckAnswer).failed


def decode_inspection(message: bytes, format_: Format, limits: DecodeLimits) -> Inspection:
    """Decode the answer to an inspect request.

    Raises the reason why the image is refused (CorruptImage, TooManyPixels, TooManyFrames, or
    UnsupportedType if its decoder isn't installed), or ProtocolError.
    """
    answer = _decode(message, _InspectAnswer)
    facts = answer.facts
    if not facts or facts.width * facts.height > limits.max_pixels:
        raise ProtocolError
    if facts.frames > limits.max_frames:
        raise ProtocolError
    milliseconds = facts.milliseconds
    return Inspection(
        facts=ImageFacts(
            format=format_.name,
            content_type=format_.content_type,
            width=facts.width,
            height=facts.height,
            frames=facts.frames,
            renderer=facts.renderer,
            dates=tuple(map(_capture_date, facts.dates)),
            details=Details(
                duration=None if milliseconds is None else timedelta(milliseconds=milliseconds),
                alpha=facts.alpha,
                profile=facts.profile,
                camera_make=facts.camera_make,
                camera_model=facts.camera_model,
                located=facts.located,
                displayable=facts.displayable,
            ),
        ),
    )


def _capture_date(date: _Date) -> CaptureDate:
    minutes = date.offset_minutes
    return CaptureDate(
        at=date.at,
        offset=None if minutes is None else timedelta(minutes=minutes),
        source=DateSource(date.source),
    )


def decode_render(message: bytes, presets: Sequence[Preset], output: mmap | bytes) -> RenderResult:
    """Decode the answer to a render request, and copy the renditions from the shared memory.

    `presets` are those of the request, in its order; the renditions are returned in reverse.
    Only the first bytes of a rendition are checked: browsers decode it with the same caution as the
    original. Raises CorruptImage or ProtocolError.
    """
    answer = _decode(message, _RenderAnswer)
    sizes = answer.renditions
    if sizes is None or answer.thumbhash is None or answer.colour is None:
        raise ProtocolError
    if len(sizes) != len(presets):
        raise ProtocolError
    images, start = [], 0
    for preset, size in zip(presets, sizes, strict=True):
        if size is None:
            continue
        width, height, length = size
        data = output[start : start + length]
        start += length
        widest = MAX_WEBP_SIDE if preset.short_side else preset.width
        if width > widest or len(data) != length or not _STARTS[preset.content_type].match(data):
            raise ProtocolError
        images.append(RenderedImage(preset=preset, width=width, height=height, data=data))
    return RenderResult(
        images=tuple(reversed(images)), thumbhash=answer.thumbhash, colour=answer.colour
    )


def _decode(message: bytes, kind: type[_A]) -> _A:
    """Decode an answer, or raise the reason why the image is refused, or ProtocolError.

    Raises NeedsAllowance without comparing it with the limits.
    """
    try:
        answer = msgspec.json.decode(message, type=kind)
    except msgspec.MsgspecError as error:
        raise ProtocolError from error
    if answer.refusal:
        raise _REFUSALS.get(answer.refusal.code, ProtocolError)(answer.refusal.message)
    if needs := answer.needs:
        allowance = Allowance(memory=needs.memory, space=needs.space, seconds=needs.seconds)
        raise NeedsAllowance(allowance)
    return answer
