"""The results of uploads: one line or JSON object per file, and a summary."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from safelight.client.api import Photo
from safelight.errors import OperatorError, SafelightError
from safelight.terminal import print_json, print_note, print_result, sanitize

_LABELS: Final = {"added": "added", "existing": "already there", "new": "new"}
_COUNTED: Final = {
    "added": "added",
    "existing": "already there",
    "new": "new",
    "failed": "failed",
    "unsent": "not sent",
    "skipped": "skipped",
}
NOT_A_PHOTO: Final = "unsupported_type"
"""The `code` of a skipped file that isn't a photo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadResult:
    """The result for one file.

    ``added`` and ``existing`` have a photo. ``new`` files would be sent without ``--dry-run``.
    ``failed`` and ``skipped`` (not a photo, or a link to a folder) have a code and a reason.
    ``unsent`` files were not tried, after an error that concerns all files.
    """

    file: str
    status: Literal["added", "existing", "new", "skipped", "failed", "unsent"]
    photo: Photo | None = None
    code: str | None = None
    reason: str | None = None

    @property
    def is_done(self) -> bool:
        """Whether the file needs no further attempt."""
        return self.status not in {"failed", "unsent"}

    def as_json(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        error = {"code": self.code, "detail": self.reason} if self.reason else None
        return {"file": self.file, "outcome": self.status, "photo": self.photo, "error": error}

    def print(self) -> None:
        """Print a line: successes on stdout, failures on stderr."""
        if self.status in _LABELS:
            number = self.photo["id"] if self.photo else ""
            print_result(f"{_LABELS[self.status]:<13}  {number:>6}  {sanitize(self.file)}")
        elif self.status in {"failed", "skipped"}:
            print_note(f"{self.file}: {self.reason}")


def failed_result(file: Path, error: SafelightError | OSError) -> UploadResult:
    """Return the result for a file that can't be read, or that the server refuses."""
    if isinstance(error, OSError):
        reason = f"Can't read the file: {error.strerror or error}."
        return UploadResult(file=str(file), status="failed", code="unreadable", reason=reason)
    return UploadResult(file=str(file), status="failed", code=_code(error), reason=str(error))


def unsent_result(file: Path, error: SafelightError) -> UploadResult:
    """Return the result for a file that was not tried because of an earlier error."""
    return UploadResult(file=str(file), status="unsent", code=_code(error), reason=str(error))


def _code(error: SafelightError) -> str:
    return "unreachable" if isinstance(error, OperatorError) else error.code


class UploadSummary:
    """Prints successes as they come, then failures and the counts.

    `hidden` is the number of hidden files. With `as_json`, prints one array at the end.
    """

    def __init__(self, *, hidden: int, as_json: bool) -> None:
        self._hidden = hidden
        self._as_json = as_json
        self._counts: Counter[str] = Counter()
        self._deferred: list[UploadResult] = []

    @property
    def is_done(self) -> bool:
        """Whether no file needs another attempt."""
        return not self._counts["failed"] and not self._counts["unsent"]

    def add(self, results: Iterable[UploadResult]) -> None:
        """Count results, and print the successes."""
        for result in results:
            not_a_photo = result.status == "skipped" and result.code == NOT_A_PHOTO
            self._counts["not a photo" if not_a_photo else _COUNTED[result.status]] += 1
            if self._as_json or result.status in {"failed", "skipped"}:
                self._deferred.append(result)
            else:
                result.print()

    def print(self) -> None:
        """Print the failures and the counts, or the JSON array."""
        if self._as_json:
            print_json([result.as_json() for result in self._deferred], indent=2)
            return
        self._print_failures()
        labels = (*_COUNTED.values(), "not a photo", "hidden")
        counts = self._counts + Counter(hidden=self._hidden)
        summary = ", ".join(f"{counts[label]} {label}" for label in labels if counts[label])
        print_note(f"{summary or 'No files were found'}.")

    def print_interrupted(self, files: int) -> None:
        """Print how many of the files are done. Prints no JSON: half an array is invalid."""
        if self._as_json:
            return
        self._print_failures()
        done = sum(self._counts[label] for label in _LABELS.values())
        print_note(f"Stopped: {done} of {files} photos are done. Run the command again to resume.")

    def _print_failures(self) -> None:
        for result in self._deferred:
            if result.status == "failed" or result.code != NOT_A_PHOTO:
                result.print()
