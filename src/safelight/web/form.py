"""The upload form (multipart/form-data, RFC 7578), parsed while it arrives.

The photo goes to the spool chunk by chunk; the other fields are small. What an upload may cost
is decided before it is spent: a second photo, a byte too many or a broken part ends the reading.
"""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from safelight.errors import InvalidRequest, TooLarge
from safelight.library import Library
from safelight.library.spool import SpooledUpload
from safelight.photo import Caption
from safelight.settings import LimitSettings
from safelight.web.arrival import arriving
from safelight.web.disposition import field_name, filename

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

PHOTO = b"photo"
TEXTS = (b"title", b"description")

_HELD_BACK = 512
"""The parser may hold back a delimiter before it tells which part bytes belong to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A whole form: the photo's bytes, and what is said of it."""

    photo: SpooledUpload
    caption: Caption


@asynccontextmanager
async def upload_form(request: Request, library: Library) -> AsyncIterator[Form]:
    """Read the request's form; its photo lies in the library's spool until the context ends.

    Raises InvalidRequest for a body that is no such form, TooLarge at the first byte over a
    limit, RequestTimeout when it stalls, Busy or StorageFull when there is no room for it.
    """
    with ExitStack() as stack:
        with library.tally.refusals():
            boundary = _boundary(request)
            photo = stack.enter_context(library.spool.file())
            form = await _read(request, boundary, photo, library.limits)
        yield form


async def _read(
    request: Request, boundary: bytes, photo: SpooledUpload, limits: LimitSettings
) -> Form:
    reading = _Reading(photo, limits)
    # A file name may be far longer than what is kept of it.
    parser = MultipartParser(
        boundary, reading.callbacks(), max_header_size=limits.max_form_overhead
    )
    limit = limits.max_form_bytes + limits.max_form_overhead
    try:
        async for chunk in arriving(request, limits, limit=limit):
            parser.write(chunk)
            reading.count(len(chunk))
        parser.finalize()
    except FormParserError as error:
        raise InvalidRequest("The form is broken: it can't be read to its end.") from error
    return reading.form()


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 1 <= len(boundary) <= 70:  # noqa: PLR2004  RFC 2046, 5.1.1
        raise InvalidRequest("Send the photo as multipart/form-data, in a field named 'photo'.")
    return boundary


class _Reading:
    """What has been read of a form so far, told by the parser's calls."""

    def __init__(self, photo: SpooledUpload, limits: LimitSettings) -> None:
        self._photo = photo
        self._limits = limits
        self._total = 0
        self._filename: str | None = None
        self._texts: dict[bytes, bytearray] = {}
        self._ended = False
        self._header = b""
        self._value = b""
        self._disposition = b""
        self._photo_here = False
        self._text_here: bytearray | None = None

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._part_begins,
            "on_header_field": self._header_comes,
            "on_header_value": self._value_comes,
            "on_header_end": self._header_ends,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._data_comes,
            "on_end": self._end,
        }

    def count(self, arrived: int) -> None:
        """Refuse what is neither the photo nor small."""
        self._total += arrived
        if self._total - self._photo.size > self._limits.max_form_overhead + _HELD_BACK:
            raise TooLarge(
                f"The form's other fields are larger than {self._limits.max_form_overhead} bytes."
            )

    def form(self) -> Form:
        if not self._ended:
            raise InvalidRequest("The form ends too early: send it again.")
        if self._filename is None:
            raise InvalidRequest("There is no photo in the form: send it in a field named 'photo'.")
        caption = Caption(
            title=self._text(b"title"),
            description=self._text(b"description"),
            filename=self._filename,
        )
        return Form(photo=self._photo, caption=caption)

    def _text(self, name: bytes) -> str:
        try:
            text = bytes(self._texts.get(name, b"")).decode()
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"The {name.decode()} is not UTF-8.") from error
        return text.replace("\r\n", "\n")  # a form's line ends, whatever the client's were

    def _part_begins(self) -> None:
        self._disposition = b""
        self._photo_here = False
        self._text_here = None

    def _header_comes(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _value_comes(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ends(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _headers_end(self) -> None:
        name = field_name(self._disposition)
        if name == PHOTO:
            if self._filename is not None:
                raise InvalidRequest("There are two photos in the form: send one at a time.")
            self._filename = filename(self._disposition) or ""
            self._photo_here = True
        elif name in TEXTS:
            self._text_here = self._texts[name] = bytearray()

    def _data_comes(self, data: bytes, start: int, end: int) -> None:
        if self._photo_here:
            limit = self._limits.max_form_bytes
            if self._photo.size + end - start > limit:
                raise TooLarge(f"The photo is larger than {limit} bytes.")
            self._photo.write(memoryview(data)[start:end])
        elif self._text_here is not None:
            self._text_here += data[start:end]

    def _end(self) -> None:
        self._ended = True
