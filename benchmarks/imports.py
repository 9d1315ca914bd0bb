"""Measure `safelight import`, compared with the darkroom alone.

Run as ``make bench``, or alone as ``.venv/bin/python benchmarks/imports.py``. The large photos have
11 megapixels, and the darkroom gets the same files. The two alternate, so that other load slows
both alike. Figures are medians of the rounds, ratios are medians of the rounds' ratios.
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
from safelight.imaging.presets import build_presets, made_at_upload, presets_for_image
from safelight.models import ImageFacts, Preset
from safelight.settings import LimitSettings, RenditionSettings
from stage import TOKEN, Server, Stage, stage
from table import Row, machine, markdown

_MARK = b"\xff\xfe\x00\x12"
"""A JPEG comment of 16 bytes."""
_SMALL = 640, 480
_JOBS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """The time of an import: seconds in total, and CPU seconds by process."""

    seconds: float
    client: float
    server: float
    children: float
    outcomes: dict[str, int]


def make(folder: Path, count: int, jpeg: bytes) -> Path:
    """Write `count` copies, which differ by a comment of random bytes."""
    folder.mkdir()
    for number in range(count):
        mark = _MARK + os.urandom(16)
        (folder / f"photo-{number:05}.jpg").write_bytes(jpeg[:2] + mark + jpeg[2:])
    return folder


def small() -> bytes:
    """Make a JPEG of 640 by 480 pixels with some noise."""
    noise = np.random.default_rng(1).normal(0, 12, (_SMALL[1], _SMALL[0], 3))
    slope = np.linspace(30, 220, _SMALL[0])[None, :, None]
    file = io.BytesIO()
    pixels = np.clip(noise + slope, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", quality=85)
    return file.getvalue()


def run_import(server: Server, folder: Path, jobs: int) -> Import:
    """Import a folder with the command, as users do."""
    program = str(Path(sys.executable).parent / "safelight")
    environment = {"SAFELIGHT_URL": f"http://127.0.0.1:{server.port}", "SAFELIGHT_TOKEN": TOKEN}
    own, children = server.cpu(), server.cpu_of_children()
    before, started_at = os.times(), time.perf_counter()
    done = subprocess.run(
        [program, "import", "--json", "--jobs", str(jobs), str(folder)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        check=True,
    )
    seconds, after = time.perf_counter() - started_at, os.times()
    outcomes: dict[str, int] = {}
    for result in json.loads(done.stdout):
        outcomes[result["outcome"]] = outcomes.get(result["outcome"], 0) + 1
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


async def decode_all(paths: Sequence[Path]) -> float:
    """Make with the darkroom alone what is made before uploads are answered; return the seconds."""
    ladder = build_presets(RenditionSettings())

    def choose(facts: ImageFacts, *, is_large: bool) -> Sequence[Preset]:
        del is_large
        return made_at_upload(presets_for_image(ladder, facts))

    room = Darkroom(LimitSettings())
    await room.start()
    slots = asyncio.Semaphore(8)

    async def decode(path: Path) -> None:
        async with slots:
            with path.open("rb") as file:
                await room.inspect(file, owner="o", presets=choose)

    started_at = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for path in paths:
            group.create_task(decode(path))
    seconds = time.perf_counter() - started_at
    await room.close()
    return seconds


def measure(
    stage: Stage, jpeg: bytes, *, photos: int, small_ones: int, rounds: int, jobs: int = _JOBS
) -> list[Row]:
    """Measure repeated and new imports."""
    server = stage.ours(stage.database("imports"))
    small_rows = _twice(server, make(stage.folder / "small", small_ones, small()), jobs)
    folders = [
        make(stage.folder / f"large-{number}", photos // rounds, jpeg) for number in range(rounds)
    ]
    turns = [_turn(server, folder, jobs) for folder in folders]
    server.stop()
    return [*_against_the_darkroom(turns, photos // rounds), *small_rows]


def _twice(server: Server, folder: Path, jobs: int) -> list[Row]:
    first = run_import(server, folder, jobs)
    _print(f"small, first: {first}")
    server.settle()
    again = run_import(server, folder, jobs)
    _print(f"small, again: {again}")
    count = sum(again.outcomes.values())
    return [
        Row(
            what=f"{count:,} photos of {_SMALL[0]} x {_SMALL[1]} pixels by `safelight import`",
            ours=f"{first.seconds:.1f} s",
            figure=count / first.seconds,
            unit="a second",
        ),
        Row(
            what="the same again, which are all there, compared with the first time",
            ours=f"{again.seconds:.2f} s",
            theirs=f"first {first.seconds:.1f} s",
            figure=again.seconds / first.seconds,
            limit=0.1,
        ),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Seconds for the same photos: the import, the jobs after it, and the darkroom alone."""

    imported: float
    jobs: float
    darkroom: float


def _turn(server: Server, folder: Path, jobs: int) -> Round:
    paths = sorted(folder.iterdir())
    darkroom = asyncio.run(decode_all(paths))
    done = run_import(server, folder, jobs)
    _print(f"large: {done}")
    measured = Round(
        imported=done.seconds,
        jobs=server.settle(),
        darkroom=darkroom,
    )
    _print(str(measured))
    return measured


def _against_the_darkroom(turns: Sequence[Round], photos: int) -> list[Row]:
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
    alone = [turn.darkroom for turn in turns]
    return [
        row(
            "photos of 11 megapixels by `safelight import`, until the last response",
            sent,
            alone,
            0.75,
        ),
        row(
            "the same, until the last job is done",
            [turn.imported + turn.jobs for turn in turns],
            alone,
        ),
    ]


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--small", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=_JOBS)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with stage() as on:
        rows = measure(
            on,
            photograph.make(on.folder / "photo.jpg").read_bytes(),
            photos=arguments.photos,
            small_ones=arguments.small,
            rounds=arguments.rounds,
            jobs=arguments.jobs,
        )
    print(f"\n{machine()}\n\n{markdown(rows)}")


if __name__ == "__main__":
    main()
