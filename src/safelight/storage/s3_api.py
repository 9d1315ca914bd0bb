"""Signed S3 calls that obstore doesn't have: about the bucket itself, and multipart uploads.

Requests are signed in their headers by SigV4. A body comes with Content-MD5, which every store
knows; some refuse the newer checksums.
"""

import asyncio
import base64
import hashlib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Self

import httpx

from safelight.errors import StorageUnavailable
from safelight.http_clients import client_context
from safelight.signing.credentials import CredentialProvider
from safelight.signing.sigv4 import (
    Address,
    Method,
    Signer,
    canonical_headers,
    canonical_pairs,
    encode_key,
)
from safelight.storage.config import BucketConfig
from safelight.storage.responses import StoreError

_RETRY_PAUSES = (0.5, 1.0)
"""Seconds to wait after each failed attempt but the last."""
_TRANSIENT = frozenset({429, 500, 502, 503, 504})
_MAY_BE_BAD_CREDENTIALS = frozenset({400, 401, 403})
_MAX_BODY = 4 * 1024 * 1024
_utc_now: Callable[[], datetime] = partial(datetime.now, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class APIResponse:
    """A response of the store; the names of `headers` are lower-case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def code(self) -> str:
        """The code of S3's error document, or the status if there is none."""
        return self.error.code or str(self.status)

    @property
    def error(self) -> StoreError:
        """The response as an error, with what the store gives as the reason."""
        return StoreError.parse(self.status, self.body)

    @property
    def server(self) -> str:
        """Its Server header."""
        return self.headers.get("server", "")


class BucketAPI:
    """An HTTP client for one bucket; an async context manager.

    `timeout` is for each of up to three attempts. A request that is refused is repeated once if
    `credentials` can be refreshed. Redirects are not followed, since a signature is for one host,
    and a store on this machine is never reached through a proxy. `clock` dates the signatures.
    """

    def __init__(
        self,
        config: BucketConfig,
        credentials: CredentialProvider,
        *,
        timeout: timedelta,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._config = config
        self._credentials = credentials
        self._timeout = timeout.total_seconds()
        self._clock = clock
        self._address = Address.of(
            config.endpoint_url, config.bucket, "virtual" if config.virtual_hosted else "path"
        )
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        """Return this client."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._client:
            await self._client.aclose()

    async def request(
        self,
        method: Method,
        query: Mapping[str, str],
        *,
        key: str | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> APIResponse:
        """Send a request about an object, or the bucket itself, and return the response.

        `headers` are signed, too; their names are lower-case. Raises StorageUnavailable if there is
        no response, or too large a one.
        """

        def make() -> httpx.Request:
            return self.sign(method, query, key=key, body=body, headers=headers)

        used = self._credentials.current
        response = await self._send_with_retry(make)
        refused = response.status in _MAY_BE_BAD_CREDENTIALS
        if refused and await self._credentials.refresh(used):
            response = await self._send_with_retry(make)
        return response

    async def send(self, request: httpx.Request) -> APIResponse:
        """Send a request unchanged, which may be presigned or not signed. Raises as `request`."""
        return await self._send_with_retry(lambda: request)

    def url(self, key: str = "") -> str:
        """Return the URL of an object, or of the bucket, without a signature."""
        path = self._address.path
        return f"{self._address.origin}{path}{encode_key(key) if key else ''}"

    async def _send_with_retry(self, make: Callable[[], httpx.Request]) -> APIResponse:
        pauses = iter(_RETRY_PAUSES)
        while True:
            pause = next(pauses, None)
            try:
                response = await self._send(make())
            except httpx.HTTPError as error:
                if pause is None:
                    raise StorageUnavailable from error
            else:
                if pause is None or response.status not in _TRANSIENT:
                    return response
            await asyncio.sleep(pause)

    async def _send(self, request: httpx.Request) -> APIResponse:
        if self._client is None:
            try:
                self._client = self._open_client()
            except (ImportError, OSError, ValueError, httpx.InvalidURL) as error:
                # A proxy of the environment, or SSL_CERT_FILE.
                raise StorageUnavailable from error
        response = await self._client.send(request, stream=True)
        try:
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _MAX_BODY:
                    raise StorageUnavailable from RuntimeError("the response is larger than 4 MB")
        finally:
            await response.aclose()
        return APIResponse(status=response.status_code, body=body, headers=dict(response.headers))

    def _open_client(self) -> httpx.AsyncClient:
        use_environment = not self._config.is_local
        if self._config.ca_certificate is not None:
            context = ssl.create_default_context(cadata=self._config.ca_certificate)
        else:
            context = client_context(
                self._address.origin,
                authorities=self._config.authorities,
                use_environment=use_environment,
            )
        return httpx.AsyncClient(timeout=self._timeout, trust_env=use_environment, verify=context)

    def sign(
        self,
        method: Method,
        query: Mapping[str, str],
        *,
        key: str | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Request:
        """Make a request as in "Authenticating Requests: Using the Authorization Header"."""
        credentials = self._credentials.current
        timestamp = f"{self._clock().astimezone(UTC):%Y%m%dT%H%M%SZ}"
        signer = Signer.of(credentials.secret_key, timestamp[:8], self._config.region)
        digest = hashlib.sha256(body).hexdigest()
        signed = {
            "host": self._address.host,
            "x-amz-date": timestamp,
            "x-amz-content-sha256": digest,
            **(headers or {}),
        }
        if credentials.session_token is not None:
            signed["x-amz-security-token"] = credentials.session_token
        if body and headers is None:
            signed["content-type"] = "application/xml"
            md5 = hashlib.md5(body, usedforsecurity=False).digest()
            signed["content-md5"] = base64.b64encode(md5).decode()
        path = self._address.path
        path = path + encode_key(key) if key else path.rstrip("/") or "/"
        pairs = canonical_pairs(query)
        canonical_query = "&".join(f"{name}={value}" for name, value in pairs)
        signature = signer.signature(
            timestamp,
            f"{method}\n{path}\n{canonical_query}\n{canonical_headers(signed)}\n{digest}",
        )
        authorization = (
            f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{signer.scope},"
            f"SignedHeaders={';'.join(sorted(signed))},Signature={signature}"
        )
        sent_query = "&".join(f"{name}={value}" if value else name for name, value in pairs)
        url = f"{self._address.origin}{path}" + (f"?{sent_query}" if sent_query else "")
        return httpx.Request(
            method, url, headers={**signed, "authorization": authorization}, content=body
        )
