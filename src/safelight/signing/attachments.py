"""The Content-Disposition of downloads (RFC 6266, RFC 8187)."""

import re
import unicodedata
from urllib.parse import quote

_UNSAFE = re.compile(r'[^ -~]|["\\%/]')
"""What old clients read in different ways: other than ASCII, quotes, escapes (RFC 6266, D)."""


def as_attachment(filename: str) -> str:
    """Return a header that saves a file under its name.

    `filename` is for clients that don't know `filename*`: it has letters without their accents, and
    underscores for what ASCII doesn't have.
    """
    exact = quote(filename, safe="")
    return f"attachment; filename=\"{_fallback(filename)}\"; filename*=UTF-8''{exact}"


def _fallback(filename: str) -> str:
    decomposed = unicodedata.normalize("NFKD", filename)
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    return _UNSAFE.sub("_", plain)
