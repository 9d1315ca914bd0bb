"""Parse the Content-Disposition of a form's part, as browsers and other programs write it.

RFC 7578 allows one form, but clients use several: quoted-strings with backslashes (curl, Python),
percent-encoded quotes and line breaks (browsers), tokens and encoded words (.NET), and the
``filename*`` of RFC 8187 (.NET, Java). A name that fits none of them is taken unchanged.
"""

import re
from base64 import b64decode
from typing import Final
from urllib.parse import unquote_to_bytes

from safelight.web.http.charsets import decode_text, find_charset

_MAX_WORDS: Final = 64
"""Encoded words in a name; a longer list is taken unchanged."""

_parameter = re.compile(
    rb"""[ \t]*(?P<name>[^\s=;"]+)[ \t]*=[ \t]*(?:"""
    rb""""(?P<quoted>(?:[^"\\]|\\["\\])*)"(?=[ \t]*(?:;|\Z))"""
    rb"""|"(?P<plain>.*?)"(?=[ \t]*(?:;|\Z))"""
    rb"""|(?P<token>[^\s;"]*))""",
    re.DOTALL,
).match
_BROWSER_ESCAPE = re.compile(rb"%(22|0D|0A)", re.IGNORECASE)
_QUOTED_PAIR = re.compile(rb'\\(["\\])')

_extended_value = re.compile(
    rb"(?P<charset>[A-Za-z0-9!#$&+^_`{}~.:-]+)'[A-Za-z0-9-]*'(?P<value>[!-~]*)"
).fullmatch
"""RFC 8187, 3.2.1. Characters that should be percent-encoded are accepted."""
_is_percent_encoded = re.compile(rb"(?:[^%]|%[0-9A-Fa-f]{2})*").fullmatch

_encoded_words = re.compile(
    rb"(?:=\?[!->@-~]+\?[BbQq]\?[!->@-~]*\?=(?:[ \t]+(?==\?)|\Z)){1,%d}" % _MAX_WORDS
).fullmatch
_WORD = re.compile(rb"=\?([^?*]+)(?:\*[^?]*)?\?([BbQq])\?([^?]*)\?=")
_Q_ESCAPE = re.compile(rb"=([0-9A-Fa-f]{2})")


def parse_disposition(header: bytes) -> tuple[bytes | None, bytes | str | None]:
    """Return the name of the form's field, and the file's name on the client.

    The file's name is None if the part is not a file. It is text where its charset is stated, by
    `filename*` or by encoded words, and otherwise bytes in the charset of the form.
    """
    parameters = _parse_parameters(header)
    name, filename = parameters.get(b"name"), parameters.get(b"filename")
    extended = parameters.get(b"filename*")
    if extended is not None:
        decoded = _decode_extended(extended, errors="strict" if filename else "replace")
        if decoded is not None or filename is None:
            return name, decoded or ""
    words = _decode_words(filename) if filename and _encoded_words(filename) else None
    return name, filename if words is None else words


def _parse_parameters(header: bytes) -> dict[bytes, bytes]:
    """Return the parameters by their names in lower case; of several, the first."""
    parameters: dict[bytes, bytes] = {}
    at = header.find(b";") + 1
    while at:
        if found := _parameter(header, at):
            at = found.end()
            if header[at : at + 1] == b'"':
                break  # a quote without an end; searching for it each time would take too long
            value = found["token"]
            if value is None:
                value = found["plain"] or _QUOTED_PAIR.sub(rb"\1", found["quoted"] or b"")
                value = _BROWSER_ESCAPE.sub(_unescape, value)
            parameters.setdefault(found["name"].lower(), value)
        at = header.find(b";", at) + 1
    return parameters


def _unescape(escape: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escape[1].decode())


def _decode_extended(text: bytes, *, errors: str) -> str | None:
    """Decode ``UTF-8''na%C3%AFve.jpg``; return None if it is malformed."""
    found = _extended_value(text)
    if found is None or not _is_percent_encoded(found["value"]):
        return None
    charset = find_charset(found["charset"].decode("ascii"))
    return charset and decode_text(unquote_to_bytes(found["value"]), charset, errors=errors)


def _decode_words(text: bytes) -> str | None:
    """Decode encoded words (RFC 2047); return None if they are malformed.

    Adjacent words in one charset are decoded together, since some clients split a character.
    """
    pieces: list[tuple[str, bytes]] = []
    for name, encoding, encoded in _WORD.findall(text):
        charset = find_charset(name.decode("ascii"))
        data = _decode_b(encoded) if encoding in b"Bb" else _decode_q(encoded)
        if charset is None or data is None:
            return None
        if pieces and pieces[-1][0] == charset:
            data = pieces.pop()[1] + data
        pieces.append((charset, data))
    words = [decode_text(data, charset) for charset, data in pieces]
    return None if None in words else "".join(word or "" for word in words)


def _decode_b(text: bytes) -> bytes | None:
    try:
        return b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError:
        return None


def _decode_q(text: bytes) -> bytes:
    return _Q_ESCAPE.sub(_unescape, text.replace(b"_", b" "))
