"""Read the boxes of a file such as AVIF or HEIC (ISO/IEC 14496-12), and its items (23008-12)."""

import struct
from collections.abc import Iterator, Sequence
from mmap import mmap
from typing import Final

from safelight import errors

Data = bytes | mmap
Span = tuple[int, int]
"""Start and end of a box's content."""

IN_FILE, IN_IDAT = 0, 1
"""Where an item's location counts from."""

_LONG: Final = 8
_MAX_ITEMS: Final = 100_000
_MAX_BOXES: Final = 20_000


def first_of_each(data: Data, start: int, end: int) -> dict[bytes, Span]:
    """Return the content of the first box of each kind."""
    found: dict[bytes, Span] = {}
    for kind, first, last in boxes(data, start, end):
        found.setdefault(kind, (first, last))
    return found


def boxes(
    data: Data, start: int, end: int, *, complete: bool = False
) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each box, and start and end of its content.

    The last may be truncated, unless they must be `complete`. Raises CorruptImage.
    """
    for _ in range(_MAX_BOXES):
        if start + _LONG > end:
            return
        size, kind = struct.unpack_from(">I4s", data, start)
        head = _LONG
        if size == 1:
            size, head = struct.unpack_from(">Q", data, start + _LONG)[0], 2 * _LONG
        last = start + size if size else end
        if (size and size < head) or (complete and last > end):
            raise errors.CorruptImage
        yield kind, start + head, min(last, end)
        start = last


def primary_item(data: Data, start: int) -> int:
    """Return the number of the primary item (`pitm`)."""
    (item,) = struct.unpack_from(">I" if data[start] else ">H", data, start + 4)
    return int(item)


def item_properties(data: Data, meta: dict[bytes, Span], item: int) -> list[tuple[bytes, int, int]]:
    """Return the properties of an item, in the order in which it names them."""
    tables = first_of_each(data, *meta[b"iprp"])
    every = list(boxes(data, *tables[b"ipco"]))
    numbers = next(
        (found for one, found in _associations(data, *tables[b"ipma"]) if one == item), []
    )
    return [every[number - 1] for number in numbers if 0 < number <= len(every)]


def _associations(data: Data, start: int, end: int) -> Iterator[tuple[int, list[int]]]:
    """Yield each item with the numbers of its properties (`ipma`), which count from one."""
    item_form, item_size = (">I", 4) if data[start] else (">H", 2)
    wide = data[start + 3] & 1
    (entries,) = struct.unpack_from(">I", data, start + 4)
    at = start + 8
    for _ in range(min(entries, _MAX_ITEMS)):
        if at + item_size >= end:
            return
        (item,) = struct.unpack_from(item_form, data, at)
        count, at = data[at + item_size], at + item_size + 1
        form = f">{count}H" if wide else f">{count}B"
        mask = 0x7FFF if wide else 0x7F
        yield item, [number & mask for number in struct.unpack_from(form, data, at)]
        at += struct.calcsize(form)


def references(data: Data, start: int, end: int) -> Iterator[tuple[bytes, int, Sequence[int]]]:
    """Yield the references (`iref`): the kind, the item, and the items that it refers to."""
    number, width = (">I", 4) if data[start] else (">H", 2)
    for kind, at, last in boxes(data, start + 4, end):
        (source,) = struct.unpack_from(number, data, at)
        (count,) = struct.unpack_from(">H", data, at + width)
        first = at + width + 2
        if first + count * width > last:
            raise errors.CorruptImage
        yield kind, source, struct.unpack_from(f">{count}{number[1]}", data, first)


def locations(data: Data, start: int, end: int) -> Iterator[tuple[int, int, list[Span]]]:
    """Yield each item's location (`iloc`): its number, the method, and starts and lengths."""
    version, sizes = data[start], int.from_bytes(data[start + 4 : start + 6], "big")
    widths = [sizes >> shift & 15 for shift in (12, 8, 4, 0)]
    offset_size, length_size, base_size = widths[:3]
    index_size = widths[3] if version else 0
    wide = 4 if version == 2 else 2
    at = start + 6

    def number(size: int) -> int:
        nonlocal at
        if at + size > end:
            raise errors.CorruptImage
        at += size
        return int.from_bytes(data[at - size : at], "big")

    for _ in range(number(wide)):
        item = number(wide)
        method = number(2) & 15 if version else IN_FILE
        number(2)  # the file's index: other files aren't available
        base = number(base_size)
        spans = []
        for _ in range(number(2)):
            number(index_size)
            offset = number(offset_size)
            spans.append((base + offset, number(length_size)))
        yield item, method, spans
