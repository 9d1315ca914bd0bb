"""Format the results as a table: what was measured, both variants, and the target."""

import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil

_PACKAGES = ("fastapi", "uvicorn", "sqlalchemy", "psycopg", "boto3", "obstore", "pyvips")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement. `figure` must be at least or at most `limit`."""

    what: str
    ours: str
    theirs: str = ""
    figure: float
    unit: str = "x"
    limit: float | None = None
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        """Return whether the target is met; None if there is none."""
        if self.limit is None:
            return None
        return self.figure >= self.limit if self.at_least else self.figure <= self.limit

    @property
    def cells(self) -> tuple[str, ...]:
        """Return the row's cells as text."""
        sign = "≥" if self.at_least else "≤"
        target = "" if self.limit is None else f"{sign} {self.limit:.3g} {self.unit}"
        met = {None: "", True: "yes", False: "**no**"}[self.met]
        figure = f"{self.figure:.3g} {self.unit}"
        return (self.what, self.ours, self.theirs, figure, target, met)


_HEAD = ("measured", "ours", "compared with", "figure", "target", "met")


def markdown(rows: list[Row]) -> str:
    """Return a Markdown table that is also readable as plain text."""
    lines = [_HEAD, *(row.cells for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    rule = tuple("-" * width for width in widths)
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in (lines[0], rule, *lines[1:])
    )


def machine() -> str:
    """Return a description of this machine."""
    memory = psutil.virtual_memory().total / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"{_processor()}, {psutil.cpu_count()} cores, {memory:.0f} GiB; Linux"
        f" {platform.release()}, Python {platform.python_version()}; {packages}."
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
