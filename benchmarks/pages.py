"""Measure a page of 100 photos, compared with the tutorial, and by the size of the catalog."""

import random
from dataclasses import dataclass
from statistics import median

import catalogs
import paced
import readers
from stage import AUTHORIZED, PAGE, Server, Stage, run_in_process
from table import Row

SMALL = 1_000
PER_PAGE = 100
_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """Number and duration of the rounds; `rows` is the size of the large catalog."""

    rounds: int
    seconds: float
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A server, and the pages to request from it."""

    server: Server
    paths: list[str]
    ours: bool = True
    at_once: int = _AT_ONCE
    encoding: str = "identity"

    def read(self, seconds: float) -> readers.Outcome:
        """Request them."""
        headers = {**(AUTHORIZED if self.ours else {}), "Accept-Encoding": self.encoding}
        reading = readers.Reading(
            port=self.server.port,
            paths=self.paths,
            headers=headers,
            connections=self.at_once,
            seconds=seconds,
        )
        return readers.Outcome(**run_in_process(readers, reading))


def path_after(row: int, *, ours: bool) -> str:
    """Return the path of the page that begins after `row` photos."""
    return f"{PAGE}?after={catalogs.cursor_after(row)}" if ours else f"{PAGE}?skip={row}"


def alternate(variants: dict[str, Variant], effort: Effort) -> dict[str, list[readers.Outcome]]:
    """Alternate the variants, so that other load slows all of them alike."""
    for variant in variants.values():
        variant.read(min(1.0, effort.seconds))
    found: dict[str, list[readers.Outcome]] = {name: [] for name in variants}
    for _ in range(effort.rounds):
        for name, variant in variants.items():
            found[name].append(variant.read(effort.seconds))
    return found


def rates(outcomes: list[readers.Outcome]) -> list[float]:
    """Return the answers per second of each round."""
    return [outcome.answers / outcome.seconds for outcome in outcomes]


def ratio(ones: list[float], others: list[float]) -> float:
    """Return the median of the rounds' ratios."""
    return median(one / other for one, other in zip(ones, others, strict=True))


def p95(server: Server, *, rate: float, seconds: float = 5.0) -> float:
    """Request a page at a steady rate; return the 95th percentile of its times in milliseconds."""
    pace = paced.Pace(port=server.port, path=PAGE, headers=AUTHORIZED, rate=rate, seconds=seconds)
    return paced.Outcome(**run_in_process(paced, pace)).p95


def compare_with_tutorial(stage: Stage, effort: Effort, renditions: int) -> list[Row]:
    """Measure requests per second, one process each, with a catalog of a thousand photos."""
    database = stage.database(f"with_{renditions}_renditions")
    ours, theirs = stage.ours(database), stage.tutorial(database)
    catalogs.fill(database.url, SMALL, renditions=renditions)
    variants = {
        "ours": Variant(server=ours, paths=[PAGE]),
        "theirs": Variant(server=theirs, paths=[PAGE], ours=False),
    }
    if not renditions:
        variants["gzip"] = Variant(server=ours, paths=[PAGE], encoding="gzip")
    found = alternate(variants, effort)
    ours.stop()
    theirs.stop()
    links = "one link each" if not renditions else f"{renditions} renditions each"
    rows = [
        _against(
            found,
            "ours",
            f"page of 100 photos, {links}: responses a second, {_AT_ONCE} connections",
            limit=12 if renditions else 15,
        )
    ]
    if not renditions:
        rows.append(_against(found, "gzip", "the same, gzipped (the tutorial never compresses)"))
    return rows


def _against(
    found: dict[str, list[readers.Outcome]], variant: str, what: str, limit: float | None = None
) -> Row:
    ours, theirs = rates(found[variant]), rates(found["theirs"])
    return Row(
        what=what,
        ours=f"{median(ours):.0f}/s",
        theirs=f"tutorial {median(theirs):.1f}/s",
        figure=ratio(ours, theirs),
        limit=limit,
        at_least=True,
    )


def measure_by_size(stage: Stage, effort: Effort) -> tuple[list[Row], dict[int, dict[str, float]]]:
    """Measure a page's time in a small and a large catalog; also return the points of the plot."""
    few, many = stage.database("few"), stage.database("many")
    servers = [stage.ours(few), stage.ours(many), stage.tutorial(many)]
    small, large, tutorial = servers
    catalogs.fill(few.url, SMALL, tutorials=False)
    points = {}
    size = SMALL
    while size < effort.rows:
        catalogs.fill(many.url, size)
        points[size] = _point(large, tutorial, size, effort)
        size *= 10
    catalogs.fill(many.url, effort.rows)
    points[effort.rows] = _point(large, tutorial, effort.rows, effort)
    rows = _size_rows(small, large, tutorial, effort)
    for server in servers:
        server.stop()
    return rows, points


def _size_rows(small: Server, large: Server, tutorial: Server, effort: Effort) -> list[Row]:
    end = effort.rows - PER_PAGE - 1
    random_pages = [
        path_after(random.randrange(effort.rows - PER_PAGE), ours=True) for _ in range(5_000)
    ]
    variants = {
        "few": Variant(server=small, paths=[PAGE], at_once=1),
        "few, last": Variant(
            server=small, paths=[path_after(SMALL - PER_PAGE - 1, ours=True)], at_once=1
        ),
        "many": Variant(server=large, paths=[PAGE], at_once=1),
        "many, last": Variant(server=large, paths=[path_after(end, ours=True)], at_once=1),
        "anywhere": Variant(server=large, paths=random_pages, at_once=1),
        "tutorial": Variant(server=tutorial, paths=[PAGE], ours=False, at_once=1),
    }
    found = alternate(variants, effort)
    times = {name: [outcome.median for outcome in outcomes] for name, outcomes in found.items()}

    def compare(what: str, one: str, other: str, limit: float | None) -> Row:
        against = "tutorial" if other == "tutorial" else f"at {SMALL:,}"
        return Row(
            what=what,
            ours=f"{median(times[one]):.2f} ms",
            theirs=f"{against} {median(times[other]):.2f} ms",
            figure=ratio(times[one], times[other]),
            limit=limit,
        )

    size = f"{effort.rows:,} photos"
    return [
        compare(f"first page at {size}: time", "many", "few", 1.3),
        compare(f"last page at {size}: time", "many, last", "few, last", 1.3),
        compare(f"any page of {size}, not cached: time", "anywhere", "tutorial", None),
    ]


def _point(ours: Server, tutorial: Server, size: int, effort: Effort) -> dict[str, float]:
    """Measure one size: milliseconds of a page, by page and server."""
    last = size - PER_PAGE - 1
    variants = {
        "ours, first page": Variant(server=ours, paths=[PAGE], at_once=1),
        "ours, last page": Variant(server=ours, paths=[path_after(last, ours=True)], at_once=1),
        "tutorial, first page": Variant(server=tutorial, paths=[PAGE], ours=False, at_once=1),
        "tutorial, last page": Variant(
            server=tutorial, paths=[path_after(last, ours=False)], ours=False, at_once=1
        ),
    }
    return {name: variant.read(effort.seconds).median for name, variant in variants.items()}
