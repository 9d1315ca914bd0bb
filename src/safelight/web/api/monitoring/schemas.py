"""The JSON schemas of a reconciliation's progress."""

import msgspec

from safelight.library.reconcile.findings import Kind


class FindingView(msgspec.Struct):
    """One discrepancy: an object's key, with the photo id and size in bytes if known."""

    kind: Kind
    key: str
    photo: int | None
    size: int | None
    detail: str
    mended: bool


class ReconcileProgressView(msgspec.Struct):
    """The progress: rows, objects and bytes read, and findings by kind."""

    rows: int
    objects: int
    bytes: int
    found: dict[Kind, int]
    mended: dict[Kind, int]
    done: bool


class ReconcileErrorView(msgspec.Struct):
    """The error that stopped the run."""

    code: str
    detail: str


class ReconcileLineView(msgspec.Struct, omit_defaults=True):
    """One line of the response: a finding, progress or an error."""

    finding: FindingView | None = None
    tally: ReconcileProgressView | None = None
    error: ReconcileErrorView | None = None
