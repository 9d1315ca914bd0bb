"""Measure the start of the import, of the command line's help, and of the service."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from stage import Stage
from table import Row

_HEAVY = ("boto3", "botocore", "pyvips", "sqlalchemy", "fastapi")
_IMPORT = """
import sys, time
started_at = time.perf_counter()
import safelight
took = time.perf_counter() - started_at
print(took * 1000, *(set(sys.modules) & {heavy}))
"""


def measure(*, rounds: int) -> list[Row]:
    """Return the medians of `rounds` starts, after one to warm up."""
    loaded: set[str] = set()

    def import_package() -> float:
        took, *heavy = _output([sys.executable, "-c", _IMPORT.format(heavy=set(_HEAVY))]).split()
        loaded.update(heavy)
        return float(took)

    def show_help() -> float:
        started_at = time.perf_counter()
        _output([str(Path(sys.executable).parent / "safelight"), "--help"])
        return (time.perf_counter() - started_at) * 1000

    return [
        _row("`import safelight`", import_package, rounds, 150, lambda: ", ".join(sorted(loaded))),
        _row("`safelight --help`, the whole process", show_help, rounds, 300, lambda: "-"),
    ]


def serving(on: Stage, *, rounds: int) -> list[Row]:
    """Return the medians of `rounds` starts of `safelight serve`, after one to warm up."""
    data_dir = on.folder / "again"
    on.serve_unconfigured(data_dir).stop()
    start_times, stop_times = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        server = on.serve_unconfigured(data_dir)
        ready = time.perf_counter()
        server.stop()
        start_times.append(ready - start)
        stop_times.append(time.perf_counter() - ready)
    return [
        Row(what=what, ours=f"{median(took):.2f} s", figure=median(took), unit="s", limit=limit)
        for what, took, limit in (
            ("the second start of `safelight serve`, until `/readyz` is 200", start_times, 3),
            ("stopping it and both engines", stop_times, 5),
        )
    ]


def _row(
    what: str, start: Callable[[], float], rounds: int, limit: float, loaded: Callable[[], str]
) -> Row:
    start()
    took = median(start() for _ in range(rounds))
    theirs = f"imports {loaded()}" if loaded() != "-" else ""
    return Row(
        what=what,
        ours=f"{took:.0f} ms",
        theirs=theirs if loaded() else "imports no heavy packages",
        figure=took,
        unit="ms",
        limit=limit,
    )


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout
