"""Rows and objects side by side: a merge of two streams that are both in the order of names.

Neither side is ever held whole, so that memory doesn't grow with their number.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from safelight import keys
from safelight.catalog import Entry, Roll
from safelight.library.findings import Finding, Kind
from safelight.photo import Status
from safelight.storage import Stored

PAGE = 1000
"""Rows that are read at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The objects of one photo; or one object of a key that no photo can have, without a name."""

    name: str | None
    objects: tuple[Stored, ...]


async def entries(roll: Roll) -> AsyncIterator[Entry]:
    """Give every row by its name, reading page by page, each as it is at that moment."""
    after = ""
    while page := await roll.page(after=after, limit=PAGE):
        for entry in page:
            yield entry
        after = page[-1].name


async def shelves(listing: AsyncIterator[list[Stored]]) -> AsyncIterator[Shelf]:
    """Put the objects of one photo together; `listing` is of `photos/`, by the order of keys."""
    name, objects = None, list[Stored]()
    async for batch in listing:
        for each in batch:
            named = keys.photo_in(each.key)
            if named is None:
                yield Shelf(name=None, objects=(each,))
                continue
            if named != name and name is not None:
                yield Shelf(name=name, objects=tuple(objects))
                objects.clear()
            name = named
            objects.append(each)
    if name is not None:
        yield Shelf(name=name, objects=tuple(objects))


async def side_by_side(
    rows: AsyncIterator[Entry], stock: AsyncIterator[Shelf]
) -> AsyncIterator[tuple[Entry | None, Shelf | None]]:
    """Pair each row with its shelf; None stands for what isn't there."""
    entry = await anext(rows, None)
    async for shelf in stock:
        while shelf.name is not None and entry and entry.name < shelf.name:
            yield entry, None
            entry = await anext(rows, None)
        if entry and entry.name == shelf.name:
            yield entry, shelf
            entry = await anext(rows, None)
        else:
            yield None, shelf
    while entry:
        yield entry, None
        entry = await anext(rows, None)


def suspicions(entry: Entry | None, shelf: Shelf | None, *, before: datetime) -> list[Finding]:
    """Tell what seems to be wrong with a pair; both were read at different moments.

    What was written, or reserved, since `before` is never suspected. The objects of a row that is
    no photo (yet, or any more) are the sweep's business.
    """
    objects = shelf.objects if shelf else ()
    if entry is None:
        return [_unnamed(each) for each in objects if each.modified_at < before]
    if entry.status != Status.READY:
        stale = entry.status == Status.PENDING and entry.reserved_at < before
        return [_of(Kind.STALE, entry, keys.prefix(entry.name))] if stale else []
    there = {each.key: each for each in objects}
    named = entry.keys
    absent = [_absent(entry, key) for key in sorted(named - there.keys())]
    extra = [
        _unnamed(each, entry)
        for key, each in there.items()
        if key not in named and each.modified_at < before
    ]
    return [*absent, *extra, *_wrong_size(entry, there)]


def _wrong_size(entry: Entry, there: dict[str, Stored]) -> list[Finding]:
    original = there.get(keys.original(entry.name))
    if original is None or original.size == entry.size:
        return []
    detail = f"{original.size} bytes, and its row says {entry.size}"
    return [_of(Kind.DAMAGED, entry, original.key, size=original.size, detail=detail)]


def _absent(entry: Entry, key: str) -> Finding:
    is_original = key == keys.original(entry.name)
    return _of(Kind.LOST if is_original else Kind.UNDEVELOPED, entry, key)


def _unnamed(stored: Stored, entry: Entry | None = None) -> Finding:
    id_ = entry.id if entry else None
    return Finding(kind=Kind.UNNAMED, key=stored.key, photo=id_, size=stored.size)


def _of(
    kind: Kind, entry: Entry, key: str, *, size: int | None = None, detail: str = ""
) -> Finding:
    return Finding(kind=kind, key=key, photo=entry.id, size=size, detail=detail)
