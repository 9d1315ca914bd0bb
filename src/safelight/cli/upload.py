"""``safelight upload``: files, one after the other, each streamed from where it lies."""

import io
import json
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from safelight.cli.client import Client, Photo
from safelight.cli.client_settings import ClientSettings
from safelight.cli.progress import Progress, progress
from safelight.cli.terminal import complain, plain, say
from safelight.errors import Invalid, OperatorError, RequestTimeout, SafelightError, Unavailable

_TRIES = 5
_WAIT = timedelta(seconds=5)
_LONGEST_WAIT = timedelta(seconds=60)
"""The longest between two tries, whatever the server asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a file: ``added``, ``existing``, ``failed`` or ``unsent``.

    The last is for those that are left after a failure which is not about one file.
    """

    file: str
    outcome: str
    photo: Photo | None = None
    code: str | None = None
    reason: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Give it as ``--json`` shows it."""
        error = {"code": self.code, "detail": self.reason} if self.reason else None
        return {"file": self.file, "outcome": self.outcome, "photo": self.photo, "error": error}

    def tell(self) -> None:
        """Write its line: what is done to stdout, what failed to stderr."""
        if self.photo is not None:
            word = "added" if self.outcome == "added" else "already there"
            say(f"{word:<13}  {self.photo['id']:>6}  {plain(self.file)}")
        elif self.outcome == "failed":
            complain(f"{self.file}: {self.reason}")


def upload(
    settings: ClientSettings,
    files: list[Path],
    *,
    title: str = "",
    description: str = "",
    as_json: bool = False,
) -> int:
    """Upload the files and tell what became of each; gives the exit code."""
    outcomes = []
    total = sum(_size(file) for file in files)
    with Client(settings) as client, progress(total) as meter:
        sender = _Sender(client, meter, title=title, description=description)
        for outcome in sender.outcomes(files):
            outcomes.append(outcome)
            if not as_json:
                outcome.tell()
    if as_json:
        say(json.dumps([outcome.as_json() for outcome in outcomes], indent=2))
    failed = sum(outcome.photo is None for outcome in outcomes)
    if failed and len(files) > 1:
        complain(f"{failed} of {len(files)} files failed.")
    return 1 if failed else 0


class _Sender:
    """Sends file after file, and knows when there is no sense in going on."""

    def __init__(self, client: Client, meter: Progress, *, title: str, description: str) -> None:
        self._client = client
        self._meter = meter
        self._title = _in_utf8(title)
        self._description = _in_utf8(description)

    def outcomes(self, files: list[Path]) -> Iterator[Outcome]:
        """Send the files. What isn't about one of them alone ends it for those that are left."""
        hopeless: SafelightError | None = None
        for file in files:
            if hopeless:
                yield _failed(file, hopeless, outcome="unsent")
                continue
            self._meter.begin(plain(file.name), _size(file))
            try:
                yield self._send(file)
            except SafelightError as error:
                hopeless = error
                yield _failed(file, error)
            self._meter.end()

    def _send(self, file: Path) -> Outcome:
        try:
            photo, created = self._patiently(file)
        except (Invalid, RequestTimeout) as error:
            return _failed(file, error)
        except OSError as error:
            reason = f"It can't be read: {error.strerror or error}."
            return Outcome(file=str(file), outcome="failed", code="unreadable", reason=reason)
        outcome = "added" if created else "existing"
        return Outcome(file=str(file), outcome=outcome, photo=photo)

    def _patiently(self, file: Path) -> tuple[Photo, bool]:
        """Send a file, and again when a busy server asks for it (or the line broke).

        What arrived before is no harm: the same bytes are never stored twice.
        """
        for attempt in range(1, _TRIES + 1):
            try:
                return self._once(file)
            except Unavailable as error:
                if attempt == _TRIES:
                    raise
                self._meter.wait()
                time.sleep(min(error.retry_after or _WAIT, _LONGEST_WAIT).total_seconds())
        raise AssertionError

    def _once(self, file: Path) -> tuple[Photo, bool]:
        self._meter.rewind()
        if not stat.S_ISREG(file.stat().st_mode):  # opening a pipe might wait for ever
            folder = file.is_dir()
            raise OSError(0, "it is a folder; give the files in it" if folder else "it is no file")
        name = os.fsencode(file.name).decode(errors="replace")
        with _Watched(file, self._meter) as stream:
            return self._client.add(stream, name, title=self._title, description=self._description)


class _Watched(io.FileIO):
    """A file whose reader is being watched. It is as long as it was when it was opened."""

    def __init__(self, file: Path, meter: Progress) -> None:
        super().__init__(file)
        self._meter = meter
        self._left = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, and tell the meter. Raises OSError if the file has become shorter."""
        piece = super().read(self._left if size is None or size < 0 else min(size, self._left))
        if self._left and not piece:
            raise OSError(0, "it changed while it was sent")
        self._left -= len(piece)
        self._meter.advance(len(piece))
        return piece


def _failed(file: Path, error: SafelightError, *, outcome: str = "failed") -> Outcome:
    code = "unreachable" if isinstance(error, OperatorError) else error.code
    return Outcome(file=str(file), outcome=outcome, code=code, reason=str(error))


def _in_utf8(told: str) -> str:
    """Write U+FFFD for the bytes of a name or an argument that aren't UTF-8."""
    return os.fsencode(told).decode(errors="replace")


def _size(file: Path) -> int:
    """Tell the size in bytes, as far as it's known; what is wrong with the file is told later."""
    try:
        return file.stat().st_size
    except OSError:
        return 0
