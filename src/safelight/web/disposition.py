r"""The Content-Disposition of a part: what the field is called, and the file.

Browsers write a file name as it is, with ``"``, CR and LF as ``%22``, ``%0D`` and ``%0A`` (WHATWG
HTML, "multipart form data"); others write an RFC 9110 quoted-string, with ``\"`` and ``\\``. A
name that is a well-formed quoted-string is read as one, else as a browser's.
"""

import re
from urllib.parse import unquote_to_bytes

_QUOTED_STRING = rb'"(?P<quoted>(?:[^"\\]|\\["\\])*)"(?=[ \t]*(?:;|\Z))'
_AS_IT_IS = rb'"(?P<plain>.*?)"(?=[ \t]*(?:;|\Z))'
_TOKEN = rb"(?P<token>[^\s;\"]*)"
_BROWSER_ESCAPE = re.compile(rb"%(22|0D|0A)", re.IGNORECASE)
_QUOTED_PAIR = re.compile(rb'\\(["\\])')


def _parameter(name: bytes) -> re.Pattern[bytes]:
    value = b"|".join((_QUOTED_STRING, _AS_IT_IS, _TOKEN))
    return re.compile(
        rb";[ \t]*" + name + rb"[ \t]*=[ \t]*(?:" + value + rb")", re.IGNORECASE | re.DOTALL
    )


_FIELD = _parameter(b"name")
_FILENAME = _parameter(b"filename")
_EXTENDED = re.compile(rb";[ \t]*filename\*[ \t]*=[ \t]*utf-8'[^']*'([^\s;]*)", re.IGNORECASE)


def field_name(header: bytes) -> bytes | None:
    """Tell the field's name; None if the header has none."""
    return _value(_FIELD, header)


def filename(header: bytes) -> str | None:
    """Tell the file's name as it was on the client; None if the part is no file.

    Bytes that aren't UTF-8 become U+FFFD.
    """
    value = _value(_FILENAME, header)
    if value is None and (extended := _EXTENDED.search(header)):
        value = unquote_to_bytes(extended[1])
    return None if value is None else value.decode("utf-8", "replace")


def _value(parameter: re.Pattern[bytes], header: bytes) -> bytes | None:
    found = parameter.search(header)
    if found is None:
        return None
    if found["quoted"] is not None:
        return _from_browser(_QUOTED_PAIR.sub(rb"\1", found["quoted"]))
    return _from_browser(found["plain"]) if found["plain"] is not None else found["token"]


def _from_browser(value: bytes) -> bytes:
    return _BROWSER_ESCAPE.sub(lambda escape: bytes.fromhex(escape[1].decode()), value)
