"""How long it takes to begin: the import, the help of the command line, and the service."""

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
began = time.perf_counter()
import safelight
took = time.perf_counter() - began
print(took * 1000, *(set(sys.modules) & {heavy}))
"""


def measure(*, rounds: int) -> list[Row]:
    """Medians of so many starts, the first not counted."""
    loaded: set[str] = set()

    def importing() -> float:
        took, *heavy = _output([sys.executable, "-c", _IMPORT.format(heavy=set(_HEAVY))]).split()
        loaded.update(heavy)
        return float(took)

    def helping() -> float:
        began = time.perf_counter()
        _output([str(Path(sys.executable).parent / "safelight"), "--help"])
        return (time.perf_counter() - began) * 1000

    return [
        _row("import safelight", importing, rounds, 150, lambda: ", ".join(sorted(loaded))),
        _row("safelight --help, the whole process", helping, rounds, 300, lambda: "-"),
    ]


def serving(on: Stage, *, rounds: int) -> list[Row]:
    """Medians of so many starts of `safelight serve` on its own engines, the first not counted."""
    data_dir = on.folder / "again"
    on.alone(data_dir).stop()
    began, ended = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        server = on.alone(data_dir)
        ready = time.perf_counter()
        server.stop()
        began.append(ready - start)
        ended.append(time.perf_counter() - ready)
    return [
        Row(what=what, ours=f"{median(took):.2f} s", figure=median(took), unit="s", limit=limit)
        for what, took, limit in (
            ("the second start of `safelight serve`, until `/readyz` says so", began, 3),
            ("its end, with both engines", ended, 5),
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
        theirs=theirs if loaded() else "imports none of the heavy ones",
        figure=took,
        unit="ms",
        limit=limit,
    )


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout
