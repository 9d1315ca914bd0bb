"""Pages of a list by keyset: each begins after the last row of the one before.

A page costs the same however far it lies from the first, and a photo that comes or goes between
two pages neither doubles a row nor hides one.
"""

import base64
import binascii
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from safelight.errors import InvalidRequest
from safelight.photo import Order

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHAPE = struct.Struct(">cqq")
_LETTERS = {Order.ADDED: b"a", Order.TAKEN: b"t"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a page begins: after the photo `id`, which the order puts at the time `at`."""

    order: Order
    at: datetime
    id: int

    def __str__(self) -> str:
        """Write it for clients, to whom it is opaque."""
        micros = (self.at - _EPOCH) // timedelta(microseconds=1)
        packed = _SHAPE.pack(_LETTERS[self.order], micros, self.id)
        return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()

    @classmethod
    def parse(cls, written: str, order: Order) -> Self:
        """Read what a client sent back. Raises InvalidRequest if it never came from us."""
        try:
            packed = base64.b64decode(written + "=" * (-len(written) % 4), b"-_", validate=True)
            letter, micros, id_ = _SHAPE.unpack(packed)
            at = _EPOCH + timedelta(microseconds=micros)
        except (binascii.Error, ValueError, struct.error, OverflowError):
            letter = b""
        if letter != _LETTERS[order]:
            raise InvalidRequest(
                "The cursor is not one of this list: take the next page's address from 'Link'."
            )
        return cls(order=order, at=at, id=id_)


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """How many photos the order puts into a month, which `begins` at its first moment in UTC.

    A page after `after` begins with the newest of them.
    """

    begins: datetime
    count: int
    after: Cursor

    @classmethod
    def of(cls, order: Order, begins: datetime, count: int) -> Self:
        """Place the cursor behind all that is newer: no id is less than 1."""
        begins = begins.astimezone(UTC)
        over = (begins + timedelta(days=31)).replace(day=1)
        return cls(begins=begins, count=count, after=Cursor(order=order, at=over, id=0))


@dataclass(frozen=True, slots=True)
class Page:
    """The states of a page's photos, as pairs of id and version, and where the next begins."""

    states: tuple[tuple[int, int], ...]
    next: Cursor | None
