"""Measure form uploads of a 2.4 MB JPEG: CPU of one, and memory with many at once."""

from pathlib import Path
from statistics import median

import senders
from pages import ratio
from stage import AUTHORIZED, PAGE, MiB, Server, Stage, run_in_process
from table import Row

CONCURRENT = 200
_WARM_UP = 5


def send(
    server: Server, photo: Path, uploads: int, *, ours: bool, at_once: int = 1
) -> senders.Outcome:
    """Upload photos to one of the two servers."""
    sending = senders.Sending(
        port=server.port,
        path=PAGE,
        photo=str(photo),
        uploads=uploads,
        at_once=at_once,
        headers=AUTHORIZED if ours else {},
    )
    outcome = senders.Outcome(**run_in_process(senders, sending))
    if outcome.statuses.get("201") != uploads:
        raise SystemExit(f"of {uploads} uploads, some failed: {outcome.statuses}")
    return outcome


def measure(stage: Stage, photo: Path, *, rounds: int, uploads: int) -> list[Row]:
    """Measure both variants alternately, one upload at a time; then many at once on ours."""
    database = stage.database("uploads")
    ours, theirs = stage.ours(database, worker=False), stage.tutorial(database)
    rows = _measure_cpu(ours, theirs, photo, rounds, uploads)
    ours.stop()
    theirs.stop()
    full = stage.ours(database)
    rows += _measure_concurrent(full, photo)
    full.stop()
    return rows


def _measure_cpu(ours: Server, theirs: Server, photo: Path, rounds: int, uploads: int) -> list[Row]:
    for server in (ours, theirs):
        send(server, photo, _WARM_UP, ours=server is ours)
    web: dict[Server, list[float]] = {ours: [], theirs: []}
    children: list[float] = []
    for _ in range(rounds):
        for server, found in web.items():
            before, before_children = server.cpu(), server.cpu_of_children()
            send(server, photo, uploads, ours=server is ours)
            found.append((server.cpu() - before) / uploads * 1000)
            if server is ours:
                children.append((server.cpu_of_children() - before_children) / uploads * 1000)
    one, other = median(web[ours]), median(web[theirs])
    return [
        Row(
            what="form upload of a 2.4 MB JPEG: CPU of the web process (--no-worker)",
            ours=f"{one:.1f} ms",
            theirs=f"tutorial {other:.1f} ms",
            figure=ratio(web[ours], web[theirs]),
            limit=0.8,
        ),
        Row(
            what="the same: CPU of the decoder processes (decode, three sizes)",
            ours=f"{median(children):.0f} ms",
            theirs="tutorial: none, it checks nothing",
            figure=median(children),
            unit="ms",
        ),
    ]


def _measure_concurrent(ours: Server, photo: Path) -> list[Row]:
    before = ours.rss()
    ours.reset_peak()
    outcome = send(ours, photo, CONCURRENT, ours=True, at_once=CONCURRENT)
    grown = (ours.peak() - before) / MiB
    retried = sum(outcome.statuses.values()) - CONCURRENT
    return [
        Row(
            what=f"{CONCURRENT} concurrent uploads: memory growth of the web process",
            ours=f"{before / MiB:.0f} → {ours.peak() / MiB:.0f} MiB",
            theirs=f"all complete in {outcome.seconds:.1f} s, {retried} retried",
            figure=grown,
            unit="MiB",
            limit=64,
        )
    ]
