"""What a comparison of rows with objects finds, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class Kind(StrEnum):
    """In what way rows and objects differ."""

    LOST = "lost"
    """A photo's original is not there, and in no quarantine either. Nothing can be done here."""
    DAMAGED = "damaged"
    """A photo's original has another size than its row says, or another SHA-256."""
    DISPLACED = "displaced"
    """What a photo names is not there, but lies in quarantine: it is put back."""
    UNDEVELOPED = "undeveloped"
    """A rendition that a photo names is not there: it is made again."""
    UNNAMED = "unnamed"
    """No row names the object: it goes into quarantine."""
    EXPIRED = "expired"
    """It has been in quarantine for long enough: it is deleted for good."""
    STALE = "stale"
    """An upload was begun long ago and never ended: it is undone."""
    UNFINISHED = "unfinished"
    """An upload in parts was never ended, and no row knows it: its parts are dropped."""
    QUARANTINED = "quarantined"
    """It lies in quarantine, and an undo puts it back."""


BEYOND_REPAIR = frozenset({Kind.LOST, Kind.DAMAGED})
"""What somebody has to look after: from a backup, perhaps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One difference. `mended` is whether it was put right; `size` is bytes of the object.

    `photo` is the id of the row that it is about, None where there is none.
    """

    kind: Kind
    key: str
    photo: int | None = None
    size: int | None = None
    detail: str = ""
    mended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How far a comparison is: rows and objects seen, bytes read, findings by their kinds."""

    rows: int = 0
    objects: int = 0
    bytes: int = 0
    found: Mapping[Kind, int] = field(default_factory=dict)
    mended: Mapping[Kind, int] = field(default_factory=dict)
    done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to compare, and whether to put right what is found.

    Nothing younger than `grace` is touched. `verify` reads every original and compares its
    SHA-256. `spare_unnamed` leaves what no row names where it is, whatever `apply` says.
    """

    apply: bool = False
    verify: bool = False
    grace: timedelta = timedelta(days=1)
    spare_unnamed: bool = False

    @property
    def takes_unnamed(self) -> bool:
        """Whether what no row names goes into quarantine."""
        return self.apply and not self.spare_unnamed


class Count:
    """Counts, and gives the tally."""

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

    def tally(self, *, done: bool = False) -> Tally:
        """Tell how far it is."""
        return Tally(
            rows=self.rows,
            objects=self.objects,
            bytes=self.bytes,
            found=dict(self._found),
            mended=dict(self._mended),
            done=done,
        )
