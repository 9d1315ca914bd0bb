"""Progress bars on stderr, drawn only if that is a terminal. Sizes are in bytes."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column

from safelight.terminal import is_interactive


def make_progress(*columns: ProgressColumn, expand: bool = False) -> Progress:
    """Return a progress bar that vanishes when it is done; disabled if stderr is no terminal."""
    return Progress(
        *columns,
        console=Console(stderr=True),
        disable=not is_interactive(),
        transient=True,
        expand=expand,
        # Rich must not draw on the terminal what is redirected to a file.
        redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
    )


class UploadProgress:
    """Progress of an upload run: files, bytes, speed and remaining time. Thread-safe."""

    def __init__(self, bar: Progress, *, size: int, files: int) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=size, files=0, of=files)
        self._lock = threading.Lock()
        self._files = 0

    def describe(self, text: str) -> None:
        """Show what is being done."""
        self._bar.update(self._task, description=text)

    def advance(self, size: int) -> None:
        """Count bytes; a negative number takes back bytes that are sent again."""
        self._bar.advance(self._task, size)

    def finish_file(self) -> None:
        """Count a file."""
        with self._lock:
            self._files += 1
            self._bar.update(self._task, files=self._files)


class FileProgress:
    """One file's share of an upload's progress."""

    def __init__(self, progress: UploadProgress, name: str, size: int) -> None:
        self._progress = progress
        self._name = name
        self._size = size
        self._counted = 0
        progress.describe(name)

    def advance(self, size: int) -> None:
        """Count bytes of the file."""
        self._counted += size
        self._progress.advance(size)

    def rewind(self) -> None:
        """Start the file again from its first byte."""
        self._progress.describe(self._name)
        self.advance(-self._counted)

    def show_waiting(self) -> None:
        """Show that the upload waits for a busy server."""
        self._progress.describe(f"{self._name} (the server is busy)")

    def finish(self) -> None:
        """Count the file as done, whether or not it was sent."""
        self.advance(self._size - self._counted)
        self._progress.finish_file()


@contextmanager
def show_upload_progress(*, size: int, files: int) -> Iterator[UploadProgress]:
    """Show a progress bar for this many bytes and files while the context lasts."""
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
    with make_progress(*columns, expand=True) as bar:
        yield UploadProgress(bar, size=size, files=files)


@contextmanager
def show_download_progress(name: str, size: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar for a file of this size; yield a function that counts its bytes."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None, table_column=Column(ratio=1)),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with make_progress(*columns, expand=True) as bar:
        task = bar.add_task(name, total=size)
        yield lambda count: bar.advance(task, count)
