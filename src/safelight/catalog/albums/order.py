"""The order of an album's photos."""

from collections.abc import Collection, Sequence


def move(order: Sequence[int], ids: Sequence[int], before: int | None) -> list[int]:
    """Return an order in which the photos `ids` follow each other, before `before` or at the end.

    Those that are not in the album are left out. If `before` is one of `ids`, they come before the
    next photo that is not moved.
    """
    present = set(order)
    moved = [id_ for id_ in dict.fromkeys(ids) if id_ in present]
    is_moved = set(moved)
    rest = [id_ for id_ in order if id_ not in is_moved]
    place = len(rest) if before is None else _place(order, rest, is_moved, before)
    return [*rest[:place], *moved, *rest[place:]]


def _place(order: Sequence[int], rest: list[int], moved: Collection[int], before: int) -> int:
    """Return the index in `rest` of the first photo from `before` on that is not moved."""
    following = (id_ for id_ in order[order.index(before) :] if id_ not in moved)
    target = next(following, None)
    return len(rest) if target is None else rest.index(target)
