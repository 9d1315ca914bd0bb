"""The photo store as a client of presigned requests uses it: HTTP, and a little XML.

Requests carry no token; the signature in the URL is the only credential.
"""

import html
import re
import threading
from collections.abc import Iterable, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import httpx

from safelight.client.reservation import StoreRequest
from safelight.errors import ChecksumMismatch, Unavailable
from safelight.http_clients import client_context, on_loopback

_TIMEOUT: Final = httpx.Timeout(connect=5, write=60, read=120, pool=None)
_RETRY_AFTER: Final = timedelta(seconds=1)
_is_checksum_error = re.compile(rb"<Code>(?:BadDigest|XAmzContent\w*Mismatch)</Code>").search
_find_upload_id = re.compile(rb"<UploadId>([^<]+)</UploadId>").search
_find_parts = re.compile(rb"<Part>(.*?)</Part>", re.DOTALL).findall
_find_fields = re.compile(rb"<(\w+)>([^<]*)</\1>").findall

CHANGED: Final = "The file changed during the upload: its SHA-256 is different."


class DirectAccessUnavailable(Exception):
    """The store can't be used directly from this machine; the message gives the reason."""


class SignatureRejected(Unavailable):
    """The store rejects the signature, perhaps because it has expired: get a new one."""


class StoreClient:
    """Sends presigned requests. Threads may share it.

    Certificate `authorities` (PEM) are trusted besides the usual ones.

    Every call may raise DirectAccessUnavailable, SignatureRejected or Unavailable.
    """

    def __init__(self, *, authorities: str | None = None) -> None:
        self._authorities = authorities
        self._lock = threading.Lock()
        self._http: httpx.Client | None = None
        self._has_answered = False

    def close(self) -> None:
        """Close the connections."""
        if self._http:
            self._http.close()

    def put(self, request: StoreRequest, chunks: Iterable[bytes], size: int) -> str:
        """Send bytes and return their ETag. Raises ChecksumMismatch."""
        response = self._send(request, chunks, {"Content-Length": str(size)})
        return str(response.headers.get("etag", ""))

    def create(self, request: StoreRequest) -> str:
        """Create a multipart upload, and return the store's id for it."""
        found = _find_upload_id(self._send(request).content)
        if found is None:
            raise _unavailable()
        return html.unescape(found[1].decode())

    def list_parts(self, request: StoreRequest) -> dict[int, tuple[str, int]]:
        """Return the ETag and the size of each stored part, by number."""
        parts: dict[int, tuple[str, int]] = {}
        for xml in _find_parts(self._send(request).content):
            fields = {tag: html.unescape(text.decode()) for tag, text in _find_fields(xml)}
            parts[int(fields[b"PartNumber"])] = (fields[b"ETag"], int(fields[b"Size"]))
        return parts

    def complete(self, request: StoreRequest, etags: Mapping[int, str]) -> None:
        """Complete a multipart upload."""
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{html.escape(etag)}</ETag></Part>"
            for number, etag in sorted(etags.items())
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>"
        response = self._send(request, body.encode(), {"Content-Type": "application/xml"})
        if b"<Error>" in response.content:  # S3 may report an error in a 200 response
            raise _unavailable()

    def _send(
        self,
        request: StoreRequest,
        content: Iterable[bytes] | bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        client = self._client(request.url)
        try:
            response = client.request(
                request.method,
                request.url,
                content=content,
                headers={**(headers or {}), **request.headers},
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            if self._has_answered:
                raise _unavailable() from error
            raise DirectAccessUnavailable(
                f"can't reach the photo store at {urlsplit(request.url).netloc}"
            ) from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise DirectAccessUnavailable("the server gave no valid store address") from error
        except httpx.HTTPError as error:
            raise _unavailable() from error
        self._has_answered = True
        if response.is_success:
            return response
        raise _error_from_response(response)

    def _client(self, url: str) -> httpx.Client:
        with self._lock:
            if self._http is None:
                self._http = httpx.Client(
                    timeout=_TIMEOUT,
                    verify=client_context(url, authorities=self._authorities),
                    trust_env=not on_loopback(url),
                )
            return self._http


def _error_from_response(response: httpx.Response) -> Exception:
    if _is_checksum_error(response.content):
        return ChecksumMismatch(CHANGED)
    status = response.status_code
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return _unavailable()
    return SignatureRejected(f"the photo store rejects the server's signatures ({status})")


def _unavailable() -> Unavailable:
    return Unavailable("The photo store does not answer.", retry_after=_RETRY_AFTER)
