"""Measure reads while the darkroom is saturated: a page's 95th percentile, compared with idle."""

import threading
from pathlib import Path
from statistics import median

import catalogs
import uploads
from pages import SMALL, p95, ratio
from stage import Server, Stage
from table import Row

_RATE = 40
_AT_ONCE = 64
_SECONDS_TO_SATURATE = 1.0


def measure(stage: Stage, photo: Path, *, rounds: int, seconds: float) -> list[Row]:
    """Request a page at a steady rate, alternately idle and saturated."""
    database = stage.database("saturation")
    server = stage.ours(database)
    catalogs.fill(database.url, SMALL, tutorials=False, renditions=4)
    p95(server, rate=_RATE, seconds=1.0)
    idle, saturated = [], []
    for _ in range(rounds):
        server.settle()  # Otherwise it still makes the renditions of the round before.
        idle.append(p95(server, rate=_RATE, seconds=seconds))
        saturated.append(_p95_while_saturated(server, photo, seconds))
    server.stop()
    return [
        Row(
            what=f"page of 100 photos, {_RATE} requests a second, darkroom saturated: p95",
            ours=f"{median(saturated):.1f} ms",
            theirs=f"idle {median(idle):.1f} ms",
            figure=ratio(saturated, idle),
            limit=3,
        )
    ]


def _p95_while_saturated(server: Server, photo: Path, seconds: float) -> float:
    """Measure it while more photos are sent than can be decoded."""
    stop = threading.Event()

    def send() -> None:
        while not stop.is_set():
            uploads.send(server, photo, 2 * _AT_ONCE, ours=True, at_once=_AT_ONCE)

    sending = threading.Thread(target=send)
    sending.start()
    stop.wait(_SECONDS_TO_SATURATE)
    try:
        return p95(server, rate=_RATE, seconds=seconds)
    finally:
        stop.set()
        sending.join()
