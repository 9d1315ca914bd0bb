"""One spoilt picture through a real darkroom, and what is to be thought of the answer."""

import io
import tempfile
import time
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from PIL import Image

import pictures
from safelight import errors
from safelight.darkroom.messages import BadAnswer
from safelight.darkroom.pool import Darkroom, Development
from safelight.darkroom.worker import Died
from safelight.photo import ImageFacts
from safelight.renditions import presets
from safelight.settings import LimitSettings, RenditionSettings

_LADDER: Final = presets.ladder(RenditionSettings())
_PROOF: Final = pictures.jpeg(64, 48)
_CHUNKS: Final = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH"}
DEADLINE: Final = LimitSettings().decode_seconds.total_seconds() + 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`outcome` is "accept" or the code of a refusal; `wrong` tells what is not as it must be.

    `end` tells how the child ended if it did, and `seconds` how long the longest answer took.
    """

    outcome: str
    seconds: float
    end: str = ""
    wrong: list[str] = field(default_factory=list)


async def judge(room: Darkroom, data: bytes) -> Verdict:
    """Inspect and develop a picture, then a good one in the same darkroom of one child."""
    outcome, end, wrong, seconds = "", "", [], [0.0]
    try:
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.flush()
            facts = await _inspected(room, file, seconds)
            wrong += _wrong_with_facts(facts, room)
            wrong += await _wrong_with_renditions(room, file, facts, seconds)
        outcome = "accept"
    except errors.Invalid as refusal:
        outcome, cause = refusal.code, refusal.__cause__
        if isinstance(cause, BadAnswer):
            wrong.append(f"a child said what it can't: {cause}")
        if isinstance(cause, Died):
            end = "killed, out of time" if cause.late else f"ended with status {cause.status}"
    except Exception as error:  # noqa: BLE001, whatever it is: it should not be
        outcome = type(error).__name__
        wrong.append(f"neither a photo nor a refusal: {error!r}")
    if max(seconds) > DEADLINE:
        wrong.append(f"an answer took {max(seconds):.1f} s")
    wrong += await _wrong_with_the_next(room)
    return Verdict(outcome=outcome, seconds=max(seconds), end=end, wrong=wrong)


async def _inspected(room: Darkroom, file: BinaryIO, seconds: list[float]) -> ImageFacts:
    began = time.monotonic()
    try:
        return (await room.inspect(file, digest=True)).facts
    finally:
        seconds.append(time.monotonic() - began)


async def _wrong_with_renditions(
    room: Darkroom, file: BinaryIO, facts: ImageFacts, seconds: list[float]
) -> list[str]:
    """Have first those made that an upload waits for, which may refuse it; then the whole ladder.

    That comes when the photo is acknowledged, and must not fail any more.
    """
    whole = presets.steps(_LADDER, facts.width)
    began = time.monotonic()
    try:
        first = await room.develop(file, facts, presets.at_once(whole))
    finally:
        seconds.append(time.monotonic() - began)
    began = time.monotonic()
    try:
        made = await room.develop(file, facts, whole)
    except errors.Invalid as refusal:
        return [f"accepted, but its ladder can't be made: {refusal!r}, {refusal.__cause__!r}"]
    finally:
        seconds.append(time.monotonic() - began)
    return [*_wrong_with(first), *_wrong_with(made)]


def _wrong_with_facts(facts: ImageFacts, room: Darkroom) -> list[str]:
    sides = facts.width * facts.height
    sound = 0 < sides <= room.limits.max_pixels and 0 < facts.frames <= room.limits.max_frames
    return [] if sound else [f"accepted with {facts}"]


def _wrong_with(development: Development) -> list[str]:
    """Read each rendition by a decoder that isn't libvips."""
    wrong = [] if development.exposures else ["accepted without a rendition"]
    for each in development.exposures:
        with Image.open(io.BytesIO(each.data)) as picture:
            picture.load()
            size = picture.size
        told = set(_chunks(each.data)) - _CHUNKS
        if size != (each.width, each.height) or told:
            wrong.append(f"a rendition of {size} says {each.width} x {each.height}, {told}")
    return wrong


def _chunks(data: bytes) -> list[bytes]:
    found, at = [], 12
    while at < len(data):
        found.append(data[at : at + 4])
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "little") + 1 & ~1
    return found


async def _wrong_with_the_next(room: Darkroom) -> list[str]:
    try:
        with tempfile.TemporaryFile() as file:
            file.write(_PROOF)
            file.flush()
            facts = (await room.inspect(file)).facts
    except Exception as error:  # noqa: BLE001, whatever it is: it should not be
        return [f"the next good photo was not taken: {error!r}"]
    return [] if (facts.width, facts.height) == (64, 48) else [f"the next good photo was {facts}"]
