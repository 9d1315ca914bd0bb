"""Store, read, list, copy and delete the objects of one bucket, with obstore.

Nothing here knows about photos. `iam.py` lists the permissions that these calls need.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import partial
from mmap import mmap
from typing import TYPE_CHECKING

from obstore.exceptions import AlreadyExistsError, BaseError, GenericError

from safelight.errors import NotFound, StorageUnavailable
from safelight.signing.credentials import CredentialProvider
from safelight.storage.config import BucketConfig
from safelight.storage.copying import ObjectCopies
from safelight.storage.features import WRITES_WITHOUT, StoreFeatures
from safelight.storage.objects import CACHE_CONTROL, PROBE_PREFIX, probe_key
from safelight.storage.probe.link_probe import LinkFailure, LinkProbe
from safelight.storage.responses import StoreError
from safelight.storage.s3_client import ObjectStore, StoreFactory, open_s3_store

if TYPE_CHECKING:
    from obstore import GetOptions

_READINESS_KEY = f"{PROBE_PREFIX}readiness"
_READINESS = b"readiness"
_PROVEN_SECONDS = 10.0
_MAX_CONCURRENT_WRITES = 4
"""Each write holds its bytes in memory until the store has them."""
_LARGE_OBJECT = 4 * 1024 * 1024
_READ_CHUNK = 256 * 1024
"""Larger chunks would only use more memory."""
_FETCH_CHUNK = 512 * 1024
"""Of objects that an upload waits for: every chunk resumes all that wait with it."""


class Bucket(ObjectCopies):
    """One bucket. Every call ends within `timeout`, or raises StorageUnavailable.

    A transfer gets another second for each MB. `links` opens links that other keys sign than those
    of the service; None if the same keys do.
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
        links: LinkProbe | None = None,
    ) -> None:
        super().__init__(
            config,
            credentials,
            timeout=timeout,
            open_store=open_store,
            is_running=is_running,
            features=features,
        )
        self._links = links
        self._write_slots = asyncio.Semaphore(_MAX_CONCURRENT_WRITES)
        self._adapting = asyncio.Lock()
        self._write_again_at = 0.0
        """When the next readiness check writes, by the monotonic clock."""

    async def put(
        self,
        key: str,
        data: bytes | mmap,
        content_type: str,
        *,
        same_size: bool = True,
        waits: bool = True,
    ) -> None:
        """Store an object, whole or not at all; the store checks its SHA-256 if it can.

        Keys must never be reused. On a store with conditional writes an existing object is not
        replaced: it counts as stored if it has the same size (the response to an earlier attempt
        was lost), or any size if `same_size` is false. It `waits` until few others are written.
        """
        slot = self._write_slots if waits else nullcontext()
        async with self._limited("put", len(data)), slot:
            used: StoreFeatures | None = replace(self.features)  # they may change meanwhile
            while True:
                try:
                    return await self._write(key, data, content_type)
                except AlreadyExistsError:
                    if same_size and (await self._store.head_async(key))["size"] != len(data):
                        raise
                    return None
                except BaseError as error:
                    if used is None or not await self._adapt(used, error):
                        raise
                    used = None

    async def _write(
        self,
        key: str,
        data: bytes | mmap,
        content_type: str,
        trial: tuple[ObjectStore, StoreFeatures] | None = None,
    ) -> None:
        # obstore doesn't repeat a PUT whose connection closed half-way.
        for is_last in (False, True):
            usual = self._slow_store if len(data) > _LARGE_OBJECT else self._store
            store, features = trial or (usual, self.features)
            try:
                await self._call(
                    partial(
                        store.put_async,
                        key,
                        data,
                        attributes={"Content-Type": content_type, "Cache-Control": CACHE_CONTROL},
                        mode="create" if features.conditional_writes else "overwrite",
                        use_multipart=False,
                    )
                )
            except GenericError as error:
                refusal = StoreError.of(error)
                if is_last or (refusal and refusal.may_refuse_header):
                    raise
            else:
                return

    async def _adapt(self, used: StoreFeatures, error: BaseError) -> bool:
        """Find out whether the store refused a header of a write, and do without it from now on.

        A small object decides that, so that a refusal of the photo is never taken for one of the
        headers. Returns whether the features have changed since the write with `used` was refused.
        """
        refusal = StoreError.of(error)
        if not (refusal and refusal.may_refuse_header):
            return False
        async with self._adapting:
            if (used.conditional_writes, used.checksums) != (
                self.features.conditional_writes,
                self.features.checksums,
            ):
                return True
            for omitted in ((), *WRITES_WITHOUT):
                if not all(getattr(used, feature) for feature in omitted):
                    continue
                if await self._try_features(used.without(*omitted)):
                    for feature in omitted:
                        self.features.disable(feature, refusal)
                    self._open_stores()
                    return bool(omitted)
        return False

    async def _try_features(self, features: StoreFeatures) -> bool:
        """Write a small object with these features, delete it, and return whether that worked."""
        timeout = timedelta(seconds=self._timeout)
        store = self._open_store(features.limit(self._config), self._credentials, timeout)
        key = probe_key()
        try:
            await self._write(key, b"probe", "text/plain", trial=(store, features))
        except BaseError:
            return False
        await store.delete_async(key)
        return True

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
                async for chunk in response.stream(min_chunk_size=_FETCH_CHUNK):
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

    async def stream(self, key: str, *, start: int = 0) -> AsyncGenerator[bytes]:
        """Yield an object's bytes from `start` on, in chunks as the caller takes them.

        For objects of any size: `timeout` applies to each chunk. Raises NotFound.
        """
        options: GetOptions = {"range": {"offset": start}} if start else {}
        async with self._limited("get"):
            try:
                response = await self._call(partial(self._store.get_async, key, options=options))
            except FileNotFoundError as error:
                raise NotFound from error
            chunks = aiter(response.stream(min_chunk_size=_READ_CHUNK))
        while True:
            try:
                async with self._limited("get"):
                    chunk = bytes(await anext(chunks))
            except StopAsyncIteration:
                return
            yield chunk

    async def size(self, key: str) -> int | None:
        """Return an object's size in bytes; None if there is no such object."""
        async with self._limited("head"):
            try:
                return (await self._call(partial(self._store.head_async, key)))["size"]
            except FileNotFoundError:
                return None

    async def copy(self, key: str, to: str, *, size: int = 0) -> None:
        """Copy an object and its headers within the store, replacing any object at `to`.

        `size` is its number of bytes, for which a large object gets more time. Raises NotFound.
        """
        store = self._slow_store if size > _LARGE_OBJECT else self._store
        async with self._limited("copy", size):
            try:
                await self._call(partial(store.copy_async, key, to))
            except FileNotFoundError as error:
                raise NotFound from error

    async def ping(self) -> None:
        """Check that the store takes writes, and opens links. Raises StorageUnavailable otherwise.

        After that worked, only reading is checked for ten seconds.
        """
        if time.monotonic() < self._write_again_at:
            await self.size(_READINESS_KEY)
            return
        key = probe_key()
        await self.put(key, _READINESS, "text/plain", waits=False)
        try:
            await self._open_link(key)
        finally:
            await self.delete([key])
        self._write_again_at = time.monotonic() + _PROVEN_SECONDS

    async def _open_link(self, key: str) -> None:
        """Open a link to an object of `ping`. Raises StorageUnavailable from a LinkFailure."""
        if self._links is None:
            return
        async with self._limited("get"):
            report = await self._links.run(key, _READINESS)
        if failure := report.failure:
            raise StorageUnavailable(
                "Links to photos don't work right now. Try again later."
            ) from LinkFailure(failure.text)

    async def close(self) -> None:
        """Close the connections."""
        if self._links:
            await self._links.close()
        await super().close()
