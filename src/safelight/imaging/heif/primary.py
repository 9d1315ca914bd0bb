"""Find the primary item of an AVIF or HEIC, and have decoders show it (ISO/IEC 23008-12, 6.4)."""

import math
import struct

from safelight import errors
from safelight.imaging.headers.isobmff import Data, Span, boxes, first_of_each, primary_item
from safelight.imaging.heif.sequence import without_sequence_brands

_MAX_ITEMS = 20_000


def show_primary(data: Data) -> Data:
    """Return the file, changed if necessary so that decoders show its primary item.

    They count an item that is the thumbnail of another one as no image of its own, and would show
    the other one. So the reference is renamed. If the primary item is the larger one, the reference
    contradicts it; then the other one is shown, as decoders do. Raises CorruptImage.
    """
    data = without_sequence_brands(data)
    try:
        return _with_primary(data)
    except (IndexError, KeyError, struct.error) as error:
        raise errors.CorruptImage from error


def _with_primary(data: Data) -> Data:
    file = first_of_each(data, 0, len(data))
    meta = first_of_each(data, file[b"meta"][0] + 4, file[b"meta"][1])
    if b"iref" not in meta:
        return data
    primary, (start, end) = primary_item(data, meta[b"pitm"][0]), meta[b"iref"]
    number = ">I" if data[start] else ">H"
    for kind, at, _ in boxes(data, start + 4, end):
        if kind != b"thmb" or struct.unpack_from(number, data, at) != (primary,):
            continue
        (other,) = struct.unpack_from(number, data, at + struct.calcsize(number) + 2)
        pixels = _item_pixels(data, first_of_each(data, *meta[b"iprp"]))
        if pixels.get(primary, 0) < pixels.get(other, 0):
            return _overwrite(data, at - 4, b"skip")
        place = meta[b"pitm"][0]
        return _overwrite(data, place + 4, struct.pack(">I" if data[place] else ">H", other))
    return data


def _item_pixels(data: Data, properties: dict[bytes, Span]) -> dict[int, int]:
    """Return the pixels of each item, by its size among the properties (`ispe`)."""
    sizes = [
        math.prod(struct.unpack_from(">II", data, start + 4)) if kind == b"ispe" else 0
        for kind, start, _ in boxes(data, *properties[b"ipco"])
    ]
    start, _ = properties[b"ipma"]
    number = ">IB" if data[start] else ">HB"
    is_wide = data[start + 3] & 1
    (entries,) = struct.unpack_from(">I", data, start + 4)
    at, found = start + 8, dict[int, int]()
    for _ in range(min(entries, _MAX_ITEMS)):
        item, count = struct.unpack_from(number, data, at)
        at += struct.calcsize(number)
        used = struct.unpack_from(f">{count}{'H' if is_wide else 'B'}", data, at)
        at += count << is_wide
        places = (each & (0x7FFF if is_wide else 0x7F) for each in used)
        found[item] = max((sizes[place - 1] for place in places if place), default=0)
    return found


def _overwrite(data: Data, at: int, new: bytes) -> bytes:
    return b"".join((data[:at], new, data[at + len(new) :]))
