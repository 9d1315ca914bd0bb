"""What an import tells: a line for each photo as it comes, and a summary at the end."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Final

from safelight.cli.outcome import Outcome
from safelight.cli.terminal import complain, say

_COUNTED: Final = {
    "added": "added",
    "existing": "already there",
    "new": "to be sent",
    "failed": "failed",
    "unsent": "not sent",
    "skipped": "left out",
}


class Report:
    """Tells what became of files; what failed, or was left out, is told at the end, with why.

    `hidden` is how many weren't even looked at. As JSON all is told at the end, in one array.
    """

    def __init__(self, *, hidden: int, as_json: bool) -> None:
        self._hidden = hidden
        self._as_json = as_json
        self._counts: Counter[str] = Counter()
        self._kept: list[Outcome] = []

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do for any of them."""
        return not self._counts["failed"] and not self._counts["unsent"]

    def take(self, outcomes: Iterable[Outcome]) -> None:
        """Tell what became of files as soon as it's known."""
        for outcome in outcomes:
            self._counts[outcome.outcome] += 1
            if self._as_json or outcome.outcome in {"failed", "skipped"}:
                self._kept.append(outcome)
            else:
                outcome.tell()

    def tell(self) -> None:
        """Tell the rest, and how many there were of each."""
        if self._as_json:
            say(json.dumps([outcome.as_json() for outcome in self._kept], indent=2))
            return
        for outcome in self._kept:
            outcome.tell()
        complain(f"{self._sum() or 'No files were found'}.")

    def tell_stopped(self, pictures: int) -> None:
        """Tell how far it came of so many pictures. As JSON nothing is: half an array is none."""
        if self._as_json:
            return
        for outcome in self._kept:
            outcome.tell()
        done = self._counts["added"] + self._counts["existing"] + self._counts["new"]
        complain(f"Stopped: {done} of {pictures} photos are done. Run it again to go on.")

    def _sum(self) -> str:
        told = [
            f"{self._counts[one]} {word}" for one, word in _COUNTED.items() if self._counts[one]
        ]
        return ", ".join([*told, *([f"{self._hidden} hidden"] if self._hidden else [])])
