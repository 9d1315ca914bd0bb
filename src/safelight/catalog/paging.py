"""Keyset pagination: each page starts after the last row of the previous one.

Every page costs the same, however far from the first. A photo that is added or deleted between two
pages neither repeats nor hides another.
"""

import base64
import binascii
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Self

from safelight.errors import InvalidRequest
from safelight.models import Order

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHAPE = struct.Struct(">cqq")
Sorting = Order | Literal["trash", "album"]
"""What a page is sorted by. The trash is sorted by when the photos were trashed, and an album by
positions, which are in cursors as microseconds since 1970."""
_LETTERS: dict[Sorting, bytes] = {
    Order.ADDED: b"a",
    Order.TAKEN: b"l",
    "trash": b"d",
    "album": b"m",
}
"""Version 0.1 sorted by another time in ``order=taken``: its cursors have the letter t."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The start of a page: after the photo `id`, whose time in this order is `at`.

    That is a local time, without a time zone, in ``order=taken``.
    """

    order: Sorting
    at: datetime
    id: int

    def __str__(self) -> str:
        """Return the cursor as clients see it: opaque."""
        at = self.at if self.at.tzinfo else self.at.replace(tzinfo=UTC)
        micros = (at - _EPOCH) // timedelta(microseconds=1)
        packed = _SHAPE.pack(_LETTERS[self.order], micros, self.id)
        return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()

    @classmethod
    def parse(cls, text: str, order: Sorting) -> Self:
        """Parse a cursor that a client sent. Raises InvalidRequest if it isn't one of ours."""
        try:
            packed = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
            letter, micros, id_ = _SHAPE.unpack(packed)
            at = _EPOCH + timedelta(microseconds=micros)
        except (binascii.Error, ValueError, struct.error, OverflowError):
            letter = b""
        if letter != _LETTERS[order]:
            raise InvalidRequest(
                "This cursor is not valid here. Use the URL of the next page in the 'Link' header."
            )
        return cls(order=order, at=_in_order(order, at), id=id_)


def _in_order(order: Sorting, at: datetime) -> datetime:
    """Return a time in UTC as this order has it."""
    return at.replace(tzinfo=None if order is Order.TAKEN else UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """The number of photos of a month, which `begins` at its first moment, without a time zone.

    A page after the cursor ``str(after)`` starts with the newest of them.
    """

    begins: datetime
    count: int
    after: Cursor

    @classmethod
    def from_row(cls, order: Order, begins: datetime, count: int) -> Self:
        """Make the month, with the cursor after all newer photos: no id is less than 1."""
        try:
            end = (begins + timedelta(days=31)).replace(day=1)
        except OverflowError:  # Version 0.1 stores any date.
            end = datetime.max.replace(tzinfo=UTC)
        after = Cursor(order=order, at=_in_order(order, end), id=0)
        return cls(begins=begins, count=count, after=after)


@dataclass(frozen=True, slots=True)
class Page:
    """The ids and versions of a page's photos, and the cursor of the next page."""

    photos: tuple[tuple[int, int], ...]
    next: Cursor | None
