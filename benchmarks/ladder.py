"""The ladder of a 12-megapixel JPEG: the darkroom's, the same calls bare, Pillow's and sharp's."""

import asyncio
import gc
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil
import pyvips
from PIL import Image, ImageOps

import photograph
import scores
import sharp
from pages import ratio
from safelight.darkroom.pool import Darkroom
from safelight.photo import ImageFacts, Preset
from safelight.renditions.presets import ladder
from safelight.settings import LimitSettings, RenditionSettings
from table import Row

_QUALITY = 80
_HEIGHT = 3000
_SCORED = (320, 640, 1280, 2560)
_WHAT = "ladder of a 12-megapixel JPEG"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """What each way took in one turn, in CPU seconds; `wide` is the photo in Display P3."""

    ours: float
    bare: float
    pillow: float
    wide: float
    bare_wide: float


def measure(folder: Path, *, rounds: int) -> list[Row]:
    """Each way in turn, of a photo without a profile, and of one in Display P3."""
    plain = photograph.make(folder / "ladder.jpg", _HEIGHT)
    wide = photograph.make(folder / "wide.jpg", _HEIGHT, pyvips.Image.profile_load("p3"))
    presets = ladder(RenditionSettings())
    turns, made, pillows = asyncio.run(_turns(plain, wide, presets, rounds))
    size, pillows_size = (sum(map(len, files.values())) for files in (made, pillows))
    ours = [turn.ours for turn in turns]
    return [
        _against_bare(_WHAT, ours, [turn.bare for turn in turns]),
        _against_bare(
            "the same in Display P3",
            [turn.wide for turn in turns],
            [turn.bare_wide for turn in turns],
        ),
        _against(
            "the same, against Pillow's way: open, turn, shrink, save for each size",
            ours,
            [turn.pillow for turn in turns],
            name="Pillow",
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
        *_sharp(plain, presets, rounds, ours=median(ours), made=made),
    ]


def _against_bare(what: str, ours: list[float], bare: list[float]) -> Row:
    what = f"{what}: CPU, against the same libvips calls alone"
    return _against(what, ours, bare, name="bare", limit=1.15)


def _against(what: str, ours: list[float], theirs: list[float], *, name: str, limit: float) -> Row:
    """Give both medians, and the median of the turns' ratios."""
    return Row(
        what=what,
        ours=f"{median(ours) * 1000:.0f} ms",
        theirs=f"{name} {median(theirs) * 1000:.0f} ms",
        figure=ratio(ours, theirs),
        limit=limit,
    )


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


async def _turns(
    plain: Path, wide: Path, presets: tuple[Preset, ...], rounds: int
) -> tuple[list[_Turn], dict[int, bytes], dict[int, bytes]]:
    """Take turns, the first not counted; the turns, and both ways' files by width."""
    room = Darkroom(LimitSettings(), children=1)
    await room.start()
    turns, made, pillows = [], dict[int, bytes](), dict[int, bytes]()
    with _bare(presets) as bare:
        for _ in range(rounds + 1):
            ours, made = await _ours(room, plain, presets)
            pillow, pillows = _pillow(plain, [preset.width for preset in presets])
            turn = _Turn(
                ours=ours,
                bare=bare(plain),
                pillow=pillow,
                wide=(await _ours(room, wide, presets))[0],
                bare_wide=bare(wide),
            )
            turns.append(turn)
    await room.close()
    return turns[1:], made, pillows


async def _ours(
    room: Darkroom, photo: Path, presets: tuple[Preset, ...]
) -> tuple[float, dict[int, bytes]]:
    """Have a child of the darkroom do it; CPU seconds of both of us, and the files by width."""
    facts = ImageFacts(
        format="jpeg", content_type="image/jpeg", width=photograph.WIDTH, height=_HEIGHT
    )
    (child,) = (psutil.Process(worker.pid) for worker in room._workers)  # noqa: SLF001, to watch it
    began = _cpu(child) + time.process_time()
    with photo.open("rb") as file:
        made = await room.develop(file, facts, presets)
    seconds = _cpu(child) + time.process_time() - began
    return seconds, {each.preset.width: each.data for each in made.exposures}


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


_BARE = """
import sys, time, pyvips
pyvips.cache_set_max(0)
presets = eval(sys.argv[1])
for line in sys.stdin:
    began = time.process_time()
    image = pyvips.Image.new_from_file(line.strip(), access="sequential", fail_on="error")
    for width, quality, effort in presets:
        profile = {"export_profile": "srgb"} if image.get_typeof("icc-profile-data") else {}
        image = image.thumbnail_image(width, height=16383, size="down", **profile).copy_memory()
        image = image.copy()
        image.remove("icc-profile-data")
        image.webpsave_buffer(Q=quality, effort=effort, keep="none")
    print(time.process_time() - began, flush=True)
"""


@contextmanager
def _bare(presets: tuple[Preset, ...]) -> Iterator[Callable[[Path], float]]:
    """Make the same calls with nothing around them, in a process of its own; gives CPU seconds."""
    each = [(preset.width, preset.quality, preset.effort) for preset in reversed(presets)]
    with subprocess.Popen(
        [sys.executable, "-c", _BARE, repr(each)],
        env={**os.environ, "VIPS_CONCURRENCY": "1"},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:

        def turn(photo: Path) -> float:
            assert process.stdin is not None
            assert process.stdout is not None
            print(photo, file=process.stdin, flush=True)
            return float(process.stdout.readline())

        yield turn


def _pillow(photo: Path, widths: list[int]) -> tuple[float, dict[int, bytes]]:
    """Do it as one would with Pillow; CPU seconds, and the files by width."""
    files = {}
    gc.collect()
    began = time.process_time()
    for width in widths:
        file = io.BytesIO()
        with Image.open(photo) as picture:
            upright = ImageOps.exif_transpose(picture)
            upright.thumbnail((width, width * 10))
            upright.save(file, "WEBP", quality=_QUALITY)
        files[width] = file.getvalue()
    return time.process_time() - began, files
