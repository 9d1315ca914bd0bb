"""Read the track of an AVIF or HEIC sequence (ISO/IEC 14496-12, 8; 23008-12, 7).

Safelight accepts such a file as the still picture in it, its primary item. Browsers play an AVIF
sequence, so its frames and their duration are read. No frame is decoded.
"""

import re
import struct
from datetime import timedelta
from typing import Final

from safelight import errors
from safelight.imaging.headers.animation import MAX_DURATION, duration_of
from safelight.imaging.headers.isobmff import Data, Span, boxes, first_of_each

_BRANDS: Final = frozenset({b"avis", b"hevc", b"hevx", b"hevm", b"hevs", b"msf1"})
_SEQUENCE: Final = re.compile(rb"avis|hev[cxms]|msf1")
_GENERAL: Final = b"mif1"
_STILL: Final = frozenset({b"avif"})
_MAX_TRACKS: Final = 100
_MAX_FRAMES: Final = 100_000


def is_sequence(data: Data) -> bool:
    """Whether the file is a sequence in the first place, by its major brand."""
    return data[8:12] in _BRANDS


def without_sequence_brands(data: Data) -> Data:
    """Return the file with general brands if it has those of sequences alone.

    libheif looks for no still picture in such a file.
    """
    end = int.from_bytes(data[:4], "big")
    brands = data[8:end]
    if not is_sequence(data) or _GENERAL in brands:
        return data
    return b"".join((data[:8], _SEQUENCE.sub(_GENERAL, brands), data[end:]))


def read_frames(data: Data, top: dict[bytes, Span]) -> tuple[int, timedelta | None]:
    """Return how many frames browsers play, and for how long.

    `top` are the file's boxes. Browsers show the still picture of a file with the major brand
    `avif`, and play the first track of AV1 images otherwise. Raises CorruptImage, also if a
    sequence is truncated.
    """
    if is_sequence(data):
        for _ in boxes(data, 0, len(data), complete=True):
            pass
    if b"moov" not in top or data[8:12] in _STILL:
        return 1, None
    tracks = [(start, end) for kind, start, end in boxes(data, *top[b"moov"]) if kind == b"trak"]
    for track in tracks[:_MAX_TRACKS]:
        inside = first_of_each(data, *track)
        if b"tref" in inside and b"auxl" in first_of_each(data, *inside[b"tref"]):
            continue
        media = first_of_each(data, *inside[b"mdia"])
        table = _inside(data, _inside(data, media, b"minf"), b"stbl")
        if b"av01" in first_of_each(data, table[b"stsd"][0] + 8, table[b"stsd"][1]):
            (frames,) = struct.unpack_from(">I", data, table[b"stsz"][0] + 8)
            return max(frames, 1), _duration(data, media[b"mdhd"], table[b"stts"], frames)
    return 1, None


def _inside(data: Data, outer: dict[bytes, Span], kind: bytes) -> dict[bytes, Span]:
    return first_of_each(data, *outer[kind])


def _duration(data: Data, header: Span, times: Span, frames: int) -> timedelta | None:
    """Return the duration of all frames, by the table of their delays (`stts`)."""
    (scale,) = struct.unpack_from(">I", data, header[0] + (20 if data[header[0]] else 12))
    start, end = times[0] + 8, times[1]
    if not scale or frames < 2:
        return None
    (entries,) = struct.unpack_from(">I", data, start - 4)
    if start + 8 * entries > end:
        raise errors.CorruptImage
    total = timedelta(0)
    for count, delta in struct.iter_unpack(">II", data[start : start + 8 * entries]):
        each = duration_of([min(timedelta(seconds=delta / scale), MAX_DURATION)])
        total = min(total + each * min(count, frames, _MAX_FRAMES), MAX_DURATION)
        frames -= min(count, frames)
    return total
