"""What a server answers who wants to send a file straight to the bucket."""

import re

import msgspec

_id = re.compile(r"[0-9A-Za-z_-]+").fullmatch


class Permit(msgspec.Struct):
    """One request that may be made of the photo store: with these headers, as they stand."""

    method: str
    url: str
    headers: dict[str, str]


class Reservation(msgspec.Struct):
    """An upload that was reserved: to be sent by `permit`, or in parts if there is none.

    All parts are of `part_size` bytes but the last.
    """

    id: str
    permit: Permit | None
    parts: int = 0
    part_size: int = 0


class _Whole(Permit):
    id: str


class _InParts(msgspec.Struct):
    id: str
    part_size: int
    parts: int


def reservation(told: object) -> Reservation:
    """Read the answer of ``POST /api/uploads``. Raises ValueError."""
    id_ = told.get("id") if isinstance(told, dict) else None
    if not isinstance(told, dict) or not isinstance(id_, str) or not _id(id_):
        raise ValueError("there is no id, or none that can be part of a path")
    if "part_size" in told:
        cut = msgspec.convert(told, _InParts)
        if cut.parts < 1 or cut.part_size < 1:
            raise ValueError("there are no parts")
        return Reservation(id=cut.id, permit=None, parts=cut.parts, part_size=cut.part_size)
    whole = msgspec.convert(told, _Whole)
    return Reservation(
        id=whole.id, permit=Permit(method=whole.method, url=whole.url, headers=whole.headers)
    )
