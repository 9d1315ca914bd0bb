"""Record what the service acknowledged, to check it at the end."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum


class Fate(StrEnum):
    """What must hold for a photo at the end."""

    KEPT = "kept"
    """Acknowledged: it must exist."""
    DELETED = "deleted"
    """Its deletion was acknowledged: nothing of it may exist."""
    OPEN = "open"
    """The last call about it got no answer, or 503: it may exist or not."""


@dataclass
class Record:
    """One photo, identified by its bytes. `titles` are the titles that it may have."""

    sha256: str
    titles: set[str]
    fate: Fate = Fate.OPEN
    id: int | None = None
    url: str | None = None
    """A link to its original, from an earlier response."""
    shared: bool = False


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Ledger:
    """All photos, the outcomes of all calls, and all violations."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.violations: list[str] = []
        self.slowest = 0.0

    def record(self, data: bytes, title: str, *, shared: bool = False) -> Record:
        """Create the record of a photo, or return the one of a shared photo."""
        sha256 = digest(data)
        return self.records.setdefault(sha256, Record(sha256, {title}, shared=shared))

    def note(self, call: str, outcome: str, seconds: float = 0.0) -> None:
        """Count the outcome of a call."""
        self.outcomes[call, outcome] += 1
        self.slowest = max(self.slowest, seconds)

    def report(self, what: str) -> None:
        """Record a violation."""
        self.violations.append(what)

    def acknowledge(self, record: Record, id_: int, url: str) -> None:
        """Record that a photo was acknowledged, maybe not for the first time."""
        if record.fate is Fate.KEPT and record.id != id_:
            self.report(f"photo {record.id} was acknowledged again, as {id_}")
        record.fate, record.id, record.url = Fate.KEPT, id_, url

    def deleted(self) -> list[Record]:
        """Return the records of the photos whose deletion was acknowledged."""
        return [record for record in self.records.values() if record.fate is Fate.DELETED]

    def count(self, fate: Fate) -> int:
        """Return how many photos have a fate."""
        return sum(record.fate is fate for record in self.records.values())
