"""What the tests of the darkroom have in common: opening one, and making it misbehave."""

import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from safelight import errors
from safelight.darkroom import messages
from safelight.darkroom.pool import Darkroom, Development, Inspection
from safelight.formats import JPEG
from safelight.photo import ImageFacts
from safelight.renditions import presets
from safelight.settings import LimitSettings, RenditionSettings


@asynccontextmanager
async def open_darkroom(*, children: int = 1, **limits: object) -> AsyncIterator[Darkroom]:
    room = Darkroom(LimitSettings.model_validate(limits), children=children, drill=True)
    try:
        yield room
    finally:
        await room.close()


async def works(darkroom: Darkroom, photo: Path) -> bool:
    with photo.open("rb") as file:
        return (await darkroom.inspect(file)).facts.width == 256


async def drill(darkroom: Darkroom, act: str) -> Any:  # noqa: ANN401, whatever it finds
    request = json.dumps({"duty": "drill", "act": act}).encode()
    return await darkroom._ask(request, [], lambda answer: json.loads(answer)["drill"])


async def inspect_drill(darkroom: Darkroom, act: str) -> messages.Inspection:
    """Drill, and take the answer for that of an inspection."""
    return await darkroom._ask(
        json.dumps({"duty": "drill", "act": act}).encode(),
        [],
        lambda answer: messages.read_inspection(answer, JPEG, darkroom.limits),
    )


def pids(darkroom: Darkroom) -> set[int]:
    return {worker.pid for worker in darkroom._workers}


def status_of(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text(encoding="utf-8")


def session_niceness(pid: int) -> int | None:
    """How nice the process's session is to others; None where the kernel doesn't know such."""
    group = Path(f"/proc/{pid}/autogroup")
    return int(group.read_text().split()[-1]) if group.exists() else None


def runs(pid: int) -> bool:
    """Whether the process is there, and not merely unburied."""
    try:
        return "State:\tZ" not in status_of(pid)
    except (FileNotFoundError, ProcessLookupError):
        return False


async def inspect(darkroom: Darkroom, data: bytes, *, digest: bool = False) -> Inspection:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return await darkroom.inspect(file, digest=digest)


async def develop(darkroom: Darkroom, data: bytes) -> tuple[ImageFacts, Development]:
    """Inspect a picture, and make all renditions of the default ladder."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        facts = (await darkroom.inspect(file)).facts
        ladder = presets.steps(presets.ladder(RenditionSettings()), facts.width)
        return facts, await darkroom.develop(file, facts, ladder)


async def outcome(darkroom: Darkroom, data: bytes) -> str:
    """Tell "accept" or the code of the refusal. Any other error is a failure of the test."""
    try:
        await inspect(darkroom, data)
    except errors.Invalid as refusal:
        return refusal.code
    return "accept"
