"""Parse the Range header of a request (RFC 9110, 14)."""

import re
from typing import Final

from safelight.errors import RangeNotSatisfiable

_SINGLE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.IGNORECASE | re.ASCII)


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the first byte of a range, and the one after the last; None for the whole file.

    Several ranges, other units and malformed headers count as none, as the standard permits.
    Raises RangeNotSatisfiable.
    """
    found = _SINGLE.fullmatch(header.strip()) if header else None
    if not found or not (found[1] or found[2]):
        return None
    if not found[1]:
        start, stop = max(0, size - int(found[2])), size
    else:
        start, stop = int(found[1]), min(size, int(found[2]) + 1 if found[2] else size)
        if found[2] and int(found[2]) < start:
            return None
    if start >= size:
        raise RangeNotSatisfiable
    return start, stop
