"""Read the header of an AVIF or HEIC: the sizes of its items (ISO/IEC 14496-12 and 23008-12)."""

import struct
from collections.abc import Container, Iterator
from graphlib import CycleError, TopologicalSorter
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
from safelight.imaging.headers.other_formats import unsupported
from safelight.imaging.heif.coded import has_long_lengths, is_coded
from safelight.imaging.heif.sequence import is_sequence, read_frames
from safelight.imaging.limits import Header

_Spans = list[Span]

_SLACK: Final = 16
"""Some programs write the last length a few bytes too large, and every decoder accepts that. If
more is missing, the file was truncated."""
_MAX_ITEMS: Final = 1_000
"""Tiles, thumbnails and others: the limit of libheif, by which the decoder of HEIC abides. One of
200 megapixels in tiles of 512 by 512 pixels has 800."""
_FEWER_TILES: Final = f"At most {_MAX_ITEMS:,} are supported. Export it as JPEG and upload that."
_MAX_NAMES: Final = 1_000
_NOT_PIXELS: Final = frozenset({b"Exif", b"mime", b"uri "})
_NO_STILL: Final = "sequence without a still picture"
_EXPORT_STILL: Final = "Export its first picture as JPEG and upload that."
_CHROMA: Final = (1.5, 2.0, 3.0)
"""Samples of a pixel, by how much of the colours is stored: a quarter, a half, or all."""


def read_header(data: Data) -> Header:
    """Return the largest size that any item claims.

    A grid states its size twice, in its properties and in its data, and both count: a few bytes of
    it can request gigabytes. The bytes of every item with pixels must lie within the file; only
    items that are not shown (another image, a thumbnail) may lack `_SLACK` bytes. The size as
    displayed comes from the decoder, which crops and rotates. The frames of an AVIF sequence are
    counted; the picture is its primary item. Raises CorruptImage, also for images that are derived
    from themselves, and UnsupportedType for a sequence without a primary item.
    """
    try:
        return _read(data)
    except (IndexError, KeyError, struct.error) as error:
        raise errors.CorruptImage from error


def _read(data: Data) -> Header:
    top = first_of_each(data, 0, len(data))
    meta = first_of_each(data, top[b"meta"][0] + 4, top[b"meta"][1]) if b"meta" in top else {}
    if is_sequence(data) and b"pitm" not in meta:
        name = "AVIF" if data[8:12] == b"avis" else "HEIC"
        raise errors.UnsupportedType(unsupported(f"{name} {_NO_STILL}", _EXPORT_STILL))
    if (count := _count(data, meta[b"iinf"][0])) > _MAX_ITEMS:
        raise errors.UnsupportedType(unsupported(f"a photo in {count:,} parts", _FEWER_TILES))
    properties = first_of_each(data, *meta[b"iprp"])[b"ipco"]
    sizes = [
        struct.unpack_from(">II", data, start + 4)
        for kind, start, _ in boxes(data, *properties)
        if kind == b"ispe"
    ]
    kinds = _item_kinds(data, *meta[b"iinf"])
    shown = _shown_items(data, meta, kinds)
    long_lengths = has_long_lengths(data, properties)
    for item, method, spans in locations(data, *meta[b"iloc"]):
        kind = kinds.get(item, b"")
        if kind in _NOT_PIXELS or method not in {IN_FILE, IN_IDAT}:
            continue
        first, last = (0, len(data)) if method == IN_FILE else meta[b"idat"]
        last += 0 if item in shown else _SLACK
        if any(first + start + length > last for start, length in spans):
            raise errors.CorruptImage
        if item in shown and spans:
            at, length = first + spans[0][0], spans[0][1]
            if not is_coded(data, kind, at, length, long_lengths=long_lengths):
                raise errors.CorruptImage
        if kind == b"grid" and spans:
            sizes.append(_grid_size(data, first + spans[0][0]))
    if not sizes:
        raise errors.CorruptImage
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    samples, depth = _largest_samples(data, *properties)
    frames, duration = read_frames(data, top)
    return Header(
        width=width,
        height=height,
        frames=frames,
        duration=duration,
        samples=samples + (len(shown) > 1 and b"auxl" in data[slice(*meta[b"iref"])]),
        depth=depth,
        tiles=any(kinds.get(item) == b"grid" for item in shown),
    )


def _largest_samples(data: Data, start: int, end: int) -> tuple[float, int]:
    """Return the most samples of a pixel that a decoder's configuration states, and their bits."""
    found = [(1.5, 8)]
    for kind, at, last in boxes(data, start, end):
        if kind == b"av1C" and last - at > 2:  # AV1-ISOBMFF, 2.3.3
            found.append(
                (_CHROMA[2 - (data[at + 2] >> 2 & 3).bit_count()], 8 + (data[at + 2] >> 5 & 2))
            )
        if kind == b"hvcC" and last - at > 17:  # ISO/IEC 14496-15, 8.3.2.1
            found.append((_CHROMA[max(data[at + 16] & 3, 1) - 1], 8 + (data[at + 17] & 7)))
    return max(samples for samples, _ in found), max(depth for _, depth in found)


def item_count(data: Data) -> int:
    """Return how many items a file that `read_header` has accepted claims to have."""
    meta = first_of_each(data, 0, len(data))[b"meta"]
    return _count(data, first_of_each(data, meta[0] + 4, meta[1])[b"iinf"][0])


def _count(data: Data, start: int) -> int:
    """Return the number of entries that `iinf` claims."""
    return int.from_bytes(data[start + 4 : start + (6 if data[start] == 0 else 8)], "big")


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


def _shown_items(data: Data, meta: dict[bytes, Span], kinds: Container[int]) -> set[int]:
    """Return the items that make up the image shown.

    These are the primary item (`pitm`), those it is derived from, and its auxiliaries (alpha).
    """
    primary = primary_item(data, meta[b"pitm"][0])
    if primary not in kinds:
        raise errors.CorruptImage
    derived: dict[int, set[int]] = {}
    parts: dict[int, set[int]] = {}
    for kind, source, targets in references(data, *meta.get(b"iref", (0, 0))):
        if kind == b"dimg":
            derived.setdefault(source, set()).update(targets)
            parts.setdefault(source, set()).update(targets)
        elif kind == b"auxl":
            for target in targets:
                parts.setdefault(target, set()).add(source)
    _check_derivations(derived)
    shown, found = set[int](), [primary]
    while found:
        item = found.pop()
        if item not in shown:
            shown.add(item)
            found += parts.get(item, ())
    return shown


def _check_derivations(derived: dict[int, set[int]]) -> None:
    """Raise CorruptImage if an image is derived from itself, in any number of steps."""
    try:
        TopologicalSorter(derived).prepare()
    except CycleError as error:
        raise errors.CorruptImage from error


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
