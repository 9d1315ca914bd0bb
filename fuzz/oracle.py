"""Decode a mutated photo in a real darkroom, and check the result."""

import io
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from PIL import Image

from safelight import errors
from safelight.darkroom.channel import DecoderStartFailed
from safelight.darkroom.pool import Darkroom, Inspection, RenderResult
from safelight.darkroom.process import DecoderDied, DecoderStarved
from safelight.darkroom.protocol import ProtocolError
from safelight.imaging import presets
from safelight.models import ImageFacts, Preset
from safelight.settings import LimitSettings, RenditionSettings
from support import pictures

_PRESETS: Final = presets.build_presets(RenditionSettings())
_GOOD_PHOTO: Final = pictures.jpeg(64, 48)
_CHUNKS: Final = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH"}
DEADLINE: Final = 2 + Darkroom(LimitSettings()).limits.seconds_for(LimitSettings().max_pixels)
"""Seconds; a large photo may take longer than others, and the photos here are of all sizes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`outcome` is "accept" or the code of a refusal; `problems` lists all violations.

    `end` describes how the decoder ended, if it did, and `seconds` is the time of the slowest call.
    """

    outcome: str
    seconds: float
    end: str = ""
    problems: list[str] = field(default_factory=list)


async def check(room: Darkroom, data: bytes) -> Verdict:
    """Inspect and render a photo, then a good one in the same darkroom of one decoder."""
    outcome, end, problems, seconds = "", "", [], [0.0]
    try:
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.flush()
            inspection = await _inspect(room, file, seconds)
            facts = inspection.facts
            problems += _check_facts(facts, room)
            problems += _check_renditions(inspection.rendered) if inspection.rendered else []
            problems += await _check_rendering(room, file, facts, seconds)
        outcome = "accept"
    except errors.Invalid as refusal:
        outcome, cause = refusal.code, refusal.__cause__
        if isinstance(cause, ProtocolError):
            problems.append(f"invalid answer of the decoder: {cause}")
        if isinstance(cause, DecoderDied):
            end = "killed, out of time" if cause.late else f"ended with status {cause.status}"
    except errors.Busy as busy:
        outcome = "starved" if _is_starved(busy) else "busy"
        problems += [] if _is_starved(busy) else [f"neither accepted nor refused: {busy!r}"]
    except Exception as error:  # noqa: BLE001, any other error is a finding
        outcome = type(error).__name__
        problems.append(f"neither accepted nor refused: {error!r}")
    if max(seconds) > DEADLINE and outcome != "starved":
        problems.append(f"a call took {max(seconds):.1f} s")
    problems += await _check_next_photo(room)
    return Verdict(outcome=outcome, seconds=max(seconds), end=end, problems=problems)


def _is_starved(busy: errors.Busy) -> bool:
    """Whether other programs took the decoder's processor time, which is no fault of ours."""
    cause = busy.__cause__
    return isinstance(cause, DecoderStarved) or (
        isinstance(cause, DecoderStartFailed) and isinstance(cause.__cause__, TimeoutError)
    )


async def _inspect(room: Darkroom, file: BinaryIO, seconds: list[float]) -> Inspection:
    started_at = time.monotonic()
    try:
        return await room.inspect(file, owner="o", presets=_all_presets)
    finally:
        seconds.append(time.monotonic() - started_at)


async def _check_rendering(
    room: Darkroom, file: BinaryIO, facts: ImageFacts, seconds: list[float]
) -> list[str]:
    """Make the renditions of the upload, which may refuse the photo; then all of them.

    Those are made after the photo is acknowledged, and must not fail.
    """
    wanted = _all_presets(facts)
    started_at = time.monotonic()
    try:
        first = await room.render(file, facts, presets.made_at_upload(wanted), owner="o")
    finally:
        seconds.append(time.monotonic() - started_at)
    started_at = time.monotonic()
    try:
        made = await room.render(file, facts, wanted, owner="o")
    except errors.Invalid as refusal:
        return [f"accepted, but its renditions can't be made: {refusal!r}, {refusal.__cause__!r}"]
    finally:
        seconds.append(time.monotonic() - started_at)
    return [*_check_renditions(first), *_check_renditions(made)]


def _all_presets(facts: ImageFacts, *, is_large: bool = False) -> Sequence[Preset]:
    del is_large  # what a large photo gets at once is made of others, too
    return presets.presets_for_size(_PRESETS, facts.width, facts.height)


def _check_facts(facts: ImageFacts, room: Darkroom) -> list[str]:
    sides = facts.width * facts.height
    is_valid = 0 < sides <= room.limits.max_pixels and 0 < facts.frames <= room.limits.max_frames
    return [] if is_valid else [f"accepted with {facts}"]


def _check_renditions(result: RenderResult) -> list[str]:
    """Check each rendition with a decoder other than libvips."""
    problems = [] if result.images else ["accepted without a rendition"]
    for image in result.images:
        with Image.open(io.BytesIO(image.data)) as picture:
            picture.load()
            size = picture.size
        metadata = set(_chunks(image.data)) - _CHUNKS
        if size != (image.width, image.height) or metadata:
            problems.append(
                f"a rendition of {size} claims {image.width} x {image.height}; {metadata}"
            )
    return problems


def _chunks(data: bytes) -> list[bytes]:
    found, at = [], 12
    while at < len(data):
        found.append(data[at : at + 4])
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "little") + 1 & ~1
    return found


async def _check_next_photo(room: Darkroom) -> list[str]:
    try:
        with tempfile.TemporaryFile() as file:
            file.write(_GOOD_PHOTO)
            file.flush()
            facts = (await room.inspect(file, owner="o")).facts
    except errors.Busy as busy:
        return [] if _is_starved(busy) else [f"the next good photo was refused: {busy!r}"]
    except Exception as error:  # noqa: BLE001, any other error is a finding
        return [f"the next good photo was refused: {error!r}"]
    return [] if (facts.width, facts.height) == (64, 48) else [f"the next good photo was {facts}"]
