"""Measure the renditions of a 12-megapixel JPEG: darkroom, libvips alone, Pillow, and sharp."""

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
from safelight.imaging.presets import build_presets, made_at_upload
from safelight.models import ImageFacts, Preset
from safelight.settings import LimitSettings, RenditionSettings
from table import Row

_QUALITY = 80
_HEIGHT = 3000
_SCORED = (320, 640, 1280, 2560)
_WHAT = "renditions of a 12-megapixel JPEG"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """CPU seconds of each variant in one round; `wide` is the photo in Display P3."""

    ours: float
    bare: float
    pillow: float
    wide: float
    bare_wide: float


def measure(folder: Path, *, rounds: int) -> list[Row]:
    """Measure each variant, with a photo without a profile and one in Display P3."""
    plain = photograph.make(folder / "ladder.jpg", _HEIGHT)
    wide = photograph.make(folder / "wide.jpg", _HEIGHT, pyvips.Image.profile_load("p3"))
    presets = build_presets(RenditionSettings())
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
            "the same, compared with Pillow: open, rotate, shrink, save for each size",
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
            limit=1.2,
        ),
        *_scores(plain, made, pillows),
        *_sharp(plain, presets, rounds, ours=median(ours), made=made),
        *_immich(plain, made_at_upload(presets), rounds),
    ]


def _against_bare(what: str, ours: list[float], bare: list[float]) -> Row:
    what = f"{what}: CPU, compared with the same libvips calls alone"
    return _against(what, ours, bare, name="bare", limit=1.15)


def _against(
    what: str, ours: list[float], theirs: list[float], *, name: str, limit: float = 1.1
) -> Row:
    """Return both medians, and the median of the rounds' ratios."""
    return Row(
        what=what,
        ours=f"{median(ours) * 1000:.0f} ms",
        theirs=f"{name} {median(theirs) * 1000:.0f} ms",
        figure=ratio(ours, theirs),
        limit=limit,
    )


def _scores(photo: Path, ours: dict[int, bytes], theirs: dict[int, bytes]) -> list[Row]:
    """Compare both with the photo, shrunk by Pillow's Lanczos filter, by SSIMULACRA2."""
    rows = []
    for width in _SCORED:
        one, other = (scores.score(photo, files[width]) for files in (ours, theirs))
        rows.append(
            Row(
                what=f"the same: SSIMULACRA2 at {width} pixels, compared with Pillow",
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
    """Compare with sharp, if it is installed or can be downloaded; otherwise print why not."""
    try:
        theirs, files = sharp.get().render(photo, presets, rounds, photo.parent)
    except sharp.NotAvailable as error:
        print(f"… sharp is skipped: {error}", file=sys.stderr, flush=True)
        return []
    size, theirs_size = (sum(map(len, images.values())) for images in (made, files))
    return [
        Row(
            what="the same, compared with sharp (npm): a WebP of the same quality per size",
            ours=f"{ours * 1000:.0f} ms, {size / 1024:.0f} KiB",
            theirs=f"sharp {theirs * 1000:.0f} ms, {theirs_size / 1024:.0f} KiB",
            figure=ours / theirs,
        )
    ]


def _immich(photo: Path, presets: tuple[Preset, ...], rounds: int) -> list[Row]:
    """Compare what is made at upload with what Immich makes by sharp, alternately."""
    try:
        tool = sharp.get()
    except sharp.NotAvailable:
        return []
    ours, both = asyncio.run(_turns_with_immich(tool, photo, presets, rounds))
    widths = ", ".join(str(preset.width) for preset in presets)
    what = f"{widths} pixels of it, made at upload, compared with Immich's two sizes by sharp"
    return [
        _against(f"{what}: each from the file", ours, [one for one, _ in both], name="sharp"),
        _against(f"{what}: as Immich does it", ours, [other for _, other in both], name="sharp"),
    ]


async def _turns_with_immich(
    tool: sharp.Sharp, photo: Path, presets: tuple[Preset, ...], rounds: int
) -> tuple[list[float], list[tuple[float, float]]]:
    room = Darkroom(LimitSettings(), children=1)
    await room.start()
    ours, both = [], []
    with tool.immich() as immich:
        for _ in range(rounds + 1):
            ours.append((await _ours(room, photo, presets))[0])
            both.append(immich(photo))
    await room.close()
    return ours[1:], both[1:]


async def _turns(
    plain: Path, wide: Path, presets: tuple[Preset, ...], rounds: int
) -> tuple[list[_Round], dict[int, bytes], dict[int, bytes]]:
    """Run the rounds, the first as a warm-up; return them, and both variants' files by width."""
    room = Darkroom(LimitSettings(), children=1)
    await room.start()
    turns, made, pillows = [], dict[int, bytes](), dict[int, bytes]()
    with _bare(presets) as bare:
        for _ in range(rounds + 1):
            ours, made = await _ours(room, plain, presets)
            pillow, pillows = _pillow(plain, [preset.width for preset in presets])
            turn = _Round(
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
    """Render with the darkroom; return CPU seconds of server and decoder, and files by width."""
    facts = ImageFacts(
        format="jpeg", content_type="image/jpeg", width=photograph.WIDTH, height=_HEIGHT
    )
    (child,) = (psutil.Process(decoder.pid) for decoder in room.decoders.running)
    started_at = _cpu(child) + time.process_time()
    with photo.open("rb") as file:
        made = await room.render(file, facts, presets, owner="o")
    seconds = _cpu(child) + time.process_time() - started_at
    return seconds, {image.preset.width: image.data for image in made.images}


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


_BARE = """
import sys, time, pyvips
pyvips.cache_set_max(0)
presets = eval(sys.argv[1])
for line in sys.stdin:
    started_at = time.process_time()
    image = pyvips.Image.new_from_file(line.strip(), access="sequential", fail_on="error")
    for width, quality, effort in presets:
        profile = {"export_profile": "srgb"} if image.get_typeof("icc-profile-data") else {}
        image = image.thumbnail_image(width, height=16383, size="down", **profile).copy_memory()
        image = image.copy()
        image.remove("icc-profile-data")
        image.webpsave_buffer(Q=quality, effort=effort, keep="none")
    print(time.process_time() - started_at, flush=True)
"""


@contextmanager
def _bare(presets: tuple[Preset, ...]) -> Iterator[Callable[[Path], float]]:
    """Make the same libvips calls alone, in a separate process, and return the CPU seconds."""
    options = [(preset.width, preset.quality, preset.effort) for preset in reversed(presets)]
    with subprocess.Popen(
        [sys.executable, "-c", _BARE, repr(options)],
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
    """Render with Pillow; return CPU seconds and files by width."""
    files = {}
    gc.collect()
    started_at = time.process_time()
    for width in widths:
        file = io.BytesIO()
        with Image.open(photo) as picture:
            upright = ImageOps.exif_transpose(picture)
            upright.thumbnail((width, width * 10))
            upright.save(file, "WEBP", quality=_QUALITY)
        files[width] = file.getvalue()
    return time.process_time() - started_at, files
