"""Check what a client declares of a direct upload."""

from typing import Final

from safelight.errors import EmptyFile, InvalidRequest, UnsupportedType
from safelight.imaging.formats import FORMATS
from safelight.library.spool import too_large

DEFAULT_TYPE: Final = "application/octet-stream"
"""The type of an upload whose client doesn't know it, as with files that the system has no type
for."""

_OTHER_NAMES: Final = {
    "jpeg": ("jpg", "jpe", "jfif", "pjpeg", "pjpg", "pipeg", "x-jpeg", "x-jpg", "x-citrix-jpeg"),
    "png": ("x-png", "apng", "vnd.mozilla.apng", "x-citrix-png"),
    "gif": ("x-gif", "x-citrix-gif"),
    "webp": ("x-webp",),
    "avif": ("avif-sequence", "avis", "x-avif"),
    "heic": ("heif", "heic-sequence", "heif-sequence", "x-heic", "x-heif"),
}
"""By format: other subtypes of image/ that programs use for its files, or for some of them."""
_UNKNOWN: Final = frozenset(
    {
        *("", DEFAULT_TYPE, "binary/octet-stream", "application/x-octet-stream"),
        *("application/binary", "application/unknown", "unknown/unknown", "image/*", "*/*"),
    }
)
"""Types that say nothing about the bytes."""

ACCEPTED_TYPES: Final = frozenset(
    {
        *(format_.content_type for format_ in FORMATS.values()),
        *(f"image/{name}" for names in _OTHER_NAMES.values() for name in names),
        *_UNKNOWN,
    }
)
"""The types that may be declared, in lower case. Any other is refused before the bytes are sent."""


def check_declared(size: int, content_type: str, *, limit: int) -> str:
    """Check size and type, and return the Content-Type that the client has to send.

    That is the declared type in lower case, without parameters. The signature covers it, so a
    client without a type gets one that it can send. The bytes decide what the photo is.
    """
    plain = content_type.partition(";")[0].strip().lower()
    if plain not in ACCEPTED_TYPES:
        raise UnsupportedType
    if size < 0:
        raise InvalidRequest("The size must be a number of bytes.")
    if size == 0:
        raise EmptyFile
    if size > limit:
        raise too_large(size, limit)
    return plain if "/" in plain and "*" not in plain else DEFAULT_TYPE
