"""The ladder of an 11-megapixel JPEG: the darkroom's, the same calls bare, and Pillow's way."""

import asyncio
import gc
import io
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import psutil
from PIL import Image, ImageOps

import photograph
from safelight.darkroom.pool import Darkroom
from safelight.photo import ImageFacts, Preset
from safelight.renditions.presets import ladder
from safelight.settings import LimitSettings, RenditionSettings
from table import Row

_QUALITY = 80


def measure(folder: Path, *, rounds: int) -> list[Row]:
    """All three in turns."""
    photo = photograph.make(folder / "ladder.jpg")
    presets = ladder(RenditionSettings())
    ours, bytes_ours = asyncio.run(_ours(photo, presets, rounds))
    bare = _bare(photo, rounds)
    theirs, bytes_theirs = _pillow(photo, [preset.width for preset in presets], rounds)
    return [
        Row(
            what="ladder of an 11-megapixel JPEG: CPU, against the same libvips calls alone",
            ours=f"{ours * 1000:.0f} ms",
            theirs=f"bare {bare * 1000:.0f} ms",
            figure=ours / bare,
            limit=1.15,
        ),
        Row(
            what="the same, against Pillow's way: open, turn, shrink, save for each size",
            ours=f"{ours * 1000:.0f} ms",
            theirs=f"Pillow {theirs * 1000:.0f} ms",
            figure=ours / theirs,
            limit=0.4,
        ),
        Row(
            what="the same: bytes of the four sizes",
            ours=f"{bytes_ours / 1024:.0f} KiB",
            theirs=f"Pillow {bytes_theirs / 1024:.0f} KiB",
            figure=bytes_ours / bytes_theirs,
            limit=1.15,
        ),
    ]


async def _ours(photo: Path, presets: tuple[Preset, ...], rounds: int) -> tuple[float, int]:
    """Have a child of the darkroom do it; CPU seconds of the child and our own, and bytes."""
    room = Darkroom(LimitSettings(), children=1)
    await room.start()
    facts = ImageFacts(
        format="jpeg", content_type="image/jpeg", width=photograph.WIDTH, height=photograph.HEIGHT
    )
    (child,) = (psutil.Process(worker.pid) for worker in room._workers)  # noqa: SLF001, to watch it
    seconds, size = [], 0
    with photo.open("rb") as file:
        for _ in range(rounds + 1):
            began = _cpu(child) + time.process_time()
            made = await room.develop(file, facts, presets)
            seconds.append(_cpu(child) + time.process_time() - began)
            size = sum(len(each.data) for each in made.exposures)
    await room.close()
    return median(seconds[1:]), size


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


_BARE = """
import sys, time, pyvips
pyvips.cache_set_max(0)
path, rounds, presets = sys.argv[1], int(sys.argv[2]), eval(sys.argv[3])
for turn in range(rounds + 1):
    began = time.process_time()
    image = pyvips.Image.new_from_file(path, access="sequential", fail_on="error")
    for width, quality, effort in presets:
        image = image.thumbnail_image(width, height=16383, size="down").copy_memory()
        image.webpsave_buffer(Q=quality, effort=effort, keep="none")
    print(time.process_time() - began)
"""


def _bare(photo: Path, rounds: int) -> float:
    """Make the same calls in a loop, with nothing around them, in a process of its own."""
    presets = [
        (preset.width, preset.quality, preset.effort)
        for preset in reversed(ladder(RenditionSettings()))
    ]
    done = subprocess.run(
        [sys.executable, "-c", _BARE, photo, str(rounds), repr(presets)],
        env={**os.environ, "VIPS_CONCURRENCY": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return median([float(line) for line in done.stdout.split()][1:])


def _pillow(photo: Path, widths: list[int], rounds: int) -> tuple[float, int]:
    """Do it as one would with Pillow; CPU seconds and bytes."""
    seconds, size = [], 0
    for _ in range(rounds):
        gc.collect()
        began, size = time.process_time(), 0
        for width in widths:
            file = io.BytesIO()
            with Image.open(photo) as picture:
                upright = ImageOps.exif_transpose(picture)
                upright.thumbnail((width, width * 10))
                upright.save(file, "WEBP", quality=_QUALITY)
            size += len(file.getvalue())
        seconds.append(time.process_time() - began)
    return median(seconds), size
