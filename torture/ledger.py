"""What the service acknowledged, and what it never answered: the truth it is held to."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum


class Fate(StrEnum):
    """What has to be true of a photo in the end."""

    KEPT = "kept"
    """Acknowledged: it must be there."""
    GONE = "gone"
    """Its deletion was acknowledged: nothing of it may be there."""
    OPEN = "open"
    """The last call about it got no answer, or 503: it may be there or not."""


@dataclass
class Record:
    """One photo, by its bytes, which no other has. `titles` are those that it may have."""

    sha256: str
    titles: set[str]
    fate: Fate = Fate.OPEN
    id: int | None = None
    url: str | None = None
    """A link to its original, as it was once given out."""
    shared: bool = False


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Ledger:
    """All photos, all outcomes of calls, and whatever was not as it must be."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.wrong: list[str] = []
        self.slowest = 0.0

    def record(self, data: bytes, title: str, *, shared: bool = False) -> Record:
        """Begin the record of a photo, or find it if it is shared."""
        sha256 = digest(data)
        return self.records.setdefault(sha256, Record(sha256, {title}, shared=shared))

    def note(self, call: str, outcome: str, seconds: float = 0.0) -> None:
        """Count what came of a call."""
        self.outcomes[call, outcome] += 1
        self.slowest = max(self.slowest, seconds)

    def accuse(self, what: str) -> None:
        """Note something that may not be."""
        self.wrong.append(what)

    def acknowledged(self, record: Record, id_: int, url: str) -> None:
        """A photo was acknowledged, perhaps not for the first time."""
        if record.fate is Fate.KEPT and record.id != id_:
            self.accuse(f"photo {record.id} was acknowledged again, as {id_}")
        record.fate, record.id, record.url = Fate.KEPT, id_, url

    def gone(self) -> list[Record]:
        """List those whose deletion was acknowledged."""
        return [record for record in self.records.values() if record.fate is Fate.GONE]

    def count(self, fate: Fate) -> int:
        """Tell how many photos are to have a fate."""
        return sum(record.fate is fate for record in self.records.values())
