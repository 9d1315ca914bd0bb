"""Calls to one store with obstore: limited in time, measured, repeated, with translated errors."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypeVar

from obstore.exceptions import BaseError
from prometheus_client import Counter, Histogram

from safelight.errors import StorageUnavailable
from safelight.metrics import SHORT_SECONDS
from safelight.signing.credentials import CredentialProvider
from safelight.storage.config import BucketConfig
from safelight.storage.features import StoreFeatures
from safelight.storage.s3_api import BucketAPI
from safelight.storage.s3_client import StoreFactory, is_refusal, open_s3_store
from safelight.tracing import span

T = TypeVar("T")

_MIN_BYTES_PER_SECOND = 1024 * 1024
_RESTART = timedelta(seconds=2)


class StoreCalls:
    """What all calls to a bucket have in common.

    Each is signed with the current credentials; if the store refuses them and `credentials` can be
    refreshed, the call is repeated once. No call begins while `is_running` returns False.
    `features` is updated when the store turns out not to support one.
    """

    def __init__(
        self,
        config: BucketConfig,
        credentials: CredentialProvider,
        *,
        timeout: timedelta,
        open_store: StoreFactory = open_s3_store,
        is_running: Callable[[], bool] = lambda: True,
        features: StoreFeatures | None = None,
    ) -> None:
        self.seconds = Histogram(
            "safelight_storage_seconds",
            "Duration of calls to the bucket, by verb.",
            ["verb"],
            buckets=SHORT_SECONDS,
            registry=None,
        )
        self.calls = Counter(
            "safelight_storage_calls", "Calls to the bucket.", ["verb"], registry=None
        )
        self.errors = Counter(
            "safelight_storage_errors", "Failed calls to the bucket.", ["verb"], registry=None
        )
        self.features = features or StoreFeatures.of(config)
        self._config = config
        self._credentials = credentials
        self._timeout = timeout.total_seconds()
        self._is_running = is_running
        self._open_store = open_store
        self._open_stores()
        # For what obstore can't do; it connects when it is first used.
        self._api = BucketAPI(config, credentials, timeout=timeout)

    def _open_stores(self) -> None:
        """Open obstore's clients, for the features that the store is known to support."""
        config = self.features.limit(self._config)
        timeout = timedelta(seconds=self._timeout)
        self._store = self._open_store(config, self._credentials, timeout)
        # obstore has no timeout per request: for large objects `_limited` alone sets one.
        self._slow_store = self._open_store(config, self._credentials, timedelta(hours=1))

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    def require_running(self) -> None:
        """Raise StorageUnavailable if the store's process has ended: others can take its port."""
        if not self._is_running():
            raise StorageUnavailable(retry_after=_RESTART)

    async def _call(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call, and repeat it if it was refused and there are newer credentials."""
        used = self._credentials.current
        try:
            return await call()
        except BaseError as error:
            if not (is_refusal(error) and await self._credentials.refresh(used)):
                raise
        return await call()

    @asynccontextmanager
    async def _limited(self, verb: str, size: int = 0) -> AsyncIterator[None]:
        """Measure a call, limit its time by the bytes it transfers, and translate its errors."""
        self.calls.labels(verb).inc()
        failures = self.errors.labels(verb)  # exported as 0 from the first call on
        with span(f"storage {verb}"), self.seconds.labels(verb).time():
            if not self._is_running():
                failures.inc()
                raise StorageUnavailable(retry_after=_RESTART)
            try:
                async with asyncio.timeout(self._timeout + size // _MIN_BYTES_PER_SECOND):
                    yield
            except StorageUnavailable:
                failures.inc()
                raise
            except (BaseError, FileNotFoundError, TimeoutError) as error:
                failures.inc()
                raise StorageUnavailable from error
