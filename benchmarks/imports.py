"""Imports by the command line, against what the darkroom alone develops.

Run as ``.venv/bin/python benchmarks/imports.py``. The photos have 11 megapixels, and the darkroom
gets the same files; the two take turns, so that whatever else the machine does slows them alike.
Figures are medians of the turns, ratios medians of the turns' ratios.
"""

import argparse
import asyncio
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

import photograph
from pages import ratio
from safelight.darkroom.pool import Darkroom
from safelight.renditions.presets import ladder
from safelight.settings import LimitSettings, RenditionSettings
from stage import TOKEN, Server, stage
from table import Row, machine, markdown

_MARK = b"\xff\xfe\x00\x12"
"""A JPEG comment of 16 bytes."""
_SMALL = 640, 480


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What an import took: seconds by the clock, and of CPU by who spent it."""

    seconds: float
    client: float
    server: float
    children: float
    outcomes: dict[str, int]


def make(folder: Path, count: int, jpeg: bytes) -> Path:
    """Write so many copies, each a photo of its own by a comment of random bytes."""
    folder.mkdir()
    for number in range(count):
        mark = _MARK + os.urandom(16)
        (folder / f"photo-{number:05}.jpg").write_bytes(jpeg[:2] + mark + jpeg[2:])
    return folder


def small() -> bytes:
    """Make a JPEG of 640 by 480 with some noise in it."""
    noise = np.random.default_rng(1).normal(0, 12, (_SMALL[1], _SMALL[0], 3))
    slope = np.linspace(30, 220, _SMALL[0])[None, :, None]
    file = io.BytesIO()
    pixels = np.clip(noise + slope, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", quality=85)
    return file.getvalue()


def imported(server: Server, folder: Path, jobs: int) -> Import:
    """Import a folder by the command, as its users do."""
    program = str(Path(sys.executable).parent / "safelight")
    told = {"SAFELIGHT_URL": f"http://127.0.0.1:{server.port}", "SAFELIGHT_TOKEN": TOKEN}
    own, children = server.cpu(), server.cpu_of_children()
    before, began = os.times(), time.perf_counter()
    done = subprocess.run(
        [program, "import", "--json", "--jobs", str(jobs), str(folder)],
        env={**os.environ, **told},
        stdout=subprocess.PIPE,
        check=True,
    )
    seconds, after = time.perf_counter() - began, os.times()
    outcomes: dict[str, int] = {}
    for each in json.loads(done.stdout):
        outcomes[each["outcome"]] = outcomes.get(each["outcome"], 0) + 1
    return Import(
        seconds=seconds,
        client=after.children_user
        + after.children_system
        - before.children_user
        - before.children_system,
        server=server.cpu() - own,
        children=server.cpu_of_children() - children,
        outcomes=outcomes,
    )


async def developed(paths: Sequence[Path], *, whole: bool) -> float:
    """Have the darkroom alone inspect and develop files; seconds.

    `whole` is whether it makes all renditions, or those that an answer waits for.
    """
    presets = ladder(RenditionSettings())
    if not whole:
        presets = tuple(preset for preset in presets if preset.width <= 640)
    room = Darkroom(LimitSettings())
    await room.start()
    turns = asyncio.Semaphore(8)

    async def develop(path: Path) -> None:
        async with turns:
            with path.open("rb") as file:
                seen = await room.inspect(file, digest=True)
                await room.develop(file, seen.facts, presets)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for path in paths:
            group.create_task(develop(path))
    seconds = time.perf_counter() - began
    await room.close()
    return seconds


def measure(photos: int, small_ones: int, *, jobs: int, rounds: int) -> list[Row]:
    """Measure both."""
    with stage() as on:
        server = on.ours(on.database("imports"))
        again = _twice(server, make(on.folder / "small", small_ones, small()), jobs)
        jpeg = photograph.make(on.folder / "photo.jpg").read_bytes()
        folders = [
            make(on.folder / f"large-{number}", photos // rounds, jpeg) for number in range(rounds)
        ]
        turns = [_turn(server, folder, jobs) for folder in folders]
    return [*_against_the_darkroom(turns, photos // rounds), again]


def _twice(server: Server, folder: Path, jobs: int) -> Row:
    first = imported(server, folder, jobs)
    _say(f"small, first: {first}")
    server.settle()
    again = imported(server, folder, jobs)
    _say(f"small, again: {again}")
    return Row(
        what=f"{sum(again.outcomes.values())} small photos again, against the first time",
        ours=f"{again.seconds:.2f} s",
        theirs=f"first {first.seconds:.1f} s",
        figure=again.seconds / first.seconds,
        limit=0.1,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Seconds for the same photos: imported, their jobs after it, and by the darkroom alone."""

    imported: float
    jobs: float
    before_answers: float
    all_renditions: float


def _turn(server: Server, folder: Path, jobs: int) -> Turn:
    paths = sorted(folder.iterdir())
    before_answers = asyncio.run(developed(paths, whole=False))
    all_renditions = asyncio.run(developed(paths, whole=True))
    done = imported(server, folder, jobs)
    _say(f"large: {done}")
    turn = Turn(
        imported=done.seconds,
        jobs=server.settle(),
        before_answers=before_answers,
        all_renditions=all_renditions,
    )
    _say(str(turn))
    return turn


def _against_the_darkroom(turns: Sequence[Turn], photos: int) -> list[Row]:
    def row(what: str, ours: list[float], alone: list[float], limit: float | None = None) -> Row:
        return Row(
            what=what,
            ours=f"{photos / median(ours):.2f} a second",
            theirs=f"darkroom alone {photos / median(alone):.2f} a second",
            figure=ratio(alone, ours),
            limit=limit,
            at_least=True,
        )

    sent = [turn.imported for turn in turns]
    whole = [turn.all_renditions for turn in turns]
    return [
        row(
            "photos of 11 megapixels by `safelight import`, until all are answered",
            sent,
            whole,
            0.75,
        ),
        row(
            "the same, against the darkroom with only what answers wait for",
            sent,
            [turn.before_answers for turn in turns],
        ),
        row(
            "the same, until the jobs after the answers are done too",
            [turn.imported + turn.jobs for turn in turns],
            whole,
        ),
    ]


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--small", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    rows = measure(asked.photos, asked.small, jobs=asked.jobs, rounds=asked.rounds)
    print(f"\n{machine()}\n\n{markdown(rows)}")


if __name__ == "__main__":
    main()
