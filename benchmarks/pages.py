"""A page of 100 photos: against the tutorial's way, and against the size of the catalog."""

import random
from dataclasses import dataclass
from statistics import median

import catalogs
import readers
from stage import AUTHORIZED, PAGE, Server, Stage, in_a_process
from table import Row

SMALL = 1_000
PER_PAGE = 100
_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long and how often is measured; `rows` are those of the large catalog."""

    rounds: int
    seconds: float
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A server, and the pages that are asked of it."""

    server: Server
    paths: list[str]
    ours: bool = True
    at_once: int = _AT_ONCE
    encoding: str = "identity"

    def read(self, seconds: float) -> readers.Outcome:
        """Ask for them."""
        headers = {**(AUTHORIZED if self.ours else {}), "Accept-Encoding": self.encoding}
        reading = readers.Reading(
            port=self.server.port,
            paths=self.paths,
            headers=headers,
            connections=self.at_once,
            seconds=seconds,
        )
        return readers.Outcome(**in_a_process(readers, reading))


def behind(row: int, *, ours: bool) -> str:
    """Tell the address of the page that begins after so many photos."""
    return f"{PAGE}?after={catalogs.cursor_behind(row)}" if ours else f"{PAGE}?skip={row}"


def alternating(ways: dict[str, Way], effort: Effort) -> dict[str, list[readers.Outcome]]:
    """Let the ways take turns, so that whatever else the machine does slows them alike."""
    for way in ways.values():
        way.read(min(1.0, effort.seconds))
    found: dict[str, list[readers.Outcome]] = {name: [] for name in ways}
    for _ in range(effort.rounds):
        for name, way in ways.items():
            found[name].append(way.read(effort.seconds))
    return found


def rates(outcomes: list[readers.Outcome]) -> list[float]:
    """Answers a second, turn by turn."""
    return [outcome.answers / outcome.seconds for outcome in outcomes]


def ratio(ones: list[float], others: list[float]) -> float:
    """Compare two ways turn by turn."""
    return median(one / other for one, other in zip(ones, others, strict=True))


def against_the_tutorial(stage: Stage, effort: Effort, renditions: int) -> list[Row]:
    """A page's requests a second, one process each, on a catalog of a thousand."""
    database = stage.database(f"with_{renditions}_renditions")
    ours, theirs = stage.ours(database), stage.tutorial(database)
    catalogs.fill(database.url, SMALL, renditions=renditions)
    ways = {
        "ours": Way(server=ours, paths=[PAGE]),
        "theirs": Way(server=theirs, paths=[PAGE], ours=False),
    }
    if not renditions:
        ways["gzip"] = Way(server=ours, paths=[PAGE], encoding="gzip")
    found = alternating(ways, effort)
    ours.stop()
    theirs.stop()
    links = "one link each" if not renditions else f"{renditions} renditions each"
    rows = [
        _against(
            found,
            "ours",
            f"page of 100 photos, {links}: answers a second, {_AT_ONCE} connections",
            limit=12 if renditions else 15,
        )
    ]
    if not renditions:
        rows.append(
            _against(found, "gzip", "the same, gzip asked for (the tutorial never does it)")
        )
    return rows


def _against(
    found: dict[str, list[readers.Outcome]], way: str, what: str, limit: float | None = None
) -> Row:
    ours, theirs = rates(found[way]), rates(found["theirs"])
    return Row(
        what=what,
        ours=f"{median(ours):.0f}/s",
        theirs=f"tutorial {median(theirs):.1f}/s",
        figure=ratio(ours, theirs),
        limit=limit,
        at_least=True,
    )


def against_the_size(stage: Stage, effort: Effort) -> tuple[list[Row], dict[int, dict[str, float]]]:
    """A page's time in a small and a large catalog, and the points of the plot."""
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
    somewhere = [behind(random.randrange(effort.rows - PER_PAGE), ours=True) for _ in range(5_000)]
    ways = {
        "few": Way(server=small, paths=[PAGE], at_once=1),
        "few, last": Way(server=small, paths=[behind(SMALL - PER_PAGE - 1, ours=True)], at_once=1),
        "many": Way(server=large, paths=[PAGE], at_once=1),
        "many, last": Way(server=large, paths=[behind(end, ours=True)], at_once=1),
        "anywhere": Way(server=large, paths=somewhere, at_once=1),
        "tutorial": Way(server=tutorial, paths=[PAGE], ours=False, at_once=1),
    }
    found = alternating(ways, effort)
    times = {name: [each.median for each in outcomes] for name, outcomes in found.items()}

    def compared(what: str, one: str, other: str, limit: float | None) -> Row:
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
        compared(f"first page at {size}: time", "many", "few", 1.3),
        compared(f"last page at {size}: time", "many, last", "few, last", 1.3),
        compared(f"any page of {size}, not asked for before: time", "anywhere", "tutorial", None),
    ]


def _point(ours: Server, tutorial: Server, size: int, effort: Effort) -> dict[str, float]:
    """Measure one size: milliseconds of a page, by what is asked of whom."""
    last = size - PER_PAGE - 1
    ways = {
        "ours, first page": Way(server=ours, paths=[PAGE], at_once=1),
        "ours, last page": Way(server=ours, paths=[behind(last, ours=True)], at_once=1),
        "tutorial, first page": Way(server=tutorial, paths=[PAGE], ours=False, at_once=1),
        "tutorial, last page": Way(
            server=tutorial, paths=[behind(last, ours=False)], ours=False, at_once=1
        ),
    }
    return {name: way.read(effort.seconds).median for name, way in ways.items()}
