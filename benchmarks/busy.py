"""Measure an upload and a page beside four processes that keep the processors busy.

Run as ``make bench``, or alone as ``.venv/bin/python benchmarks/busy.py``.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from statistics import median

from PIL import Image

import catalogs
import timed_uploads
from pages import SMALL, p95, ratio
from stage import AUTHORIZED, PAGE, Server, Stage, run_in_process, stage
from table import Row, machine, markdown

PROCESSES = 4
_RATE = 20
_SIZE = (1000, 667)


def measure(stage: Stage, *, rounds: int, uploads: int) -> list[Row]:
    """Measure both, alternately quiet and beside busy processes."""
    photo = make_png(stage.folder / "photo.png")
    database = stage.database("busy")
    server = stage.ours(database)
    catalogs.fill(database.url, SMALL, tutorials=False, renditions=4)
    _upload(server, photo, 5)
    quiet, busy, read, read_busy = [], [], [], []
    for _ in range(rounds):
        server.settle()
        quiet.append(_upload(server, photo, uploads))
        read.append(p95(server, rate=_RATE))
        with busy_processes():
            busy.append(_upload(server, photo, uploads))
            read_busy.append(p95(server, rate=_RATE))
    server.stop()
    return [
        Row(
            what=f"a 1 MB PNG, from sending to the answer, beside {PROCESSES} busy processes: p95",
            ours=f"{median(busy):.0f} ms",
            theirs=f"quiet {median(quiet):.0f} ms",
            figure=ratio(busy, quiet),
            limit=5,
        ),
        Row(
            what=f"page of 100 photos, {_RATE} requests a second, beside them: p95",
            ours=f"{median(read_busy):.1f} ms",
            theirs=f"quiet {median(read):.1f} ms",
            figure=ratio(read_busy, read),
        ),
    ]


def make_png(path: Path) -> Path:
    """Write a photograph of about 1 MB."""
    source = files("sklearn") / "datasets" / "images" / "china.jpg"
    with source.open("rb") as stream, Image.open(stream) as small:
        small.convert("RGB").resize(_SIZE, Image.Resampling.BICUBIC).save(path)
    return path


@contextmanager
def busy_processes() -> Iterator[None]:
    """Keep the processors busy, by processes of a session each: the hardest case."""
    loop = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(loop, start_new_session=True) for _ in range(PROCESSES)]
    try:
        yield
    finally:
        for process in others:
            process.kill()
            process.wait()


def _upload(server: Server, photo: Path, uploads: int) -> float:
    uploading = timed_uploads.Uploading(
        port=server.port, path=PAGE, photo=str(photo), uploads=uploads, headers=AUTHORIZED
    )
    return timed_uploads.Outcome(**run_in_process(timed_uploads, uploading)).p95


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--uploads", type=int, default=40)
    arguments = parser.parse_args()
    with stage() as on:
        rows = measure(on, rounds=arguments.rounds, uploads=arguments.uploads)
    print(f"\n{machine()}\n\n{markdown(rows)}")


if __name__ == "__main__":
    main()
