"""Character encodings that a form may use, by the names that clients use for them."""

import codecs
from typing import Final

UTF8: Final = "utf-8"

_ACCEPTED: Final = frozenset(
    {
        *(UTF8, "ascii", "koi8-r", "koi8-u", "mac-roman", "cp866", "cp874", "cp932", "cp949"),
        *("gbk", "gb2312", "gb18030", "big5", "big5hkscs", "euc_jp", "euc_kr", "shift_jis"),
        *(f"iso8859-{number}" for number in range(1, 17) if number != 12),
        *(f"cp{number}" for number in range(1250, 1259)),
    }
)
"""Python's names of the encodings of the WHATWG's standard in which ASCII stays ASCII.

Others, such as UTF-16 and UTF-7, could turn harmless bytes into control characters, or are not for
text at all.
"""

_AS_BROWSERS: Final = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "gb2312": "gbk",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
}
"""Browsers use the second where a page names the first, which is a subset of it."""
_ALIASES: Final = {
    "unicode-1-1-utf-8": UTF8,
    "x-mac-roman": "mac-roman",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "x-gbk": "gbk",
    "x-euc-jp": "euc_jp",
}
"""Names of the WHATWG's standard that Python doesn't have."""


def find_charset(name: str) -> str | None:
    """Return the codec for a charset's name; None if it is unknown or not accepted."""
    name = name.strip().lower()
    try:
        codec = codecs.lookup(_ALIASES.get(name, name)).name
    except (LookupError, ValueError):
        return None
    return _AS_BROWSERS.get(codec, codec) if codec in _ACCEPTED else None


def decode_text(data: bytes, charset: str, *, errors: str = "strict") -> str | None:
    """Decode text; return None if it is not in this charset, unless `errors` is "replace"."""
    try:
        return data.decode(charset, errors)
    except UnicodeDecodeError:
        return None
