"""What the server says to a child, and how a child's word is checked.

A child may have been taken over by the last picture: nothing that it says is believed before its
types, lengths and ranges are checked, and no text of it gets out but printable ASCII, 200
characters at most.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from mmap import mmap
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta

from safelight import errors
from safelight.formats import Format
from safelight.inspection.limits import DecodeLimits
from safelight.photo import Details, ImageFacts, Preset

ANSWER_BYTES: Final = 65_536
"""The longest answer that is read; a longer one is cut, and so no JSON."""

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
_FARTHEST = 14 * 60
_WEBP: Final = re.compile(rb"RIFF.{4}WEBPVP8[ LX]", re.DOTALL)


class BadAnswer(Exception):
    """A child said what it can't say if it is sound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """The facts of a picture, and the SHA-256 of its bytes in lower-case hex if it was asked."""

    facts: ImageFacts
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One rendition that was made: its preset, its size in pixels and its bytes."""

    preset: Preset
    width: int
    height: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Development:
    """The renditions of a picture, the narrowest first, its thumbhash and its main colour.

    The colour is six digits of hex.
    """

    exposures: tuple[Exposure, ...]
    thumbhash: bytes
    colour: str


class Ready(msgspec.Struct, forbid_unknown_fields=True):
    """The first word of a child. `confined`: whether the system-call filter is in force."""

    ready: bool
    confined: bool = False
    reason: str = ""


class _Facts(msgspec.Struct, forbid_unknown_fields=True):
    width: _Side
    height: _Side
    frames: Annotated[int, Meta(ge=1)]
    taken_at: Annotated[datetime, Meta(tz=False)] | None
    offset_minutes: Annotated[int, Meta(ge=-_FARTHEST, le=_FARTHEST)] | None
    milliseconds: Annotated[int, Meta(ge=0, le=2**40)] | None = None
    alpha: bool = False
    profile: _Label | None = None
    camera_make: _Label | None = None
    camera_model: _Label | None = None
    located: bool = False


class _Refusal(msgspec.Struct, forbid_unknown_fields=True):
    code: str
    message: Annotated[str, Meta(pattern=r"^[ -~]{1,200}\Z")]


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    facts: _Facts | None = None
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")] | None = None
    refusal: _Refusal | None = None


class _Developed(msgspec.Struct, forbid_unknown_fields=True):
    renditions: list[tuple[_Side, _Side, _Side] | None] | None = None
    thumbhash: Annotated[bytes, Meta(min_length=5, max_length=32)] | None = None
    colour: Annotated[str, Meta(pattern=r"^[0-9a-f]{6}\Z")] | None = None
    refusal: _Refusal | None = None


_A = TypeVar("_A", _Answer, _Developed)


def read_ready(message: bytes) -> Ready:
    """Read a child's first word. Raises BadAnswer."""
    try:
        return msgspec.json.decode(message, type=Ready)
    except msgspec.MsgspecError as error:
        raise BadAnswer from error


def ask_to_inspect(form: Format, *, digest: bool) -> bytes:
    """Spell the request to decode the picture that comes along, and to sum its bytes or not."""
    return _spell({"duty": "inspect", "format": form.name, "digest": digest})


def ask_to_develop(facts: ImageFacts, presets: Sequence[Preset]) -> bytes:
    """Spell the request to make renditions of the picture that comes along."""
    return _spell(
        {
            "duty": "develop",
            "format": facts.format,
            "width": facts.width,
            "height": facts.height,
            "presets": msgspec.to_builtins(presets),
        }
    )


def spell_limits(limits: DecodeLimits) -> str:
    """Spell the limits as a child takes them on its command line."""
    return _spell(msgspec.to_builtins(limits)).decode()


def read_inspection(message: bytes, form: Format, limits: DecodeLimits) -> Inspection:
    """Read the answer to `ask_to_inspect`.

    Raises what the child refused the picture for (CorruptImage, TooManyPixels, TooManyFrames, or
    UnsupportedType if its decoder isn't installed), or BadAnswer.
    """
    answer = _read(message, _Answer)
    facts = answer.facts
    if not facts or facts.width * facts.height > limits.max_pixels:
        raise BadAnswer
    if facts.frames > limits.max_frames:
        raise BadAnswer
    return Inspection(facts=_image_facts(facts, form), sha256=answer.sha256)


def read_development(message: bytes, presets: Sequence[Preset], tray: mmap | bytes) -> Development:
    """Read the answer to `ask_to_develop`, and take the renditions out of the tray.

    A rendition is believed to be a WebP of the size that it says: those who look at it decode it
    at their own risk, as they do the original. Raises CorruptImage or BadAnswer.
    """
    answer = _read(message, _Developed)
    if answer.renditions is None or answer.thumbhash is None or answer.colour is None:
        raise BadAnswer
    exposures = _exposures(answer.renditions, presets, tray)
    return Development(exposures=exposures, thumbhash=answer.thumbhash, colour=answer.colour)


def _exposures(
    made: Sequence[tuple[int, int, int] | None], presets: Sequence[Preset], tray: mmap | bytes
) -> tuple[Exposure, ...]:
    widest_first = sorted(presets, key=lambda preset: preset.width, reverse=True)
    if len(made) != len(widest_first):
        raise BadAnswer
    exposures, start = [], 0
    for preset, sizes in zip(widest_first, made, strict=True):
        if sizes is None:
            continue
        width, height, length = sizes
        data = tray[start : start + length]
        start += length
        if width > preset.width or len(data) != length or not _WEBP.match(data):
            raise BadAnswer
        exposures.append(Exposure(preset=preset, width=width, height=height, data=data))
    return tuple(reversed(exposures))


def _read(message: bytes, kind: type[_A]) -> _A:
    """Read an answer, or raise what the child refused the picture for, or BadAnswer."""
    try:
        answer = msgspec.json.decode(message, type=kind)
    except msgspec.MsgspecError as error:
        raise BadAnswer from error
    if answer.refusal:
        raise _refused(answer.refusal)
    return answer


def _refused(refusal: _Refusal) -> Exception:
    return _REFUSALS.get(refusal.code, BadAnswer)(refusal.message)


def _image_facts(facts: _Facts, form: Format) -> ImageFacts:
    minutes = facts.offset_minutes
    return ImageFacts(
        format=form.name,
        content_type=form.content_type,
        width=facts.width,
        height=facts.height,
        frames=facts.frames,
        taken_at=facts.taken_at,
        taken_offset=None if minutes is None else timedelta(minutes=minutes),
        details=_details(facts),
    )


def _details(facts: _Facts) -> Details:
    lasting = facts.milliseconds
    return Details(
        duration=None if lasting is None else timedelta(milliseconds=lasting),
        alpha=facts.alpha,
        profile=facts.profile,
        camera_make=facts.camera_make,
        camera_model=facts.camera_model,
        located=facts.located,
    )


def _spell(message: dict[str, Any]) -> bytes:
    return msgspec.json.encode(message)
