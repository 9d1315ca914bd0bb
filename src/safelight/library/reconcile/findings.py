"""The results of comparing rows with objects, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class Kind(StrEnum):
    """How rows and objects differ. The values are public."""

    LOST = "lost"
    """A photo's original is missing, and is not in quarantine. It can't be repaired."""
    DAMAGED = "damaged"
    """A photo's original differs from its row in size or SHA-256. It can't be repaired."""
    DISPLACED = "displaced"
    """An object that a row names is missing, but is in quarantine. Repair: it is put back."""
    MISSING_RENDITION = "undeveloped"
    """A rendition that a row names is missing. Repair: a job makes it again."""
    ORPHAN = "unnamed"
    """No row names the object. Repair: it is moved into quarantine."""
    EXPIRED = "expired"
    """An object has been in quarantine for long enough. Repair: it is deleted."""
    STALE = "stale"
    """An upload began long ago and never ended. The sweep undoes it."""
    UNFINISHED = "unfinished"
    """A multipart upload to the store has no row. Repair: it is aborted."""
    MISCOUNTED = "miscounted"
    """A month's count differs from its number of photos. Repair: the count is corrected."""
    QUARANTINED = "quarantined"
    """An object is in quarantine. An undo puts it back."""


UNREPAIRABLE = frozenset({Kind.LOST, Kind.DAMAGED})
"""An operator has to handle these, for example with a backup."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One difference. `size` is the object's, in bytes; `mended` is whether it was repaired.

    `photo` is the id of the row, None if there is none. A count has no key.
    """

    kind: Kind
    key: str
    photo: int | None = None
    size: int | None = None
    detail: str = ""
    mended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The progress of a comparison: rows and objects seen, bytes read, findings by kind."""

    rows: int = 0
    objects: int = 0
    bytes: int = 0
    found: Mapping[Kind, int] = field(default_factory=dict)
    mended: Mapping[Kind, int] = field(default_factory=dict)
    done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileOptions:
    """How to compare, and whether to repair.

    Nothing younger than `grace` is touched. `verify` reads every original and compares its
    SHA-256. `keep_orphans` leaves orphans in place even with `apply`.
    """

    apply: bool = False
    verify: bool = False
    grace: timedelta = timedelta(days=1)
    keep_orphans: bool = False

    @property
    def moves_orphans(self) -> bool:
        """Whether orphans are moved into quarantine."""
        return self.apply and not self.keep_orphans


class ProgressCounter:
    """Counts what a comparison has seen and found."""

    def __init__(self) -> None:
        self.rows = 0
        self.objects = 0
        self.bytes = 0
        self._found: dict[Kind, int] = {}
        self._mended: dict[Kind, int] = {}

    def add(self, finding: Finding) -> None:
        """Count a finding."""
        self._found[finding.kind] = self._found.get(finding.kind, 0) + 1
        if finding.mended:
            self._mended[finding.kind] = self._mended.get(finding.kind, 0) + 1

    def progress(self, *, done: bool = False) -> Progress:
        """Return the counts so far."""
        return Progress(
            rows=self.rows,
            objects=self.objects,
            bytes=self.bytes,
            found=dict(self._found),
            mended=dict(self._mended),
            done=done,
        )
