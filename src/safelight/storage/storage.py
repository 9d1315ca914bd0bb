"""The object store: a few verbs over any S3, by obstore. It knows no photos.

The permissions it needs on the bucket are GetObject, PutObject, DeleteObject and ListBucket.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from mmap import mmap
from typing import TYPE_CHECKING

from obstore.exceptions import AlreadyExistsError, BaseError, GenericError
from obstore.store import S3Store

from safelight.errors import StorageUnavailable
from safelight.storage.access import Access

if TYPE_CHECKING:
    from obstore.store import S3Config

CACHE_CONTROL = "private, max-age=31536000, immutable"
"""An object's bytes never change, and its links are for one person's browser."""

_NOWHERE = "photos/-/readiness"
"""A key that no photo can have: a read of it proves the way there and the signature."""

_AT_ONCE = 4
"""Writes under way at once: each holds its bytes in memory until the store has them."""


class Storage:
    """One bucket. Every call ends within `timeout`, or raises StorageUnavailable."""

    def __init__(self, access: Access, *, timeout: timedelta, conditional: bool = True) -> None:
        self._timeout = timeout.total_seconds()
        self._create = conditional
        self._writing = asyncio.Semaphore(_AT_ONCE)
        self._store = S3Store(
            access.bucket,
            config=_config(access),
            client_options={
                "allow_http": True,
                "connect_timeout": timedelta(seconds=1),
                "timeout": timeout,
            },
            retry_config={
                "max_retries": 3,
                "retry_timeout": timeout,
                "backoff": {
                    "init_backoff": timedelta(milliseconds=50),
                    "max_backoff": timedelta(seconds=1),
                    "base": 2,
                },
            },
        )

    async def put(self, key: str, data: bytes | mmap, *, content_type: str) -> None:
        """Write an object whole or not at all; the store checks its SHA-256.

        The key must be one that is never used again: where the store has conditional writes,
        what already lies there is not replaced, and counts as written if it has the same size
        (a first try whose answer was lost).
        """
        async with self._answering(), self._writing:
            try:
                await self._put_twice(key, data, content_type)
            except AlreadyExistsError:
                meta = await self._store.head_async(key)
                if meta["size"] != len(data):
                    raise

    async def _put_twice(self, key: str, data: bytes | mmap, content_type: str) -> None:
        """Repeat once what obstore doesn't: a PUT whose connection closed half-way."""
        for last in (False, True):
            try:
                await self._store.put_async(
                    key,
                    data,
                    attributes={"Content-Type": content_type, "Cache-Control": CACHE_CONTROL},
                    mode="create" if self._create else "overwrite",
                    use_multipart=False,
                )
            except GenericError:
                if last:
                    raise
            else:
                return

    async def delete_prefix(self, prefix: str) -> None:
        """Delete every object whose key begins with the prefix; none is no error."""
        if not prefix.endswith("/"):
            raise ValueError("a prefix ends with '/', lest it match more than it names")
        async with self._answering():
            async for batch in self._store.list(prefix):
                await self._store.delete_async([meta["path"] for meta in batch])

    async def size(self, key: str) -> int | None:
        """Tell how many bytes an object has; None if there is none."""
        async with self._answering():
            try:
                return (await self._store.head_async(key))["size"]
            except FileNotFoundError:
                return None

    async def ping(self) -> None:
        """Return if the store answers a signed request."""
        await self.size(_NOWHERE)

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout):
                yield
        except (BaseError, FileNotFoundError, TimeoutError) as error:
            raise StorageUnavailable from error


def _config(access: Access) -> "S3Config":
    config: S3Config = {
        "region": access.region,
        "access_key_id": access.access_key,
        "secret_access_key": access.secret_key,
        "checksum_algorithm": "SHA256",
        "virtual_hosted_style_request": access.virtual_hosted,
    }
    if access.endpoint_url:
        config["endpoint"] = (
            _bucket_endpoint(access) if access.virtual_hosted else access.endpoint_url
        )
    if access.session_token:
        config["session_token"] = access.session_token
    return config


def _bucket_endpoint(access: Access) -> str:
    """Put the bucket before the host, as obstore wants a virtual-hosted endpoint to be given."""
    scheme, _, host = (access.endpoint_url or "").partition("://")
    return f"{scheme}://{access.bucket}.{host}"
