"""Check what a client declares of a direct upload."""

from typing import Final

from safelight.errors import EmptyFile, InvalidRequest, UnsupportedType
from safelight.imaging.formats import FORMATS
from safelight.library.spool import too_large

ACCEPTED_TYPES: Final = frozenset(
    {*(format_.content_type for format_ in FORMATS.values()), "image/jpg", "image/heif"}
)
"""The types that may be declared. The last two are used by some clients for JPEG and HEIC."""


def check_declared(size: int, content_type: str, *, limit: int) -> str:
    """Check size and type, and return the type in lower case, without parameters."""
    plain = content_type.partition(";")[0].strip().lower()
    if plain not in ACCEPTED_TYPES:
        raise UnsupportedType
    if size < 0:
        raise InvalidRequest("The size must be a number of bytes.")
    if size == 0:
        raise EmptyFile
    if size > limit:
        raise too_large(size, limit)
    return plain
