"""Read the header of an AVIF or HEIC: the sizes of its items (ISO/IEC 14496-12 and 23008-12)."""

import struct
from collections.abc import Iterator
from typing import Final

from safelight import errors
from safelight.imaging.headers.isobmff import (
    IN_FILE,
    IN_IDAT,
    Data,
    Span,
    boxes,
    first_of_each,
    locations,
    primary_item,
    references,
)
from safelight.imaging.limits import Header

_Spans = list[Span]

_SLACK: Final = 16
"""Some programs write the last length a few bytes too large, and every decoder accepts that. If
more is missing, the file was truncated."""
_MAX_NAMES: Final = 1_000
_NOT_PIXELS: Final = frozenset({b"Exif", b"mime", b"uri "})


def read_header(data: Data) -> Header:
    """Return the largest size that any item claims.

    A grid states its size twice, in its properties and in its data, and both count: a few bytes of
    it can request gigabytes. The bytes of every item with pixels must lie within the file; only
    items that are not shown (another image, a thumbnail) may lack `_SLACK` bytes. The size as
    displayed comes from the decoder, which crops and rotates. Raises CorruptImage.
    """
    try:
        return _read(data)
    except (IndexError, KeyError, struct.error) as error:
        raise errors.CorruptImage from error


def _read(data: Data) -> Header:
    top = first_of_each(data, 0, len(data))
    meta = first_of_each(data, top[b"meta"][0] + 4, top[b"meta"][1])
    properties = first_of_each(data, *meta[b"iprp"])[b"ipco"]
    sizes = [
        struct.unpack_from(">II", data, start + 4)
        for kind, start, _ in boxes(data, *properties)
        if kind == b"ispe"
    ]
    kinds = _item_kinds(data, *meta[b"iinf"])
    shown = _shown_items(data, meta)
    for item, method, spans in locations(data, *meta[b"iloc"]):
        kind = kinds.get(item, b"")
        if kind in _NOT_PIXELS or method not in {IN_FILE, IN_IDAT}:
            continue
        first, last = (0, len(data)) if method == IN_FILE else meta[b"idat"]
        last += 0 if item in shown else _SLACK
        if any(first + start + length > last for start, length in spans):
            raise errors.CorruptImage
        if kind == b"grid" and spans:
            sizes.append(_grid_size(data, first + spans[0][0]))
    if not sizes:
        raise errors.CorruptImage
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return Header(width=width, height=height)


def metadata_items(data: Data, kind: bytes, content_type: bytes = b"") -> Iterator[_Spans]:
    """Yield start and end of the pieces of each item of a kind, and of a type if it is `mime`.

    Raises CorruptImage, IndexError, KeyError or struct.error for a malformed file.
    """
    top = first_of_each(data, 0, len(data))
    meta = first_of_each(data, top[b"meta"][0] + 4, top[b"meta"][1])
    kinds = _item_kinds(data, *meta[b"iinf"])
    types = _content_types(data, *meta[b"iinf"]) if content_type else {}
    for item, method, spans in locations(data, *meta[b"iloc"]):
        if kinds.get(item) != kind or method not in {IN_FILE, IN_IDAT}:
            continue
        if content_type and types.get(item) != content_type:
            continue
        first, last = (0, len(data)) if method == IN_FILE else meta[b"idat"]
        yield [
            (first + start, min(first + start + length, last) if length else last)
            for start, length in spans
        ]


def _shown_items(data: Data, meta: dict[bytes, Span]) -> set[int]:
    """Return the items that make up the image shown.

    These are the primary item (`pitm`), those it is derived from, and its auxiliaries (alpha).
    """
    parts: dict[int, list[int]] = {}
    for kind, source, targets in references(data, *meta.get(b"iref", (0, 0))):
        for target in targets:
            if kind == b"dimg":
                parts.setdefault(source, []).append(target)
            elif kind == b"auxl":
                parts.setdefault(target, []).append(source)
    shown, found = set[int](), [primary_item(data, meta[b"pitm"][0])]
    while found:
        item = found.pop()
        if item not in shown:
            shown.add(item)
            found += parts.get(item, ())
    return shown


def _grid_size(data: Data, at: int) -> tuple[int, int]:
    """Return the size of a grid's output."""
    sides: tuple[int, int] = struct.unpack_from(">II" if data[at + 1] & 1 else ">HH", data, at + 4)
    return sides


def _item_kinds(data: Data, start: int, end: int) -> dict[int, bytes]:
    """Return the kind of each item (`iinf`)."""
    kinds = {}
    for kind, at, _ in boxes(data, start + (6 if data[start] == 0 else 8), end):
        if kind == b"infe" and data[at] >= 2:
            item, _, item_kind = struct.unpack_from(
                ">HH4s" if data[at] == 2 else ">IH4s", data, at + 4
            )
            kinds[item] = item_kind
    return kinds


def _content_types(data: Data, start: int, end: int) -> dict[int, bytes]:
    """Return the content type of each `mime` item (`iinf`)."""
    types = {}
    for kind, at, last in boxes(data, start + (6 if data[start] == 0 else 8), end):
        if kind == b"infe" and data[at] >= 2:
            width = 2 if data[at] == 2 else 4
            names = bytes(data[at + 10 + width : min(last, at + _MAX_NAMES)]).split(b"\0")
            if len(names) > 1:
                types[int.from_bytes(data[at + 4 : at + 4 + width], "big")] = names[1]
    return types
