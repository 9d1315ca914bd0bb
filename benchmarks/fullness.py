"""Reading while the darkroom is full: the 95th percentile of a page, against an idle server's."""

import threading
from pathlib import Path
from statistics import median

import catalogs
import paced
import uploads
from pages import SMALL, ratio
from stage import AUTHORIZED, PAGE, Server, Stage, in_a_process
from table import Row

_RATE = 40
_AT_ONCE = 64
_BEFORE_IT_IS_FULL = 1.0


def measure(stage: Stage, photo: Path, *, rounds: int, seconds: float) -> list[Row]:
    """Ask for a page at a steady rate, idle and full in turns."""
    database = stage.database("fullness")
    server = stage.ours(database)
    catalogs.fill(database.url, SMALL, tutorials=False, renditions=4)
    _p95(server, 1.0)
    idle, full = [], []
    for _ in range(rounds):
        server.settle()  # Else it still makes the renditions of the turn before.
        idle.append(_p95(server, seconds))
        full.append(_p95_while_full(server, photo, seconds))
    server.stop()
    return [
        Row(
            what=f"page of 100 photos, {_RATE} asked for a second, while the darkroom is full: p95",
            ours=f"{median(full):.1f} ms",
            theirs=f"idle {median(idle):.1f} ms",
            figure=ratio(full, idle),
            limit=3,
        )
    ]


def _p95(server: Server, seconds: float) -> float:
    pace = paced.Pace(port=server.port, path=PAGE, headers=AUTHORIZED, rate=_RATE, seconds=seconds)
    return paced.Outcome(**in_a_process(paced, pace)).p95


def _p95_while_full(server: Server, photo: Path, seconds: float) -> float:
    """Have more photos sent than can be decoded, all the while."""
    over = threading.Event()

    def crowd() -> None:
        while not over.is_set():
            uploads.send(server, photo, 2 * _AT_ONCE, ours=True, at_once=_AT_ONCE)

    sending = threading.Thread(target=crowd)
    sending.start()
    over.wait(_BEFORE_IT_IS_FULL)
    try:
        return _p95(server, seconds)
    finally:
        over.set()
        sending.join()
