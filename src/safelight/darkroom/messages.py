"""What the server says to a child, and how a child's word is checked.

A child may have been taken over by the last picture: nothing that it says is believed before its
types, lengths and ranges are checked, and no text of it gets out but printable ASCII, 200
characters at most.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from safelight import errors
from safelight.formats import Format
from safelight.inspection.limits import DecodeLimits
from safelight.photo import ImageFacts

ANSWER_BYTES: Final = 65_536
"""The longest answer that is read; a longer one is cut, and so no JSON."""

_REFUSALS: Final = {
    kind.code: kind for kind in (errors.CorruptImage, errors.TooManyPixels, errors.TooManyFrames)
}
_Side = Annotated[int, Meta(ge=1, le=2**31 - 1)]
_FARTHEST = 14 * 60


class BadAnswer(Exception):
    """A child said what it can't say if it is sound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """The facts of a picture, and the SHA-256 of its bytes in lower-case hex if it was asked."""

    facts: ImageFacts
    sha256: str | None = None


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


class _Refusal(msgspec.Struct, forbid_unknown_fields=True):
    code: str
    message: Annotated[str, Meta(pattern=r"^[ -~]{1,200}\Z")]


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    facts: _Facts | None = None
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")] | None = None
    refusal: _Refusal | None = None


def read_ready(message: bytes) -> Ready:
    """Read a child's first word. Raises BadAnswer."""
    try:
        return msgspec.json.decode(message, type=Ready)
    except msgspec.MsgspecError as error:
        raise BadAnswer from error


def ask_to_inspect(form: Format, *, digest: bool) -> bytes:
    """Spell the request to decode the picture that comes along, and to sum its bytes or not."""
    return _spell({"duty": "inspect", "format": form.name, "digest": digest})


def spell_limits(limits: DecodeLimits) -> str:
    """Spell the limits as a child takes them on its command line."""
    return _spell(msgspec.to_builtins(limits)).decode()


def read_inspection(message: bytes, form: Format, limits: DecodeLimits) -> Inspection:
    """Read the answer to `ask_to_inspect`.

    Raises what the child refused the picture for (CorruptImage, TooManyPixels, TooManyFrames), or
    BadAnswer.
    """
    try:
        answer = msgspec.json.decode(message, type=_Answer)
    except msgspec.MsgspecError as error:
        raise BadAnswer from error
    if answer.refusal:
        raise _REFUSALS.get(answer.refusal.code, BadAnswer)(answer.refusal.message)
    facts = answer.facts
    if not facts or facts.width * facts.height > limits.max_pixels:
        raise BadAnswer
    if facts.frames > limits.max_frames:
        raise BadAnswer
    return Inspection(facts=_image_facts(facts, form), sha256=answer.sha256)


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
    )


def _spell(message: dict[str, Any]) -> bytes:
    return msgspec.json.encode(message)
