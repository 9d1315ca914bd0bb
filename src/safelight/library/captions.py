"""What may be said of a photo: titles, descriptions and file names."""

import unicodedata

from safelight.errors import InvalidRequest
from safelight.photo import Caption

MAX_TITLE = 200
MAX_DESCRIPTION = 5_000
MAX_FILENAME = 1_024

_REPLACEMENT = "\ufffd"


def checked(caption: Caption) -> Caption:
    """Check title and description, and make the file name harmless.

    Raises InvalidRequest for a title or description that is too long or can't be stored.
    """
    return Caption(
        title=checked_text("title", caption.title, MAX_TITLE),
        description=checked_text("description", caption.description, MAX_DESCRIPTION),
        filename=harmless(caption.filename),
    )


def checked_text(name: str, text: str, limit: int) -> str:
    """Return the text as it is, or raise InvalidRequest; `limit` is in characters."""
    if len(text) > limit:
        raise InvalidRequest(f"The {name} has {len(text)} characters; {limit} are allowed.")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidRequest(f"The {name} has a NUL or half a character in it: leave that out.")
    return text


def harmless(filename: str) -> str:
    """Replace what a label can't hold by U+FFFD: control characters and half characters.

    Everything else stays as it was: a file name is never part of a key or a path, and whoever
    shows it escapes it.
    """
    return "".join(
        _REPLACEMENT if unicodedata.category(character) in {"Cc", "Cs"} else character
        for character in filename[:MAX_FILENAME]
    )
