"""The photo store, as one sees it who was permitted to send it something: HTTP, and a little XML.

What is sent here carries no token: the signature in its address is all that counts.
"""

import html
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import httpx

from safelight.cli.client_settings import on_loopback
from safelight.cli.connection import trust
from safelight.cli.reservation import Permit
from safelight.errors import ChecksumMismatch, Unavailable

_TIMEOUT: Final = httpx.Timeout(connect=5, write=60, read=120, pool=None)
_RETRY: Final = timedelta(seconds=1)
_other_bytes = re.compile(rb"<Code>(?:BadDigest|XAmzContent\w*Mismatch)</Code>").search
_upload_id = re.compile(rb"<UploadId>([^<]+)</UploadId>").search
_parts = re.compile(rb"<Part>(.*?)</Part>", re.DOTALL).findall


class DoorClosed(Exception):
    """Nothing can be sent straight to the store from here; the message says why."""


class NotPermitted(Unavailable):
    """The store doesn't take the signature (any more): another is needed."""


class Store:
    """The store that signatures lead to. Threads may share it.

    Every call may raise DoorClosed, NotPermitted, Unavailable.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._http: httpx.Client | None = None
        self._answered = False

    def close(self) -> None:
        """Close the connections."""
        if self._http:
            self._http.close()

    def put(self, permit: Permit, pieces: Iterable[bytes], size: int) -> str:
        """Send bytes; gives their ETag. Raises ChecksumMismatch if they aren't those declared."""
        answer = self._ask(permit, pieces, {"Content-Length": str(size)})
        return str(answer.headers.get("etag", ""))

    def create(self, permit: Permit) -> str:
        """Begin an upload in parts; gives the store's own id for it."""
        return _text(_upload_id(self._ask(permit).content))

    def arrived(self, permit: Permit) -> dict[int, tuple[str, int]]:
        """Tell the ETag and the size of each part that has arrived, by its number."""
        told = [_fields(each) for each in _parts(self._ask(permit).content)]
        return {int(each["PartNumber"]): (each["ETag"], int(each["Size"])) for each in told}

    def complete(self, permit: Permit, etags: Mapping[int, str]) -> None:
        """Have the parts put together."""
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{html.escape(etag)}</ETag></Part>"
            for number, etag in sorted(etags.items())
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>"
        answer = self._ask(permit, body.encode(), {"Content-Type": "application/xml"})
        if b"<Error>" in answer.content:  # S3 may tell it so, after a 200
            raise _unavailable()

    def _ask(
        self,
        permit: Permit,
        content: Iterable[bytes] | bytes = b"",
        more: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        client = self._client(permit.url)
        try:
            answer = client.request(
                permit.method,
                permit.url,
                content=content,
                headers={**(more or {}), **permit.headers},
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            if self._answered:
                raise _unavailable() from error
            raise DoorClosed(f"the photo store at {_place(permit)} can't be reached") from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise DoorClosed("the server tells no address of its photo store") from error
        except httpx.HTTPError as error:
            raise _unavailable() from error
        self._answered = True
        if answer.is_success:
            return answer
        raise _refusal(answer)

    def _client(self, url: str) -> httpx.Client:
        with self._lock:
            if self._http is None:
                self._http = httpx.Client(
                    timeout=_TIMEOUT, verify=trust(url), trust_env=not on_loopback(url)
                )
            return self._http


def _refusal(answer: httpx.Response) -> Exception:
    if _other_bytes(answer.content):
        return ChecksumMismatch("It changed while it was sent: its SHA-256 is another.")
    status = answer.status_code
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return _unavailable()
    return NotPermitted(f"The photo store answers {status} to what the server signed.")


def _unavailable() -> Unavailable:
    return Unavailable("The photo store does not answer.", retry_after=_RETRY)


def _place(permit: Permit) -> str:
    return urlsplit(permit.url).netloc


def _text(match: re.Match[bytes] | None) -> str:
    if match is None:
        raise _unavailable()
    return html.unescape(match[1].decode())


def _fields(part: bytes) -> dict[str, str]:
    found: Iterator[re.Match[bytes]] = re.finditer(rb"<(\w+)>([^<]*)</\1>", part)
    return {each[1].decode(): html.unescape(each[2].decode()) for each in found}
