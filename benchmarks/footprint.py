"""Measure the memory of all processes of an unconfigured `safelight serve`."""

import time
from pathlib import Path

import photograph
import uploads
from stage import MiB, Stage
from table import Row

_IDLE_SECONDS = 5
_SETTLE_SECONDS = 30
_UPLOADED = 2_000_000_000
_AT_ONCE = 4


def measure(stage: Stage, photo: Path, *, long: bool) -> list[Row]:
    """Measure it idle and, with `long`, 30 s after uploads of 2 GB."""
    folder = stage.folder / "alone"
    server = stage.serve_unconfigured(folder)
    time.sleep(_IDLE_SECONDS)
    rows = [_row("all processes, idle: memory (PSS)", server.pss(), 500)]
    if long:
        count = _UPLOADED // photograph.BYTES
        uploads.send(server, photo, count, ours=True, at_once=_AT_ONCE)
        time.sleep(_SETTLE_SECONDS)
        rows.append(_row("all processes, 30 s after 2 GB of uploads", server.pss(), 900))
    server.stop()
    return rows


def _row(what: str, found: dict[str, int], limit: int) -> Row:
    parts = ", ".join(f"{name} {size / MiB:.0f}" for name, size in sorted(found.items()))
    total = sum(found.values()) / MiB
    return Row(
        what=what, ours=f"{total:.0f} MiB", theirs=parts, figure=total, unit="MiB", limit=limit
    )
