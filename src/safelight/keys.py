"""The keys of objects in the bucket: made of random names, never of anything a user sent.

A name is 128 random bits as 32 characters of lower-case hex: an alphabet that URLs, file systems
and stores which fold case leave alone, and `int(name, 16)` gives the bits back.

::

    photos/<name>/original      the photo's own bytes
    photos/<name>/<digest>      a rendition, by the digest of the preset that made it
    incoming/<name>             what a client uploads by itself, until it is checked
    quarantine/<date>/<key>     what no row named on that day (UTC), under its key

Every function here raises ValueError for a name that is none, so that a key can't be made from
user input by mistake. Those that read keys, which may be anybody's, give None instead.
"""

import re
import secrets
from datetime import date
from typing import Final

PHOTOS: Final = "photos/"
INCOMING: Final = "incoming/"
QUARANTINE: Final = "quarantine/"

_NAME = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"[0-9a-f]{16,64}")
_PHOTO = re.compile(r"photos/([0-9a-f]{32})/(?:original|[0-9a-f]{16,64})")
_INCOMING = re.compile(r"incoming/([0-9a-f]{32})")
_QUARANTINED = re.compile(r"quarantine/([0-9]{4}-[0-9]{2}-[0-9]{2})/(.+)", re.DOTALL)


def new_name() -> str:
    """Make a name that was never used: 128 bits from the system's random source."""
    return secrets.token_hex(16)


def prefix(name: str) -> str:
    """Name the folder of everything kept of one photo, with its slash at the end."""
    return f"photos/{_checked(name)}/"


def original(name: str) -> str:
    """Name the photo's own bytes."""
    return f"{prefix(name)}original"


def rendition(name: str, digest: str) -> str:
    """Name a rendition; `digest` is its preset's, 16 to 64 characters of lower-case hex."""
    if _DIGEST.fullmatch(digest) is None:
        raise ValueError("a preset's digest is 16 to 64 characters of lower-case hex")
    return f"{prefix(name)}{digest}"


def incoming(upload: str) -> str:
    """Name the place for the bytes of one upload; `upload` is a name of its own."""
    return f"incoming/{_checked(upload)}"


def photo_in(key: str) -> str | None:
    """Tell the name of the photo that a key belongs to; None for one that no photo can have."""
    return _first(_PHOTO.fullmatch(key))


def upload_in(key: str) -> str | None:
    """Tell the name of the upload that a key belongs to; None for one that none can have."""
    return _first(_INCOMING.fullmatch(key))


def quarantined(key: str, day: date) -> str:
    """Name the place for an object that is taken away on a day."""
    return f"{QUARANTINE}{day.isoformat()}/{key}"


def taken_from(place: str) -> tuple[date, str] | None:
    """Tell when an object was taken away, and from which key; None for what never was."""
    found = _QUARANTINED.fullmatch(place)
    try:
        return (date.fromisoformat(found[1]), found[2]) if found else None
    except ValueError:  # the 31st of February
        return None


def _first(found: re.Match[str] | None) -> str | None:
    return found[1] if found else None


def _checked(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise ValueError("a name is 32 characters of lower-case hex")
    return name
