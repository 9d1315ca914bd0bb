"""Measure what the gallery requests, by the number of an owner's photos over the same 240 months.

The sizes alternate within each round, so that other load slows all of them alike.
"""

import json
import os
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

import catalogs
import pages
from stage import AUTHORIZED, PAGE, Server, Stage

SIZES = (1_000, 100_000, 1_000_000)
LIMIT = 1.3
"""How much longer a request may take with the most photos than with the fewest."""
_MONTHS = "/api/photos/months"
_PER_PAGE = 60
_WITHIN_A_MONTH = "jump into the middle of a month"
"""It has no target: a month with a thousand times as many photos has as many more to skip."""
_COMMON = "search for a word of half of the photos"
"""Its target is a time: among few photos all matches are sorted, among many the next are read."""
_COMMON_LIMIT = 200.0
"""Milliseconds."""
_SPAN = timedelta(days=7305)
"""Twenty years: 240 months."""
_DEEP = 0.9
"""The part of all photos that are before the deep page."""

_SECTION = """\
Photos of one owner, spread over the same 240 months, with four renditions each: `order=taken`, 60
photos on a page, one connection. The ratio is that of the largest to the smallest catalog, the
median of {rounds} rounds in which the sizes alternate. Load of the machine: {before:.1f} before and
{after:.1f} after. `make bench ARGS="--growth --write"` measures this table alone.

"""

Figures = dict[str, dict[int, list[float]]]
"""Milliseconds of each round, by what is requested and the number of photos."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """The figures, and the load of the machine before and after."""

    figures: Figures
    load: tuple[float, float]

    def ratio(self, what: str, size: int) -> float:
        """Return how much longer a request takes with `size` photos than with the fewest."""
        times = self.figures[what]
        return pages.ratio(times[size], times[min(times)])

    @property
    def missed(self) -> list[str]:
        """What takes longer with the most photos than it may."""
        return [what for what, times in self.figures.items() if not self.met(what, max(times))]

    def met(self, what: str, size: int) -> bool:
        """Return whether a request with `size` photos takes no longer than it may."""
        if what == _COMMON:
            return median(self.figures[what][size]) <= _COMMON_LIMIT
        return what == _WITHIN_A_MONTH or self.ratio(what, size) <= LIMIT


def measure(
    stage: Stage, effort: pages.Effort, note: Callable[[str], None] = lambda _: None
) -> Growth:
    """Fill a catalog of each size, and request from each what the gallery does."""
    servers, paths = {}, {}
    for size in (size for size in SIZES if size <= effort.rows):
        note(f"filling {size:,} photos")
        database = stage.database(f"growth_{size}")
        servers[size] = stage.ours(database, worker=False)
        catalogs.fill(database.url, size, renditions=4, tutorials=False, every=_SPAN / size)
        paths[size] = _paths(servers[size], size)
    variants = {
        f"{what} {size}": pages.Variant(server=servers[size], paths=[path], at_once=1)
        for what in paths[SIZES[0]]
        for size, path in ((size, paths[size][what]) for size in servers)
    }
    note("measuring")
    load_before = os.getloadavg()[0]
    found = pages.alternate(variants, effort)
    load = (load_before, os.getloadavg()[0])
    for server in servers.values():
        server.stop()
    figures = {
        what: {size: [each.median for each in found[f"{what} {size}"]] for size in servers}
        for what in paths[SIZES[0]]
    }
    return Growth(figures=figures, load=load)


def _paths(server: Server, size: int) -> dict[str, str]:
    """Return what to request from a server, by name."""
    request = urllib.request.Request(
        f"http://localhost:{server.port}{_MONTHS}?order=taken", headers=AUTHORIZED
    )
    with urllib.request.urlopen(request) as answer:
        months = json.load(answer)
    page = f"{PAGE}?limit={_PER_PAGE}&order=taken"
    deep = catalogs.cursor_after(int(_DEEP * size), every=_SPAN / size, taken=True)
    middle, oldest = months[len(months) // 2], months[-1]
    return {
        "first page": page,
        "the months": f"{_MONTHS}?order=taken",
        f"page after {_DEEP:.0%} of the photos": f"{page}&after={deep}",
        "jump to the oldest month": f"{page}&after={oldest['after']}",
        _WITHIN_A_MONTH: (f"{page}&after={middle['after']}&skip={middle['count'] // 2}"),
        f"search for a word of {catalogs.RARE} photos": f"{page}&q=zebra",
        _COMMON: f"{page}&q=sea",
        "the page of the gallery": "/",
    }


def markdown(growth: Growth) -> str:
    """Return the section for docs/benchmarks.md."""
    sizes = sorted(next(iter(growth.figures.values())))
    head = ["request", *(f"{size:,} photos" for size in sizes), "ratio", "target", "met"]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for what, times in growth.figures.items():
        ratio = growth.ratio(what, sizes[-1])
        target = ["", ""]
        if what != _WITHIN_A_MONTH:
            limit = f"≤ {_COMMON_LIMIT:.0f} ms" if what == _COMMON else f"≤ {LIMIT} x"
            target = [limit, "yes" if growth.met(what, sizes[-1]) else "**no**"]
        cells = [
            what,
            *(f"{median(times[size]):.2f} ms" for size in sizes),
            f"{ratio:.2f} x",
            *target,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    rounds = len(next(iter(growth.figures.values()))[sizes[0]])
    return _SECTION.format(rounds=rounds, before=growth.load[0], after=growth.load[1]) + "\n".join(
        lines
    )
