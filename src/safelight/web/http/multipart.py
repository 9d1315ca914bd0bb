"""Parse the upload form (multipart/form-data, RFC 7578) while it arrives.

The photo is written to the spool chunk by chunk; the other fields are small. A second photo, a byte
over a limit or a malformed part ends the parsing at once.
"""

import re
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, MultipartState, parse_options_header

from safelight.errors import InvalidRequest, TooLarge, format_size
from safelight.library.spool import SpooledUpload
from safelight.models import Caption
from safelight.settings import LimitSettings

_HELD_BACK = 512
"""The parser may hold back a delimiter until it knows which part the bytes belong to."""


class UploadForm:
    """A form that is being parsed: `write` its bytes, then `finish`.

    `content_type` is the request's header, `photo` an empty file in the spool. The methods raise
    InvalidRequest if this is not an upload form, TooLarge at the first byte over a limit, and what
    writing to the spool raises.
    """

    def __init__(
        self, content_type: str | None, photo: SpooledUpload, limits: LimitSettings
    ) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not 1 <= len(boundary) <= 70:
            raise InvalidRequest("Send the photo as multipart/form-data, in a field named 'photo'.")
        self.photo = photo
        self._limits = limits
        self._total = 0
        self._filename: str | None = None
        self._texts: dict[bytes, bytearray] = {}
        self._header = b""
        self._value = b""
        self._disposition = b""
        self._in_photo = False
        self._text: bytearray | None = None
        self._parser = MultipartParser(
            boundary,
            {
                "on_header_field": self._add_header_name,
                "on_header_value": self._add_header_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._start_data,
                "on_part_data": self._add_data,
            },
            # Long file names are accepted, and truncated later.
            max_header_size=limits.max_form_overhead,
        )

    def write(self, chunk: bytes) -> None:
        """Parse the next bytes."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise InvalidRequest("The form is malformed. Send it again.") from error
        self._total += len(chunk)
        if self._total - self.photo.size > self._limits.max_form_overhead + _HELD_BACK:
            raise TooLarge(
                "The form's other fields are too large. The limit is"
                f" {format_size(self._limits.max_form_overhead)}."
            )

    def too_large(self) -> TooLarge:
        """Return the error for a photo that is too large."""
        return TooLarge(
            "This photo is too large for a form upload. The limit is"
            f" {format_size(self._limits.max_form_bytes)}; direct uploads accept up to"
            f" {format_size(self._limits.max_direct_bytes)}."
        )

    def finish(self) -> Caption:
        """Return the caption. Raise InvalidRequest if the form is incomplete or has no photo."""
        if self._parser.state is not MultipartState.END:
            raise InvalidRequest("The form is incomplete. Send it again.")
        if self._filename is None:
            raise InvalidRequest("The form has no photo. Send it in a field named 'photo'.")
        return Caption(
            title=self._decode(b"title"),
            description=self._decode(b"description"),
            filename=self._filename,
        )

    def _decode(self, name: bytes) -> str:
        try:
            text = self._texts.get(name, b"").decode()
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"The {name.decode()} is not UTF-8.") from error
        return text.replace("\r\n", "\n")  # forms use CRLF on every platform

    def _add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _start_data(self) -> None:
        disposition, self._disposition = self._disposition, b""
        name = _parameter(_NAME, disposition)
        self._in_photo = name == b"photo"
        self._text = None
        if self._in_photo:
            if self._filename is not None:
                raise InvalidRequest("The form has two photos. Send one at a time.")
            self._filename = filename(disposition) or ""
        elif name in {b"title", b"description"}:
            self._text = self._texts[name] = bytearray()

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_photo:
            if self.photo.size + end - start > self._limits.max_form_bytes:
                raise self.too_large()
            self.photo.write(memoryview(data)[start:end])
        elif self._text is not None:
            self._text += data[start:end]


_QUOTED_STRING = rb'"(?P<quoted>(?:[^"\\]|\\["\\])*)"(?=[ \t]*(?:;|\Z))'
_UNESCAPED = rb'"(?P<plain>.*?)"(?=[ \t]*(?:;|\Z))'
_TOKEN = rb"(?P<token>[^\s;\"]*)"
_BROWSER_ESCAPE = re.compile(rb"%(22|0D|0A)", re.IGNORECASE)
_QUOTED_PAIR = re.compile(rb'\\(["\\])')


def _pattern(name: bytes) -> re.Pattern[bytes]:
    value = b"|".join((_QUOTED_STRING, _UNESCAPED, _TOKEN))
    return re.compile(
        rb";[ \t]*" + name + rb"[ \t]*=[ \t]*(?:" + value + rb")", re.IGNORECASE | re.DOTALL
    )


_NAME = _pattern(b"name")
_FILENAME = _pattern(b"filename")
_EXTENDED = re.compile(rb";[ \t]*filename\*[ \t]*=[ \t]*utf-8'[^']*'([^\s;]*)", re.IGNORECASE)


def filename(header: bytes) -> str | None:
    """Return the file's name on the client; None if the part is not a file.

    Bytes that aren't UTF-8 become U+FFFD.
    """
    value = _parameter(_FILENAME, header)
    if value is None and (extended := _EXTENDED.search(header)):
        value = unquote_to_bytes(extended[1])
    return None if value is None else value.decode("utf-8", "replace")


def _parameter(pattern: re.Pattern[bytes], header: bytes) -> bytes | None:
    found = pattern.search(header)
    if found is None:
        return None
    if found["token"] is not None:
        return found["token"]
    value = found["plain"]
    if value is None:
        value = _QUOTED_PAIR.sub(rb"\1", found["quoted"])
    return _BROWSER_ESCAPE.sub(lambda escape: bytes.fromhex(escape[1].decode()), value)
