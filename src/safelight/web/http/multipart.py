"""Parse the upload form (multipart/form-data, RFC 7578) while it arrives.

The photo is written to the spool chunk by chunk; the other fields are small. A second photo, a byte
over a limit or a malformed part ends the parsing at once.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, MultipartState, parse_options_header

from safelight.dates import parse_modified_at
from safelight.errors import InvalidRequest, TooLarge, format_size
from safelight.library.spool import SpooledUpload
from safelight.models import Caption
from safelight.settings import LimitSettings
from safelight.web.http.charsets import UTF8, decode_text, find_charset
from safelight.web.http.content_disposition import parse_disposition

_HELD_BACK = 512
"""The parser may hold back a delimiter until it knows which part the bytes belong to."""
_CHARSET: Final = b"_charset_"
"""The field in which a form names its charset (RFC 7578, 4.6)."""
_TEXTS: Final = frozenset({b"title", b"description", b"modified_at", b"sha256", _CHARSET})
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(slots=True)
class _Text:
    """The value of a text field, and the Content-Type of its part."""

    content_type: bytes
    value: bytearray


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
        self._filename: bytes | str | None = None
        self._texts: dict[bytes, _Text] = {}
        self._header = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._in_photo = self._in_empty_input = False
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

    def finish(self) -> tuple[Caption, datetime | None, str | None]:
        """Return the caption, when the file was modified, and the SHA-256 it should have.

        Raise InvalidRequest if the form is incomplete or has no photo.
        """
        if self._parser.state is not MultipartState.END:
            raise InvalidRequest("The form is incomplete. Send it again.")
        if self._filename is None:
            raise InvalidRequest("The form has no photo. Send it in a field named 'photo'.")
        stated = self._texts.pop(_CHARSET, None)  # for texts and names that don't state their own
        named = stated.value.decode("latin-1").strip() if stated else ""
        charset = _known_charset(named, "_charset_") if named else UTF8
        texts = dict.fromkeys(_TEXTS, "")
        for name, field in self._texts.items():
            texts[name] = _decode(name, field, charset)
        caption = Caption(
            title=texts[b"title"],
            description=texts[b"description"],
            filename=_decode_filename(self._filename, charset),
        )
        modified_at, sha256 = texts[b"modified_at"], texts[b"sha256"]
        if sha256 and not _SHA256.fullmatch(sha256):
            raise InvalidRequest("The sha256 must be 64 lower-case hex digits.")
        return caption, parse_modified_at(modified_at) if modified_at else None, sha256 or None

    def _add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def _start_data(self) -> None:
        headers, self._headers = self._headers, {}
        name, filename = parse_disposition(headers.get(b"content-disposition", b""))
        self._in_photo = self._in_empty_input = False
        self._text = None
        if name == b"photo":
            # Browsers send an empty part for a file input without a file.
            is_first = self._filename is None or not (self._filename or self.photo.size)
            if is_first:
                self._filename, self._in_photo = filename or b"", True
            elif filename:
                raise _two_photos()
            else:
                self._in_empty_input = True
        elif name in _TEXTS:
            field = self._texts[name] = _Text(headers.get(b"content-type", b""), bytearray())
            self._text = field.value

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_photo:
            if self.photo.size + end - start > self._limits.max_form_bytes:
                raise self.too_large()
            self.photo.write(memoryview(data)[start:end])
        elif self._in_empty_input:
            raise _two_photos()
        elif self._text is not None:
            self._text += data[start:end]


def _two_photos() -> InvalidRequest:
    return InvalidRequest("The form has two photos. Send one at a time.")


def _known_charset(name: str, field: str) -> str:
    charset = find_charset(name)
    if charset is None:
        raise InvalidRequest(f"The charset of {field} is unknown. Send the form as UTF-8.")
    return charset


def _decode(name: bytes, field: _Text, form_charset: str) -> str:
    _, options = parse_options_header(field.content_type)
    own = options.get(b"charset", b"").decode("latin-1")
    charset = _known_charset(own, name.decode()) if own else form_charset
    text = decode_text(bytes(field.value), charset)
    if text is None:
        label = "UTF-8" if charset == UTF8 else own or "the form's charset"
        raise InvalidRequest(f"The {name.decode()} is not {label}. Send it as UTF-8.")
    return text.replace("\r\n", "\n")  # forms use CRLF on every platform


def _decode_filename(filename: bytes | str, charset: str) -> str:
    """Decode a file's name. Most clients write UTF-8, even where the form has another charset.

    Bytes that can't be decoded become U+FFFD.
    """
    if isinstance(filename, str):
        return filename
    try:
        return filename.decode(UTF8)
    except UnicodeDecodeError:
        return filename.decode(charset, "replace")
