"""What is told of a comparison of rows with objects, a line at a time."""

import msgspec

from safelight.library.findings import Kind


class FindingView(msgspec.Struct):
    """One difference: an object's key, and the photo and the bytes where they are known."""

    kind: Kind
    key: str
    photo: int | None
    size: int | None
    detail: str
    mended: bool


class TallyView(msgspec.Struct):
    """How far it is: rows, objects, bytes read, and findings by their kinds."""

    rows: int
    objects: int
    bytes: int
    found: dict[Kind, int]
    mended: dict[Kind, int]
    done: bool


class BrokenOffView(msgspec.Struct):
    """Why it ended before its end."""

    code: str
    detail: str


class ToldView(msgspec.Struct, omit_defaults=True):
    """A line: one of these."""

    finding: FindingView | None = None
    tally: TallyView | None = None
    error: BrokenOffView | None = None
