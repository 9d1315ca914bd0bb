"""The keys of objects in the bucket: made of random names, never of anything a user sent.

A name is 128 random bits as 32 characters of lower-case hex: an alphabet that URLs, file systems
and stores which fold case leave alone, and `int(name, 16)` gives the bits back.

::

    photos/<name>/original      the photo's own bytes
    photos/<name>/<digest>      a rendition, by the digest of the preset that made it
    incoming/<name>             what a client uploads by itself, until it is checked

Every function here raises ValueError for a name that is none, so that a key can't be made from
user input by mistake.
"""

import re
import secrets

_NAME = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"[0-9a-f]{16,64}")


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


def _checked(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise ValueError("a name is 32 characters of lower-case hex")
    return name
