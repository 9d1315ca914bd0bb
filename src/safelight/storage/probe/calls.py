"""Requests of the checks, and the list of their results."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import httpx

from safelight.errors import StorageUnavailable
from safelight.signing.credentials import CredentialProvider
from safelight.signing.sigv4 import Method, presign
from safelight.storage.config import BucketConfig
from safelight.storage.features import StoreFeatures
from safelight.storage.objects import probe_key
from safelight.storage.probe.connection import explain_connection
from safelight.storage.probe.refusals import explain_refusal, measure_skew
from safelight.storage.probe.report import CheckOutcome, CheckResult
from safelight.storage.s3_api import APIResponse, BucketAPI

_utc_now: Callable[[], datetime] = partial(datetime.now, UTC)
_LINK_LIFETIME: Final = timedelta(minutes=10)
_LINK_AGE: Final = timedelta(minutes=5)
"""Links are never signed for the present moment (see signing/links.py)."""


class CheckFailed(Exception):
    """A check failed, so that the next ones would prove nothing. Its result is recorded."""


class ProbeCalls:
    """The object that is written, read and deleted, and what is needed for that.

    `timeout` is for each attempt of a request. `clock` dates the signatures, and is compared with
    the store's.
    """

    def __init__(
        self,
        config: BucketConfig,
        credentials: CredentialProvider,
        *,
        timeout: timedelta,
        clock: Callable[[], datetime] = _utc_now,
        features: StoreFeatures | None = None,
    ) -> None:
        self._config = config
        self._credentials = credentials
        self._clock = clock
        self._api = BucketAPI(config, credentials, timeout=timeout, clock=clock)
        self._key = probe_key()
        self._body = secrets.token_bytes(64)
        self._features = features or StoreFeatures.of(config)
        self._results: list[CheckResult] = []
        self._skew = timedelta(0)
        """How far our clock is ahead of the store's."""

    def _add(
        self,
        check: str,
        outcome: CheckOutcome = CheckOutcome.OK,
        message: str = "",
        response: APIResponse | None = None,
    ) -> None:
        """Record a result, with the store's own error."""
        text = str(response.error) if response and not response.is_success else ""
        self._results.append(
            CheckResult(check=check, outcome=outcome, message=message, response=text)
        )

    async def _fail(self, response: APIResponse, action: str, permission: str) -> None:
        """Explain and record a refusal. Raises CheckFailed."""
        explained = await asyncio.to_thread(  # it may connect once more
            explain_refusal,
            response,
            self._config,
            action=action,
            permission=permission,
            skew=self._skew or measure_skew(response, self._clock),
        )
        self._add(explained.check, CheckOutcome.FAILURE, explained.message, response)
        raise CheckFailed

    async def _send(self, sent: Awaitable[APIResponse]) -> APIResponse:
        """Return the response. Explains and records its absence, and raises CheckFailed."""
        try:
            return await sent
        except StorageUnavailable as error:
            host = urlsplit(self._api.url()).netloc
            explained = await asyncio.to_thread(
                explain_connection, error.__cause__ or error, self._config, host
            )
            self._add(explained.check, CheckOutcome.FAILURE, explained.message)
            raise CheckFailed from error

    async def _request(
        self,
        method: Method,
        query: Mapping[str, str] | None = None,
        *,
        key: str | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> APIResponse:
        """Send a signed request. Raises CheckFailed if there is no response."""
        return await self._send(
            self._api.request(method, query or {}, key=key, body=body, headers=headers)
        )

    async def _open_link(
        self, method: Method = "GET", *, headers: Mapping[str, str] | None = None
    ) -> APIResponse:
        """Send a presigned request for the object, as a browser does with a link."""
        return await self._send(
            self._api.send(httpx.Request(method, self._link(method), headers=headers))
        )

    async def _open_url(self, url: str) -> APIResponse:
        return await self._send(self._api.send(httpx.Request("GET", url)))

    def _link(self, method: Method = "GET") -> str:
        return presign(
            self._credentials.current,
            endpoint=self._config.endpoint_url,
            bucket=self._config.bucket,
            key=self._key,
            expires_in=_LINK_LIFETIME,
            date=self._clock() - self._skew - _LINK_AGE,
            method=method,
            region=self._config.region,
            style="virtual" if self._config.virtual_hosted else "path",
        )
