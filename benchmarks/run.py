"""Measure Safelight, compare it with the tutorial and with its targets, and print one table.

Everything runs on loopback, on temporary engines. The two variants alternate, so that other load
slows both alike; figures are medians of the rounds.

Run as ``make bench``, or ``make bench ARGS=--quick``.
"""

import argparse
import sys
from pathlib import Path

import busy
import footprint
import growth
import imports
import on_demand
import pages
import photograph
import plot
import renditions as rendition_benchmark
import saturation
import signing
import starting
import uploads
from stage import stage
from table import Row, machine, markdown

DOCS = Path(__file__).parent.parent / "docs"
_RENDITIONS = 4
_PAGE = """\
# Benchmarks

`make bench` prints this table, and `make bench ARGS="--long --write"` writes it to this page. The
baseline, *tutorial*, is [benchmarks/tutorial.py](../benchmarks/tutorial.py), written as tutorials
do it: FastAPI, SQLAlchemy's ORM with a session per request, a boto3 client, `UploadFile` passed to
`upload_fileobj`. It checks nothing and has no authentication. *Ours* is `safelight serve`, called
with a token. Each is one process, on the same embedded engines, and they alternate within one run.
Figures are medians over the rounds, ratios are medians of the rounds' ratios.

Measured on: {machine}

{table}

## Page time by size of the catalog

![Time of a page by size of the catalog](page-time.svg)

| photos | {names} |
| --- | {rules} |
{figures}

{growth_heading}

{growth}
"""
_GROWTH_HEADING = "## The gallery by number of photos"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="two minutes: fewer rounds, 100,000 photos"
    )
    parser.add_argument(
        "--long", action="store_true", help="also upload 2 GB, and measure the memory afterwards"
    )
    parser.add_argument(
        "--write", action="store_true", help="write docs/benchmarks.md and its plot"
    )
    parser.add_argument(
        "--growth",
        action="store_true",
        help="only the gallery by number of photos; --write replaces its part of the page",
    )
    return parser.parse_args()


def _print(text: str) -> None:
    print(f"… {text}", file=sys.stderr, flush=True)


def _effort(*, quick: bool) -> pages.Effort:
    return pages.Effort(
        rounds=6 if quick else 15,
        seconds=0.5 if quick else 1.0,
        rows=100_000 if quick else 1_000_000,
    )


def _measure_growth(*, quick: bool) -> growth.Growth:
    with stage() as on:
        return growth.measure(on, _effort(quick=quick), _print)


def _measure(*, quick: bool, long: bool) -> tuple[list[Row], dict[int, dict[str, float]]]:
    effort = _effort(quick=quick)
    _print("starting")
    rows = starting.measure(rounds=5 if quick else 11)
    _print("signing")
    rows += signing.rows(rounds=5 if quick else 10)
    with stage() as on:
        rows += starting.serving(on, rounds=3 if quick else 7)
        photo = photograph.make(on.folder / "photo.jpg")
        for renditions in (0, _RENDITIONS):
            _print(f"pages, {renditions} renditions")
            rows += pages.compare_with_tutorial(on, effort, renditions)
        _print("pages, by the size of the catalog")
        by_size, points = pages.measure_by_size(on, effort)
        rows += by_size
        _print("uploads")
        rows += uploads.measure(on, photo, rounds=3 if quick else 7, uploads=10 if quick else 30)
        _print("renditions")
        rows += rendition_benchmark.measure(on.folder, rounds=3 if quick else 7)
        _print("a page while the darkroom is saturated")
        rows += saturation.measure(
            on, photo, rounds=3 if quick else 7, seconds=3.0 if quick else 6.0
        )
        _print("an upload and a page beside busy processes")
        rows += busy.measure(on, rounds=2 if quick else 5, uploads=20 if quick else 40)
        _print("renditions on demand")
        rows += on_demand.measure(on, photo, rounds=1 if quick else 3)
        _print("imports")
        rows += imports.measure(
            on,
            photo.read_bytes(),
            photos=20 if quick else 200,
            small_ones=100 if quick else 500,
            rounds=2 if quick else 5,
        )
        _print("memory")
        rows += footprint.measure(on, photo, long=long)
    return rows, points


def _document(table: str, points: dict[int, dict[str, float]], by_growth: str) -> str:
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
        growth_heading=_GROWTH_HEADING,
        growth=by_growth,
    )


def _replace_growth(page: str, by_growth: str) -> str:
    """Return the page with another part about growth, which is its last."""
    others = page.partition(_GROWTH_HEADING)[0].rstrip()
    return f"{others}\n\n{_GROWTH_HEADING}\n\n{by_growth}\n"


def main() -> None:
    arguments = _arguments()
    page = DOCS / "benchmarks.md"
    grown = _measure_growth(quick=arguments.quick)
    by_growth = growth.markdown(grown)
    missed = list(grown.missed)
    if arguments.growth:
        print(f"\n{machine()}\n\n{by_growth}")
        if arguments.write:
            page.write_text(_replace_growth(page.read_text(), by_growth))
    else:
        rows, points = _measure(quick=arguments.quick, long=arguments.long)
        table = markdown(rows)
        print(f"\n{machine()}\n\n{table}\n\n{by_growth}")
        if arguments.write:
            page.write_text(_document(table, points, by_growth))
            (DOCS / "page-time.svg").write_text(plot.svg(points))
        missed += [row.what for row in rows if row.met is False]
    if missed:
        print("\nMissed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
