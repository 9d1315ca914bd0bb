"""Measure Safelight against the tutorial's way and against its aims, and print one table.

Everything runs on loopback, on engines of its own in a temporary folder. The two ways take turns,
so that whatever else the machine does slows them alike; figures are medians of the turns.

Run as ``make bench``, or ``make bench ARGS=--quick``.
"""

import argparse
import sys
from pathlib import Path

import footprint
import fullness
import ladder
import pages
import photograph
import plot
import signing
import starting
import uploads
from stage import stage
from table import Row, machine, markdown

DOCS = Path(__file__).parent.parent / "docs"
_RENDITIONS = 4
_PAGE = """\
# Benchmarks

`make bench` prints this table, and `make bench ARGS="--long --write"` writes it here. The
tutorial's way is [benchmarks/tutorial.py](../benchmarks/tutorial.py): FastAPI, SQLAlchemy's ORM
with a session for each request, a boto3 client, `UploadFile` into `upload_fileobj`. It checks
nothing, and asks nobody who they are. Ours is `safelight serve`, asked with a token. Both are one
process each, on the same embedded engines, and take turns in one run; figures are medians of the
turns, ratios medians of the turns' ratios.

Measured on: {machine}

{table}

## Page time against the size of the catalog

![Time of a page against the size of the catalog](page-time.svg)

| photos | {names} |
| --- | {rules} |
{figures}
"""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="two minutes: fewer turns, 100,000 photos"
    )
    parser.add_argument(
        "--long", action="store_true", help="also upload 2 GB, and look at the memory after it"
    )
    parser.add_argument(
        "--write", action="store_true", help="write docs/benchmarks.md and its plot"
    )
    return parser.parse_args()


def _say(what: str) -> None:
    print(f"… {what}", file=sys.stderr, flush=True)


def _measured(*, quick: bool, long: bool) -> tuple[list[Row], dict[int, dict[str, float]]]:
    effort = pages.Effort(
        rounds=6 if quick else 15,
        seconds=0.5 if quick else 1.0,
        rows=100_000 if quick else 1_000_000,
    )
    _say("starting")
    rows = starting.measure(rounds=5 if quick else 11)
    _say("signing")
    rows += signing.rows(rounds=5 if quick else 10)
    with stage() as on:
        rows += starting.serving(on, rounds=3 if quick else 7)
        photo = photograph.make(on.folder / "photo.jpg")
        for renditions in (0, _RENDITIONS):
            _say(f"pages, {renditions} renditions")
            rows += pages.against_the_tutorial(on, effort, renditions)
        _say("pages, by the size of the catalog")
        by_size, points = pages.against_the_size(on, effort)
        rows += by_size
        _say("uploads")
        rows += uploads.measure(on, photo, rounds=3 if quick else 7, uploads=10 if quick else 30)
        _say("renditions")
        rows += ladder.measure(on.folder, rounds=3 if quick else 7)
        _say("a page while the darkroom is full")
        rows += fullness.measure(on, photo, rounds=3 if quick else 7, seconds=3.0 if quick else 6.0)
        _say("memory")
        rows += footprint.measure(on, photo, long=long)
    return rows, points


def _document(table: str, points: dict[int, dict[str, float]]) -> str:
    sizes = sorted(points)
    names = list(points[sizes[0]])
    figures = [
        f"| {size:,} | " + " | ".join(f"{points[size][name]:.2f} ms" for name in names) + " |"
        for size in sizes
    ]
    return _PAGE.format(
        machine=machine(),
        table=table,
        names=" | ".join(names),
        rules=" | ".join("---" for _ in names),
        figures="\n".join(figures),
    )


def main() -> None:
    asked = _arguments()
    rows, points = _measured(quick=asked.quick, long=asked.long)
    table = markdown(rows)
    print(f"\n{machine()}\n\n{table}")
    if asked.write:
        (DOCS / "benchmarks.md").write_text(_document(table, points))
        (DOCS / "page-time.svg").write_text(plot.svg(points))
    missed = [row.what for row in rows if row.kept is False]
    if missed:
        print("\nMissed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
