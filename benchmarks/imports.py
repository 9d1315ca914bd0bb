"""Imports by the command line, against what the darkroom alone develops.

Run as ``.venv/bin/python benchmarks/imports.py [--photos 500] [--small 1000] [--jobs 4]``. The
photos are 12-megapixel JPEGs; the darkroom gets the same files, and develops what the server does
before it answers. With ``--profile`` the server's own time is told by function.
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

import numpy as np
from PIL import Image

import photograph
from safelight.darkroom.pool import Darkroom
from safelight.renditions.presets import ladder
from safelight.settings import LimitSettings, RenditionSettings
from stage import TOKEN, Server, stage
from table import Row, machine, markdown

_MARK = b"\xff\xfe\x00\x12"
"""A JPEG comment of 16 bytes."""
_LARGE_WIDTH, _SMALL = 4000, (640, 480)


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


def _settled(server: Server) -> float:
    """Wait until nobody below the server works any more; seconds."""
    began, quiet = time.perf_counter(), 0
    while quiet < 4:
        before = server.cpu_of_children()
        time.sleep(0.5)
        quiet = quiet + 1 if server.cpu_of_children() - before < 0.02 else 0
    return time.perf_counter() - began - 2


def measure(photos: int, small_ones: int, jobs: int) -> list[Row]:
    """Measure both."""
    with stage() as on:
        jpeg = photograph.make(on.folder / "photo.jpg").read_bytes()
        large = make(on.folder / "large", photos, jpeg)
        tiny = make(on.folder / "small", small_ones, small())
        server = on.ours(on.database("imports"))
        first = imported(server, tiny, jobs)
        _say(f"small, first: {first}")
        _settled(server)
        again = imported(server, tiny, jobs)
        _say(f"small, again: {again}")
        alone = asyncio.run(developed(sorted(large.iterdir()), whole=False))
        _say(f"darkroom alone, before the answer: {alone:.1f} s")
        whole = asyncio.run(developed(sorted(large.iterdir()), whole=True))
        _say(f"darkroom alone, all renditions: {whole:.1f} s")
        many = imported(server, large, jobs)
        _say(f"large: {many}")
        late = _settled(server)
        _say(f"jobs after it: {late:.1f} s")
    return [
        Row(
            what=f"{photos} photos of 11 megapixels by `safelight import`, against the darkroom",
            ours=f"{photos / many.seconds:.2f} a second",
            theirs=f"darkroom alone {photos / alone:.2f} a second",
            figure=alone / many.seconds,
            limit=0.75,
            at_least=True,
        ),
        Row(
            what="the same, all renditions, those made after the answer too",
            ours=f"{photos / (many.seconds + late):.2f} a second",
            theirs=f"darkroom alone {photos / whole:.2f} a second",
            figure=whole / (many.seconds + late),
        ),
        Row(
            what=f"{small_ones} small photos again, against the first time",
            ours=f"{again.seconds:.2f} s",
            theirs=f"first {first.seconds:.1f} s",
            figure=again.seconds / first.seconds,
            limit=0.1,
        ),
    ]


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--small", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=4)
    asked = parser.parse_args()
    rows = measure(asked.photos, asked.small, asked.jobs)
    print(f"\n{machine()}\n\n{markdown(rows)}")


if __name__ == "__main__":
    main()
