"""Open a link to an object: by the address in links, and with the keys that sign them."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Self

from safelight.signing.credentials import CredentialProvider
from safelight.storage.config import BucketConfig
from safelight.storage.probe.calls import CheckFailed
from safelight.storage.probe.connection import ENDPOINT
from safelight.storage.probe.reading import ReadChecks
from safelight.storage.probe.refusals import KEYS
from safelight.storage.probe.report import CheckResult, ProbeReport

_PUBLIC_ENDPOINT = "SAFELIGHT_S3__PUBLIC_ENDPOINT_URL"
_SIGNING_KEYS = "SAFELIGHT_S3__SIGNING_ACCESS_KEY and SAFELIGHT_S3__SIGNING_SECRET_KEY"


class LinkFailure(RuntimeError):
    """The store doesn't open links. The message, for the operator, is one line."""


class LinkProbe(ReadChecks):
    """Checks `read`, `head` and `range` by links; an async context manager.

    `config` has the address to use, which is that of the service, or with `is_public` that of
    clients. Keys that only sign links (`has_own_keys`) may be allowed nothing but reading, so the
    object is written by others.
    """

    def __init__(
        self,
        config: BucketConfig,
        keys: CredentialProvider,
        *,
        timeout: timedelta,
        is_public: bool = False,
        has_own_keys: bool = False,
    ) -> None:
        super().__init__(config, keys, timeout=timeout)
        self._is_public = is_public
        self._has_own_keys = has_own_keys
        self._running = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Return this probe."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def run(self, key: str, body: bytes) -> ProbeReport:
        """Open links to an object that exists. May be called again."""
        async with self._running:
            self._key, self._body, self._results = key, body, []
            try:
                await self._check_read()
                await self._check_range()
            except CheckFailed:
                pass
            return ProbeReport(results=list(self._with_our_settings()), features=self._features)

    def _with_our_settings(self) -> Iterator[CheckResult]:
        """Yield the results with the names of the settings that are about links."""
        for result in self._results:
            message = result.message
            if self._is_public:
                message = message.replace(ENDPOINT, _PUBLIC_ENDPOINT)
            if self._has_own_keys:
                message = message.replace(KEYS, _SIGNING_KEYS)
                message = message.replace("rejects the keys", "rejects the signing keys")
                message = message.replace("let these keys", "let the signing keys")
            yield replace(result, message=message)
