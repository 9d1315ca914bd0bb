"""Store, read, list, copy and delete the objects of one bucket, with obstore.

Nothing here knows about photos. `iam.py` lists the permissions that these calls need.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from mmap import mmap
from typing import TYPE_CHECKING, Literal, TypeVar

from obstore.exceptions import AlreadyExistsError, BaseError, GenericError
from prometheus_client import Counter, Histogram

from safelight.errors import NotFound, OperatorError, StorageUnavailable
from safelight.metrics import SHORT_SECONDS
from safelight.signing.credentials import CredentialProvider
from safelight.storage.config import BucketConfig
from safelight.storage.s3_client import StoreFactory, is_refusal, open_s3_store
from safelight.tracing import span

if TYPE_CHECKING:
    from obstore import ObjectMeta  # this exists for type checkers only

T = TypeVar("T")

CACHE_CONTROL = "private, max-age=31536000, immutable"
"""An object's bytes never change, and its links are for one person's browser."""

_PROBE_KEY = "photos/-/readiness"
"""A key that no photo can have: reading it proves the connection and the signature."""
_MAX_CONCURRENT_WRITES = 4
"""Each write holds its bytes in memory until the store has them."""
_MIN_BYTES_PER_SECOND = 1024 * 1024
_LARGE_OBJECT = 4 * 1024 * 1024
_READ_CHUNK = 256 * 1024
"""Larger chunks would only use more memory."""
_RESTART = timedelta(seconds=2)
_PAGE_SIZE = 1000
"""Keys in one response to a list request: S3's maximum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object in a listing. `size` is in bytes; `modified_at` is by the store's clock."""

    key: str
    size: int
    modified_at: datetime


class Bucket:
    """One bucket. Every call ends within `timeout`, or raises StorageUnavailable.

    A transfer gets another second for each MB. Each call is signed with the current credentials; if
    the store refuses them and `credentials` can be refreshed, the call is repeated once. No call
    begins while `is_running` returns False.
    """

    def __init__(
        self,
        config: BucketConfig,
        credentials: CredentialProvider,
        *,
        timeout: timedelta,
        open_store: StoreFactory = open_s3_store,
        is_running: Callable[[], bool] = lambda: True,
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
        self._credentials = credentials
        self._timeout = timeout.total_seconds()
        self._is_running = is_running
        self._put_mode: Literal["create", "overwrite"] = (
            "create" if config.conditional_writes else "overwrite"
        )
        self._write_slots = asyncio.Semaphore(_MAX_CONCURRENT_WRITES)
        self._store = open_store(config, credentials, timeout)
        # obstore has no timeout per request: for large objects `_limited` alone sets one.
        self._slow_store = open_store(config, credentials, timedelta(hours=1))

    def require_running(self) -> None:
        """Raise StorageUnavailable if the store's process has ended: others can take its port."""
        if not self._is_running():
            raise StorageUnavailable(retry_after=_RESTART)

    async def put(
        self, key: str, data: bytes | mmap, *, content_type: str, same_size: bool = True
    ) -> None:
        """Store an object, whole or not at all; the store checks its SHA-256 if it can.

        Keys must never be reused. On a store with conditional writes an existing object is not
        replaced: it counts as stored if it has the same size (the response to an earlier attempt
        was lost), or any size if `same_size` is false.
        """
        store = self._slow_store if len(data) > _LARGE_OBJECT else self._store

        async def put_with_retry() -> None:
            # obstore doesn't repeat a PUT whose connection closed half-way.
            for is_last in (False, True):
                try:
                    await store.put_async(
                        key,
                        data,
                        attributes={"Content-Type": content_type, "Cache-Control": CACHE_CONTROL},
                        mode=self._put_mode,
                        use_multipart=False,
                    )
                except GenericError:
                    if is_last:
                        raise
                else:
                    return

        async with self._limited("put", len(data)), self._write_slots:
            try:
                await self._call(put_with_retry)
            except AlreadyExistsError:
                if same_size and (await self._store.head_async(key))["size"] != len(data):
                    raise

    async def fetch(
        self, key: str, write: Callable[[bytes], object], *, size: int | None = None
    ) -> int:
        """Pass an object's bytes to `write`, in chunks, and return the object's size.

        If `size` is given, an object of another size is not read; its size is still returned.
        Raises NotFound.
        """
        async with self._limited("get", size or 0):
            try:
                response = await self._call(partial(self._slow_store.get_async, key))
            except FileNotFoundError as error:
                raise NotFound from error
            total = response.meta["size"]
            if size is None or total == size:
                received = 0
                async for chunk in response.stream(min_chunk_size=_READ_CHUNK):
                    received += len(chunk)
                    write(bytes(chunk))
                if received != total:
                    raise StorageUnavailable from RuntimeError(
                        f"{key}: received {received} of {total} bytes"
                    )
            return total

    async def read(self, key: str, write: Callable[[bytes], object]) -> int:
        """Pass an object's bytes to `write` on a thread, in chunks, and return their number.

        For objects of any size: `timeout` applies to each chunk, not to the whole object. Raises
        NotFound.
        """
        async with self._limited("get"):
            try:
                response = await self._call(partial(self._store.get_async, key))
            except FileNotFoundError as error:
                raise NotFound from error
            chunks = aiter(response.stream())
        count = 0
        while True:
            try:
                async with self._limited("get"):
                    chunk = bytes(await anext(chunks))
            except StopAsyncIteration:
                return count
            count += len(chunk)
            await asyncio.to_thread(write, chunk)

    async def size(self, key: str) -> int | None:
        """Return an object's size in bytes; None if there is no such object."""
        async with self._limited("head"):
            try:
                return (await self._call(partial(self._store.head_async, key)))["size"]
            except FileNotFoundError:
                return None

    async def copy(self, key: str, to: str) -> None:
        """Copy an object and its headers within the store, replacing any object at `to`.

        Raises NotFound.
        """
        async with self._limited("copy"):
            try:
                await self._call(partial(self._store.copy_async, key, to))
            except FileNotFoundError as error:
                raise NotFound from error

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects, a thousand in a request; a missing object is not an error.

        When this raises, some of them may be deleted.
        """
        async with self._limited("delete"):
            await self._call(partial(self._store.delete_async, list(keys)))

    async def delete_prefix(self, prefix: str) -> None:
        """Delete every object whose key begins with a prefix, if there are any."""
        if not prefix.endswith("/"):
            raise ValueError("a prefix must end with '/', or it could match other folders")

        async def delete_all() -> None:
            async for page in self._store.list(prefix):
                await self._store.delete_async([meta["path"] for meta in page])

        async with self._limited("delete_prefix"):
            await self._call(delete_all)

    async def list_objects(
        self, prefix: str, *, start_after: str = ""
    ) -> AsyncIterator[list[StoredObject]]:
        """List the objects below a prefix in pages, by key, in the order of UTF-8.

        `timeout` applies to each page, not to the whole listing. Raises OperatorError for a
        store that lists in another order, as S3 Express does.
        """
        last = start_after
        while page := await self._list_page(prefix, start_after=last):
            for meta in page:
                if meta["path"] <= last:
                    raise OperatorError(
                        "The store doesn't list its keys in order, so its objects can't be compared"
                        " with the catalog: use a general-purpose bucket."
                    )
                last = meta["path"]
            yield [
                StoredObject(key=meta["path"], size=meta["size"], modified_at=meta["last_modified"])
                for meta in page
            ]

    async def _list_page(self, prefix: str, *, start_after: str) -> "Sequence[ObjectMeta]":
        """Request one page; pages are independent, so that each can be retried."""

        async def first_page() -> "Sequence[ObjectMeta]":
            pages = self._store.list(prefix, offset=start_after or None, chunk_size=_PAGE_SIZE)
            async for page in pages:
                return page
            return ()

        async with self._limited("list"):
            return await self._call(first_page)

    async def list_folders(self, prefix: str) -> list[str]:
        """List the folders directly below a prefix; prefix and folders end with '/'."""
        async with self._limited("list"):
            listing = await self._call(partial(self._store.list_with_delimiter_async, prefix))
        return sorted(f"{folder}/" for folder in listing["common_prefixes"])

    async def ping(self) -> None:
        """Check that the store answers a signed request. Raises StorageUnavailable otherwise."""
        await self.size(_PROBE_KEY)

    async def can_list(self) -> bool:
        """Return whether the bucket exists and can be listed."""
        try:
            await self._list_page(f"{_PROBE_KEY}/", start_after="")
        except StorageUnavailable:
            return False
        return True

    async def _call(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call, and repeat it if it was refused and there are newer credentials."""
        used = self._credentials.current()
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
            try:
                self.require_running()
                async with asyncio.timeout(self._timeout + size // _MIN_BYTES_PER_SECOND):
                    yield
            except StorageUnavailable:
                failures.inc()
                raise
            except (BaseError, FileNotFoundError, TimeoutError) as error:
                failures.inc()
                raise StorageUnavailable from error
