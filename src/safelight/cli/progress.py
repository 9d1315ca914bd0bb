"""The bar that shows how far an upload is, where somebody sees it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from safelight.cli.terminal import is_watched

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID


class Progress:
    """How far the files are; this one shows nothing. Sizes are bytes."""

    def begin(self, name: str, size: int) -> None:
        """Go on to a file."""

    def advance(self, size: int) -> None:
        """Count what was read of it."""

    def rewind(self) -> None:
        """Begin with it anew."""

    def wait(self) -> None:
        """Tell that the server wants us to wait."""

    def end(self) -> None:
        """Be done with it, whether it was read or not."""


class _Drawn(Progress):
    def __init__(self, bar: "Bar", task: "TaskID") -> None:
        self._bar = bar
        self._task = task
        self._name = ""
        self._size = 0
        self._begun_at = 0
        """Bytes of all files before this one."""

    def begin(self, name: str, size: int) -> None:
        self._name, self._size = name, size

    def advance(self, size: int) -> None:
        self._bar.advance(self._task, size)

    def rewind(self) -> None:
        self._bar.update(self._task, description=self._name, completed=self._begun_at)

    def wait(self) -> None:
        self._bar.update(self._task, description=f"{self._name} (the server is busy)")

    def end(self) -> None:
        self._begun_at += self._size
        self._bar.update(self._task, completed=self._begun_at)


@contextmanager
def progress(total: int) -> Iterator[Progress]:
    """Show a bar on stderr while the context lasts; nothing where stderr is no terminal."""
    if not is_watched():
        yield Progress()
        return
    from rich.console import Console  # noqa: PLC0415  takes long to import
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    stdout_is_seen = sys.stdout is not None and sys.stdout.isatty()
    with Bar(
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=stdout_is_seen,  # what goes to a file must not be drawn here
    ) as bar:
        task = bar.add_task("", total=total)
        yield _Drawn(bar, task)
