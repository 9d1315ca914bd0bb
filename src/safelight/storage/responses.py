"""Error responses of stores: S3's error document, or what came instead of it."""

import re
from dataclasses import dataclass
from html import unescape
from typing import Final, Self

from obstore.exceptions import BaseError

_status = re.compile(r"status code: (\d{3})\b").search
# A response may come from anything that answers at the address: these take linear time.
_fields = re.compile(rb"<(Code|Message|Region|Endpoint)>([^<]*)</").findall
_title = re.compile(rb"<title[^<>]*>([^<]{1,4096})<", re.IGNORECASE).search
_is_page = re.compile(
    rb"\s*(?:\xef\xbb\xbf)?<(?:!doctype\s+html|html\b|head\b)", re.IGNORECASE
).match
_MAX_TEXT: Final = 300
_MAX_TITLE: Final = 100
_MAX_BODY: Final = 64 * 1024
"""Bytes that are read of an error document."""

UNSUPPORTED: Final = frozenset(
    {
        "NotImplemented",
        "MethodNotAllowed",
        "NotSupported",
        "UnsupportedOperation",
        "XNotImplemented",
    }
)
"""Codes of stores that lack a call or a header."""

_HEADER_CODES: Final = frozenset({"", "InvalidArgument", "InvalidRequest", "InvalidHeader"})
"""Codes of a 400 with which stores refuse an unknown header; none of them means damaged bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreError:
    """A store's refusal: its status, and the code and message of its error document."""

    status: int
    code: str = ""
    message: str = ""
    region: str = ""
    """The right region, if the store names it."""
    endpoint: str = ""
    """The right endpoint, if the store names it."""
    page_title: str | None = None
    """The title of a web page that came instead of S3's error document; None if none came."""

    @classmethod
    def parse(cls, status: int, body: bytes) -> Self:
        """Read a response's body."""
        body = body[:_MAX_BODY]
        found = {name.decode(): _text(value) for name, value in reversed(_fields(body))}
        page = _is_page(body)
        title = _title(body) if page else None
        return cls(
            status=status,
            code=found.get("Code", "") if not page else "",
            message=found.get("Message", "") if not page else "",
            region=found.get("Region", ""),
            endpoint=found.get("Endpoint", ""),
            page_title=(_text(title[1])[:_MAX_TITLE] if title else "") if page else None,
        )

    @classmethod
    def of(cls, error: BaseError) -> Self | None:
        """Read an obstore error; None if it isn't about a response."""
        text = str(error)
        match = _status(text)
        return cls.parse(int(match[1]), text[match.end() :].encode()) if match else None

    @property
    def is_unsupported(self) -> bool:
        """Whether the store lacks what was requested."""
        return self.status in {405, 501} or self.code in UNSUPPORTED

    @property
    def may_refuse_header(self) -> bool:
        """Whether the reason may be an optional header of a write."""
        return self.is_unsupported or (self.status == 400 and self.code in _HEADER_CODES)

    def __str__(self) -> str:
        """Return the store's own words, on one line."""
        if self.page_title is not None:
            return f"{self.status}, a web page" + (
                f" “{self.page_title}”" if self.page_title else ""
            )
        if not self.code:
            return f"{self.status} without an error code"
        return f"{self.code} ({self.status})" + (f": {self.message}" if self.message else "")


def _text(value: bytes) -> str:
    """Return a text of the store as one line of printable characters."""
    text = unescape(value.decode(errors="replace"))
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _MAX_TEXT else f"{line[:_MAX_TEXT]}…"
