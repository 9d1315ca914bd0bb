"""What became of a file, as a line and as JSON."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from safelight.cli.client import Photo
from safelight.cli.terminal import complain, plain, say
from safelight.errors import OperatorError, SafelightError

_WORDS = {"added": "added", "existing": "already there", "new": "new"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a file.

    ``added`` and ``existing`` come with their photo; ``new`` is what a dry run would have sent.
    ``failed`` and ``skipped`` (what was found in a folder and is no photo) tell why. ``unsent`` is
    for those that are left after a failure which is not about one file.
    """

    file: str
    outcome: Literal["added", "existing", "new", "skipped", "failed", "unsent"]
    photo: Photo | None = None
    code: str | None = None
    reason: str | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do for it."""
        return self.outcome not in {"failed", "unsent"}

    def as_json(self) -> dict[str, Any]:
        """Give it as ``--json`` shows it."""
        error = {"code": self.code, "detail": self.reason} if self.reason else None
        return {"file": self.file, "outcome": self.outcome, "photo": self.photo, "error": error}

    def tell(self) -> None:
        """Write its line: what is done to stdout, what failed to stderr."""
        if self.outcome in _WORDS:
            number = self.photo["id"] if self.photo else ""
            say(f"{_WORDS[self.outcome]:<13}  {number:>6}  {plain(self.file)}")
        elif self.outcome in {"failed", "skipped"}:
            complain(f"{self.file}: {self.reason}")


def failed(file: Path, error: SafelightError | OSError) -> Outcome:
    """Make the outcome of a file that can't be read, or isn't taken."""
    if isinstance(error, OSError):
        reason = f"It can't be read: {error.strerror or error}."
        return Outcome(file=str(file), outcome="failed", code="unreadable", reason=reason)
    return Outcome(file=str(file), outcome="failed", code=_code(error), reason=str(error))


def unsent(file: Path, error: SafelightError) -> Outcome:
    """Make the outcome of a file that wasn't tried, for what happened to another."""
    return Outcome(file=str(file), outcome="unsent", code=_code(error), reason=str(error))


def _code(error: SafelightError) -> str:
    return "unreachable" if isinstance(error, OperatorError) else error.code
