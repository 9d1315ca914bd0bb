"""The bar that shows how far files are, where somebody sees it. Sizes are bytes."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from safelight.cli.terminal import is_watched

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import ProgressColumn, TaskID


class Progress:
    """How far the files are; this one shows nothing. Any thread may tell it."""

    def name(self, text: str) -> None:
        """Tell what is being done."""

    def advance(self, size: int) -> None:
        """Count bytes; fewer than none take back what is sent anew."""

    def end(self) -> None:
        """Count a file."""


class Share:
    """What one file has of the bar."""

    def __init__(self, progress: Progress, name: str, size: int) -> None:
        self._progress = progress
        self._name = name
        self._size = size
        self._counted = 0
        progress.name(name)

    def advance(self, size: int) -> None:
        """Count what was read of it."""
        self._counted += size
        self._progress.advance(size)

    def rewind(self) -> None:
        """Begin with it anew."""
        self._progress.name(self._name)
        self.advance(-self._counted)

    def wait(self) -> None:
        """Tell that the server wants us to wait."""
        self._progress.name(f"{self._name} (the server is busy)")

    def end(self) -> None:
        """Be done with it, whether it was read or not."""
        self.advance(self._size - self._counted)
        self._progress.end()


class _Drawn(Progress):
    def __init__(self, bar: "Bar", task: "TaskID") -> None:
        self._bar = bar
        self._task = task
        self._lock = threading.Lock()
        self._files = 0

    def name(self, text: str) -> None:
        self._bar.update(self._task, description=text)

    def advance(self, size: int) -> None:
        self._bar.advance(self._task, size)

    def end(self) -> None:
        with self._lock:
            self._files += 1
            self._bar.update(self._task, files=self._files)


def on_stderr(*columns: "ProgressColumn", expand: bool = False) -> "Bar":
    """Make a bar of these columns that is drawn on stderr, and gone when it is done."""
    from rich.console import Console  # noqa: PLC0415  takes long to import
    from rich.progress import Progress as Bar  # noqa: PLC0415  the same

    stdout_is_seen = sys.stdout is not None and sys.stdout.isatty()
    return Bar(
        *columns,
        console=Console(stderr=True),
        transient=True,
        expand=expand,
        redirect_stdout=stdout_is_seen,  # what goes to a file must not be drawn here
    )


@contextmanager
def progress(total: int, files: int) -> Iterator[Progress]:
    """Show a bar on stderr while the context lasts; nothing where stderr is no terminal.

    It tells files, bytes, bytes a second, and the time that is left.
    """
    if not is_watched():
        yield Progress()
        return
    from rich.progress import (  # noqa: PLC0415  takes long to import
        BarColumn,
        DownloadColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.table import Column  # noqa: PLC0415

    columns = (
        TextColumn(
            "{task.description}",
            markup=False,
            table_column=Column(max_width=24, no_wrap=True, overflow="ellipsis"),
        ),
        BarColumn(bar_width=None, table_column=Column(ratio=1)),
        TextColumn("{task.fields[files]}/{task.fields[of]} files", markup=False),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with on_stderr(*columns, expand=True) as bar:
        task = bar.add_task("", total=total, files=0, of=files)
        yield _Drawn(bar, task)
