"""Read the colour description of a PNG (third edition, 4.3 and 11.3.2)."""

import struct
import zlib
from mmap import mmap
from typing import Final

from safelight.imaging.colour.description import (
    ColourDescription,
    Primaries,
    from_gamma,
    from_still_codes,
)
from safelight.imaging.colour.profile import MAX_PROFILE, high_range_of, is_profile
from safelight.imaging.headers.png import chunks

_Data = bytes | mmap
_LENGTHS: Final = {b"cICP": 4, b"sRGB": 1, b"gAMA": 4, b"cHRM": 32, b"cLLI": 8, b"mDCV": 24}
_LAST_INTENT: Final = 3
_UNIT: Final = 100_000
"""Of gAMA and cHRM."""
_LUMINANCE_UNIT: Final = 10_000


def read_colour(data: _Data) -> ColourDescription | None:
    """Return what cICP, gAMA and cHRM say; None if a profile or sRGB applies, or nothing.

    In the order of precedence: cICP, iCCP, sRGB, and gAMA with cHRM. As in browsers, cHRM alone
    says nothing. The profile in iCCP may have codes of its own, for PQ and HLG. A chunk that is
    damaged, late, repeated or has impossible values is ignored. `data` may end before the pixels.
    """
    found = _read_chunks(data)
    profile = _inflate(found.get(b"iCCP", b""))
    if description := _from_codes(found):
        is_redundant = description.is_srgb and not profile
        return None if is_redundant else description.with_peak(_peak(found))
    if profile:
        description = high_range_of(profile)
        return description.with_peak(_peak(found)) if description else None
    if found.get(b"sRGB", b"\xff")[0] <= _LAST_INTENT or b"gAMA" not in found:
        return None
    gamma = int.from_bytes(found[b"gAMA"], "big") / _UNIT
    if b"cHRM" not in found:
        return from_gamma(gamma, None)
    primaries = _primaries(found[b"cHRM"])
    return from_gamma(gamma, primaries) if primaries else None


def _read_chunks(data: _Data) -> dict[bytes, bytes]:
    """Return the content of the first chunk of each kind that is about colour."""
    found: dict[bytes, bytes] = {}
    has_palette = False
    for kind, start, end in chunks(data):
        if kind == b"IDAT":
            break
        has_palette = has_palette or kind == b"PLTE"
        if kind in found or (kind == b"cICP" and has_palette):
            continue
        if kind != b"iCCP" and end - start != _LENGTHS.get(kind):
            continue
        if zlib.crc32(data[start - 4 : end]) == int.from_bytes(data[end : end + 4], "big"):
            found[kind] = data[start : min(end, start + MAX_PROFILE)]
    return found


def _from_codes(found: dict[bytes, bytes]) -> ColourDescription | None:
    """Return what cICP says, in RGB of the full range: nothing else is supported."""
    primaries, transfer, matrix, full_range = found.get(b"cICP", bytes(4))
    if matrix != 0 or full_range != 1:
        return None
    return from_still_codes(primaries, transfer)


def _peak(found: dict[bytes, bytes]) -> float:
    """Return the luminance of the brightest pixel, or else that of the display; 0 if unknown."""
    (brightest,) = struct.unpack_from(">I", found.get(b"cLLI", bytes(8)))
    (display,) = struct.unpack_from(">I", found.get(b"mDCV", bytes(24)), 16)
    return float((brightest or display) / _LUMINANCE_UNIT)


def _primaries(content: bytes) -> Primaries | None:
    """Return the chromaticities of cHRM: white, red, green, blue. None if one is impossible."""
    numbers = [number / _UNIT for number in struct.unpack(">8I", content)]
    white, red, green, blue = zip(numbers[::2], numbers[1::2], strict=True)
    if max(numbers) > 1 or white[1] == 0:
        return None
    return Primaries(red=red, green=green, blue=blue, white=white)


def _inflate(content: bytes) -> bytes:
    """Return the profile in an iCCP chunk; empty if there is none."""
    start = content.find(b"\0") + 2
    try:
        profile = zlib.decompressobj().decompress(content[start:], MAX_PROFILE)
    except zlib.error:
        return b""
    return profile if is_profile(profile) else b""
