"""The ladder of a 12-megapixel JPEG: the darkroom's, the same calls bare, Pillow's and sharp's."""

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
import pyvips
from PIL import Image, ImageOps

import photograph
import scores
import sharp
from safelight.darkroom.pool import Darkroom
from safelight.photo import ImageFacts, Preset
from safelight.renditions.presets import ladder
from safelight.settings import LimitSettings, RenditionSettings
from table import Row

_QUALITY = 80
_HEIGHT = 3000
_SCORED = (320, 640, 1280, 2560)
_WHAT = "ladder of a 12-megapixel JPEG"


def measure(folder: Path, *, rounds: int) -> list[Row]:
    """Each way in turn, of a photo without a profile, and of one in Display P3."""
    plain = photograph.make(folder / "ladder.jpg", _HEIGHT)
    wide = photograph.make(folder / "wide.jpg", _HEIGHT, pyvips.Image.profile_load("p3"))
    presets = ladder(RenditionSettings())
    ours, made = asyncio.run(_ours(plain, presets, rounds))
    theirs, pillows = _pillow(plain, [preset.width for preset in presets], rounds)
    size, pillows_size = (sum(map(len, files.values())) for files in (made, pillows))
    return [
        _against_bare(_WHAT, ours, _bare(plain, rounds)),
        _against_bare("the same in Display P3", *_in_a_profile(wide, presets, rounds)),
        Row(
            what="the same, against Pillow's way: open, turn, shrink, save for each size",
            ours=f"{ours * 1000:.0f} ms",
            theirs=f"Pillow {theirs * 1000:.0f} ms",
            figure=ours / theirs,
            limit=0.4,
        ),
        Row(
            what="the same: bytes of the four sizes",
            ours=f"{size / 1024:.0f} KiB",
            theirs=f"Pillow {pillows_size / 1024:.0f} KiB",
            figure=size / pillows_size,
            limit=1.15,
        ),
        *_scores(plain, made, pillows),
        *_sharp(plain, presets, rounds, ours=ours, made=made),
    ]


def _against_bare(what: str, ours: float, bare: float) -> Row:
    return Row(
        what=f"{what}: CPU, against the same libvips calls alone",
        ours=f"{ours * 1000:.0f} ms",
        theirs=f"bare {bare * 1000:.0f} ms",
        figure=ours / bare,
        limit=1.15,
    )


def _in_a_profile(photo: Path, presets: tuple[Preset, ...], rounds: int) -> tuple[float, float]:
    return asyncio.run(_ours(photo, presets, rounds))[0], _bare(photo, rounds)


def _scores(photo: Path, ours: dict[int, bytes], theirs: dict[int, bytes]) -> list[Row]:
    """Hold both against the photo, shrunk by Pillow's Lanczos filter, by SSIMULACRA2."""
    rows = []
    for width in _SCORED:
        one, other = (scores.score(photo, files[width]) for files in (ours, theirs))
        rows.append(
            Row(
                what=f"the same: SSIMULACRA2 at {width} pixels, ours over Pillow's",
                ours=f"{one:.1f}",
                theirs=f"Pillow {other:.1f}",
                figure=one - other,
                unit="points",
                limit=0,
                at_least=True,
            )
        )
    return rows


def _sharp(
    photo: Path,
    presets: tuple[Preset, ...],
    rounds: int,
    *,
    ours: float,
    made: dict[int, bytes],
) -> list[Row]:
    """Compare with sharp, if it is there or can be fetched; else say that it is left out."""
    try:
        theirs, files = sharp.get().ladder(photo, presets, rounds, photo.parent)
    except sharp.Absent as absent:
        print(f"… sharp is left out: {absent}", file=sys.stderr, flush=True)
        return []
    size, theirs_size = (sum(map(len, each.values())) for each in (made, files))
    return [
        Row(
            what="the same, against sharp (npm): a WebP of the same quality for each size",
            ours=f"{ours * 1000:.0f} ms, {size / 1024:.0f} KiB",
            theirs=f"sharp {theirs * 1000:.0f} ms, {theirs_size / 1024:.0f} KiB",
            figure=ours / theirs,
        )
    ]


async def _ours(
    photo: Path, presets: tuple[Preset, ...], rounds: int
) -> tuple[float, dict[int, bytes]]:
    """Have a child of the darkroom do it; CPU seconds of both of us, and the files by width."""
    room = Darkroom(LimitSettings(), children=1)
    await room.start()
    facts = ImageFacts(
        format="jpeg", content_type="image/jpeg", width=photograph.WIDTH, height=_HEIGHT
    )
    (child,) = (psutil.Process(worker.pid) for worker in room._workers)  # noqa: SLF001, to watch it
    seconds, files = [], {}
    with photo.open("rb") as file:
        for _ in range(rounds + 1):
            began = _cpu(child) + time.process_time()
            made = await room.develop(file, facts, presets)
            seconds.append(_cpu(child) + time.process_time() - began)
            files = {each.preset.width: each.data for each in made.exposures}
    await room.close()
    return median(seconds[1:]), files


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
        profile = {"export_profile": "srgb"} if image.get_typeof("icc-profile-data") else {}
        image = image.thumbnail_image(width, height=16383, size="down", **profile).copy_memory()
        image = image.copy()
        image.remove("icc-profile-data")
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


def _pillow(photo: Path, widths: list[int], rounds: int) -> tuple[float, dict[int, bytes]]:
    """Do it as one would with Pillow; CPU seconds, and the files by width."""
    seconds, files = [], {}
    for _ in range(rounds):
        gc.collect()
        began = time.process_time()
        for width in widths:
            file = io.BytesIO()
            with Image.open(photo) as picture:
                upright = ImageOps.exif_transpose(picture)
                upright.thumbnail((width, width * 10))
                upright.save(file, "WEBP", quality=_QUALITY)
            files[width] = file.getvalue()
        seconds.append(time.process_time() - began)
    return median(seconds), files
