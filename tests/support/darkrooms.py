"""Open a darkroom, use it, and make its decoders misbehave."""

import json
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from safelight import errors
from safelight.darkroom import protocol
from safelight.darkroom.pool import ChoosePresets, Darkroom, Inspection, RenderResult
from safelight.imaging import presets
from safelight.imaging.formats import JPEG
from safelight.models import ImageFacts, Preset
from safelight.settings import LimitSettings, RenditionSettings

OWNER: Final = "o"

FAULTY: Final = (str(Path(__file__).with_name("faulty_decoder.py")),)
"""The arguments of a decoder that misbehaves on request."""


@asynccontextmanager
async def open_darkroom(*, children: int = 1, **limits: object) -> AsyncIterator[Darkroom]:
    room = Darkroom(LimitSettings.model_validate(limits), children=children, program=FAULTY)
    try:
        yield room
    finally:
        await room.close()


async def works(darkroom: Darkroom, photo: Path, owner: str = OWNER) -> bool:
    with photo.open("rb") as file:
        return (await darkroom.inspect(file, owner=owner)).facts.width == 256


async def misbehave(darkroom: Darkroom, fault: str, owner: str = OWNER) -> Any:
    """Make a decoder perform a fault, and return the result."""
    return await darkroom._run(
        _request(fault), [], lambda answer: json.loads(answer)["result"], owner=owner
    )


async def misbehave_in_inspection(darkroom: Darkroom, fault: str) -> Inspection:
    """Make a decoder perform a fault, and read its answer as that of an inspection."""
    return await darkroom._run(
        _request(fault),
        [],
        lambda answer: protocol.decode_inspection(answer, JPEG, darkroom.limits),
        owner=OWNER,
    )


def _request(fault: str) -> bytes:
    return json.dumps({"operation": "misbehave", "fault": fault}).encode()


def pids(darkroom: Darkroom) -> set[int]:
    return {decoder.pid for decoder in darkroom.decoders.running}


def status_of(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text(encoding="utf-8")


def session_niceness(pid: int) -> int | None:
    """Return the niceness of the process's session; None if the kernel has no autogroups."""
    group = Path(f"/proc/{pid}/autogroup")
    return int(group.read_text().split()[-1]) if group.exists() else None


def runs(pid: int) -> bool:
    """Return whether the process exists and is no zombie."""
    try:
        return "State:\tZ" not in status_of(pid)
    except (FileNotFoundError, ProcessLookupError):
        return False


async def inspect(
    darkroom: Darkroom, data: bytes, choose: ChoosePresets | None = None
) -> Inspection:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return await darkroom.inspect(file, owner=OWNER, presets=choose)


def all_presets(facts: ImageFacts, *, is_large: bool = False) -> Sequence[Preset]:
    """Return the default presets for a photo."""
    del is_large
    defaults = presets.build_presets(RenditionSettings())
    return presets.presets_for_size(defaults, facts.width, facts.height)


async def render(darkroom: Darkroom, data: bytes) -> tuple[ImageFacts, RenderResult]:
    """Inspect a photo, and make all its renditions by the default presets."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        facts = (await darkroom.inspect(file, owner=OWNER)).facts
        return facts, await darkroom.render(file, facts, all_presets(facts), owner=OWNER)


async def outcome(darkroom: Darkroom, data: bytes) -> str:
    """Return what an upload gets: "accept" or the code of the refusal. Other errors are raised."""
    try:
        await inspect(darkroom, data, all_presets)
    except errors.Invalid as refusal:
        return refusal.code
    return "accept"
