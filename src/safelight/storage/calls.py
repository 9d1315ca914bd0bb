"""Signed calls about a bucket as a whole, which obstore has none of.

They are signed in their header, by SigV4, and carry Content-MD5: the oldest way to say what is
sent, which every store knows, where boto3 would send newer checksums that some refuse.
"""

import base64
import hashlib
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPException
from ipaddress import ip_address
from typing import Literal
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPRedirectHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

from safelight.errors import SettingsError
from safelight.sigv4 import Address, Credentials, Signer, canonical_headers
from safelight.storage.access import Access

_PAUSES = (0.5, 1.0, None)
"""Seconds after a try that came to nothing; then there is no other."""
_PATIENCE = 10
_MOST = 1024 * 1024
_AGAIN = {HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE}
_code = re.compile(rb"<Code>\s*(\w+)\s*</Code>").search


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the store answered; `code` is its error's, or the status if it told none."""

    status: int
    body: bytes

    @property
    def code(self) -> str:
        """Name the error."""
        found = _code(self.body)
        return found[1].decode() if found else str(self.status)


class BucketCalls:
    """Calls about one bucket. They block, each for half a minute at the most."""

    def __init__(self, access: Access, credentials: Credentials) -> None:
        self._access = access
        self._credentials = credentials
        style: Literal["virtual", "path"] = "virtual" if access.virtual_hosted else "path"
        self._address = Address.of(access.endpoint_url, access.bucket, style)
        self._opener = _opener(access.endpoint_url)

    def get(self, subresource: str) -> Answer:
        """Read what the bucket was told. Raises SettingsError if the store doesn't answer."""
        return self._ask("GET", subresource, b"")

    def put(self, subresource: str, document: bytes) -> Answer:
        """Tell the bucket something. Raises SettingsError if the store doesn't answer."""
        return self._ask("PUT", subresource, document)

    def _ask(self, method: str, subresource: str, body: bytes) -> Answer:
        for pause in _PAUSES:
            try:
                answer = self._asked(self._request(method, subresource, body))
            except (OSError, HTTPException) as error:
                if pause is None:
                    raise SettingsError(
                        f"The store at {self._access.endpoint_url} does not answer: start it, or"
                        " correct SAFELIGHT_S3__ENDPOINT_URL."
                    ) from error
            else:
                if pause is None or answer.status not in _AGAIN:
                    break
            time.sleep(pause)
        return answer

    def _asked(self, request: Request) -> Answer:
        try:
            with self._opener.open(request, timeout=_PATIENCE) as answer:
                return Answer(status=answer.status, body=answer.read(_MOST))
        except HTTPError as error:
            with error:
                return Answer(status=error.code, body=error.read(_MOST))

    def _request(self, method: str, subresource: str, body: bytes) -> Request:
        """Sign as "Authenticating Requests: Using the Authorization Header" tells."""
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        signer = Signer.of(self._credentials.secret_key, stamp[:8], self._access.region)
        digest = hashlib.sha256(body).hexdigest()
        headers = {"host": self._address.host, "x-amz-date": stamp, "x-amz-content-sha256": digest}
        if self._credentials.session_token is not None:
            headers["x-amz-security-token"] = self._credentials.session_token
        if body:
            headers["content-type"] = "application/xml"
            md5 = hashlib.md5(body, usedforsecurity=False).digest()
            headers["content-md5"] = base64.b64encode(md5).decode()
        path = self._address.path if self._access.virtual_hosted else self._address.path[:-1]
        signature = signer.signature(
            stamp,
            f"{method}\n{path}\n{subresource}=\n{canonical_headers(headers)}\n{digest}",
        )
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self._credentials.access_key}/{signer.scope},"
            f"SignedHeaders={';'.join(sorted(headers))},Signature={signature}"
        )
        url = f"{self._address.origin}{path}?{subresource}"
        return Request(url, data=body or None, headers=headers, method=method)  # noqa: S310  http or https, by Address


class _Here(HTTPRedirectHandler):
    """Follows nowhere: what is signed is good for one host."""

    def redirect_request(self, *_: object) -> None:
        """Let the redirection be the answer."""


def _opener(endpoint_url: str) -> OpenerDirector:
    """Go by the proxies that the environment names, but not to this machine."""
    here = _is_here(urlsplit(endpoint_url).hostname or "")
    return build_opener(_Here(), ProxyHandler({} if here else None))


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
