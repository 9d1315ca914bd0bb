"""Record what the service acknowledged, to check it at the end."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum


class Fate(StrEnum):
    """What must hold for a photo at the end."""

    KEPT = "kept"
    """Acknowledged: it must exist."""
    TRASHED = "trashed"
    """Acknowledged to be in the trash: it must be there, and be restorable."""
    STORED = "stored"
    """The last call that trashes or restores it got no answer: it must be in a list, or there."""
    DELETED = "deleted"
    """Its deletion was acknowledged: nothing of it may exist."""
    OPEN = "open"
    """The last call about it got no answer, or 503: it may exist or not."""


EXISTING = (Fate.KEPT, Fate.TRASHED, Fate.STORED)


@dataclass
class Record:
    """One photo, identified by its bytes. `titles` are the titles that it may have."""

    sha256: str
    titles: set[str]
    turns: set[int] = field(default_factory=lambda: {0})
    """The turns that it may have, in degrees."""
    fate: Fate = Fate.OPEN
    id: int | None = None
    links: set[str] = field(default_factory=set)
    """Links from earlier responses, since the links were last revoked."""
    dead: set[str] = field(default_factory=set)
    """Links from before an acknowledged revocation: once no job is left, none may work."""
    moves: bool = False
    """Whether its links were revoked at all, so that one may die between two calls."""
    data: bytes = b""
    shared: bool = False

    def revoke(self) -> None:
        """Record that a revocation of its links, or its trashing, was acknowledged."""
        self.dead |= self.links
        self.links = set()


@dataclass
class Album:
    """One album, by the ids of its photos."""

    id: int
    members: list[int]
    """Those acknowledged to be in it, in this order."""
    maybe: set[int] = field(default_factory=set)
    """Those whose last call about the album got no answer."""
    unplaced: set[int] = field(default_factory=set)
    """Members of which it isn't known where they are in the order."""
    fate: Fate = Fate.KEPT


class Gate:
    """Lets a call that empties the trash wait for the others about the trash, and these for it."""

    def __init__(self) -> None:
        self._condition = asyncio.Condition()
        self._users = 0
        self._is_closed = False

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Keep the trash from being emptied."""
        async with self._condition:
            await self._condition.wait_for(lambda: not self._is_closed)
            self._users += 1
        try:
            yield
        finally:
            async with self._condition:
                self._users -= 1
                self._condition.notify_all()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Wait until all others are done, and keep them out."""
        async with self._condition:
            await self._condition.wait_for(lambda: not self._is_closed)
            self._is_closed = True
            await self._condition.wait_for(lambda: not self._users)
        try:
            yield
        finally:
            async with self._condition:
                self._is_closed = False
                self._condition.notify_all()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Ledger:
    """All photos, the outcomes of all calls, and all violations."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.albums: list[Album] = []
        self.trash = Gate()
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.violations: list[str] = []
        self.slowest = 0.0

    def record(self, data: bytes, title: str, *, shared: bool = False) -> Record:
        """Create the record of a photo, or return the one of a shared photo."""
        sha256 = digest(data)
        return self.records.setdefault(sha256, Record(sha256, {title}, data=data, shared=shared))

    def note(self, call: str, outcome: str, seconds: float = 0.0) -> None:
        """Count the outcome of a call."""
        self.outcomes[call, outcome] += 1
        self.slowest = max(self.slowest, seconds)

    def report(self, what: str) -> None:
        """Record a violation."""
        self.violations.append(what)

    def acknowledge(self, record: Record, id_: int, url: str) -> None:
        """Record that a photo was acknowledged, maybe not for the first time."""
        if record.fate in EXISTING and record.id != id_:
            self.report(f"photo {record.id} was acknowledged again, as {id_}")
        record.fate, record.id = Fate.KEPT, id_
        record.links |= {url} - {""}

    def deleted(self) -> list[Record]:
        """Return the records of the photos whose deletion was acknowledged."""
        return [record for record in self.records.values() if record.fate is Fate.DELETED]

    def count(self, fate: Fate) -> int:
        """Return how many photos have a fate."""
        return sum(record.fate is fate for record in self.records.values())
