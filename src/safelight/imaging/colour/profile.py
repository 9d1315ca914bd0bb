"""Read the codes in an ICC profile for PQ or HLG (ICC.1:2022, 9.2.17, cicpTag)."""

import struct
from typing import Final

from safelight.imaging.colour.description import ColourDescription, from_still_codes

_TAG: Final = struct.Struct(">4sII")
_COUNT_AT, _TAGS_AT, _MAX_TAGS = 128, 132, 100
_SPACE_AT, _SIGNATURE_AT = 16, 36
_CODES_AT: Final = 8
MAX_PROFILE: Final = 1 << 20
"""The bytes of a profile that are searched for its codes."""


def high_range_of(profile: bytes) -> ColourDescription | None:
    """Return what the codes of a profile mean, if that is PQ or HLG; otherwise None.

    Such a profile has curves and tables as well, for programs that don't know the codes, but these
    map no tones. Those of any other profile say the same as its codes.
    """
    try:
        codes = _read_codes(profile)
    except struct.error:
        return None
    if codes is None or codes[2:] != (0, 1):
        return None
    description = from_still_codes(*codes[:2])
    return description if description and description.has_high_range else None


def _read_codes(profile: bytes) -> tuple[int, int, int, int] | None:
    """Return primaries, transfer, matrix and full range, of a profile of RGB."""
    if profile[_SPACE_AT : _SPACE_AT + 4] != b"RGB " or not is_profile(profile):
        return None
    (count,) = struct.unpack_from(">I", profile, _COUNT_AT)
    for number in range(min(count, _MAX_TAGS)):
        name, start, _ = _TAG.unpack_from(profile, _TAGS_AT + _TAG.size * number)
        if name == b"cicp":
            codes: tuple[int, int, int, int] = struct.unpack_from(">4B", profile, start + _CODES_AT)
            return codes
    return None


def is_profile(head: bytes) -> bool:
    """Whether these are the first bytes of an ICC profile."""
    return head[_SIGNATURE_AT : _SIGNATURE_AT + 4] == b"acsp"
