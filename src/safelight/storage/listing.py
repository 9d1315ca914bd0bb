"""List the objects and folders of a bucket.

Some stores list the folders that they make for keys, as empty objects whose keys end with '/'
(MinIO's gateways, file systems behind S3). obstore strips that slash. They are not objects of ours:
an empty object is looked up, and left out unless it exists under the key that obstore returns.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from safelight.errors import OperatorError, StorageUnavailable
from safelight.storage.objects import PROBE_PREFIX, StoredObject
from safelight.storage.store_calls import StoreCalls

if TYPE_CHECKING:
    from obstore import ObjectMeta  # this exists for type checkers only

PAGE_SIZE = 1000
"""Keys in one response to a list request: S3's maximum."""
_LOOKUPS_AT_ONCE = 16


class ObjectListing(StoreCalls):
    """The list calls of a bucket."""

    async def list_objects(
        self, prefix: str, *, start_after: str = ""
    ) -> AsyncIterator[list[StoredObject]]:
        """List the objects below a prefix in pages, by key, in the order of UTF-8.

        `timeout` applies to each page, not to the whole listing. Raises OperatorError for a
        store that lists in another order, as S3 Express does.
        """
        last = start_after
        while page := await self._list_page(prefix, start_after=last):
            folders = await self._find_folders(page)
            objects = []
            for meta in page:
                key = f"{meta['path']}/" if meta["path"] in folders else meta["path"]
                if key <= last:
                    raise OperatorError(
                        "The store doesn't list its keys in order, so its objects can't be compared"
                        " with the catalog: use a general-purpose bucket."
                    )
                last = key
                if not key.endswith("/"):
                    objects.append(
                        StoredObject(key=key, size=meta["size"], modified_at=meta["last_modified"])
                    )
            if objects:
                yield objects

    async def _list_page(self, prefix: str, *, start_after: str) -> "Sequence[ObjectMeta]":
        """Request one page; pages are independent, so that each can be retried."""
        # obstore strips the slash of a folder's key; no key of ours sorts before '!'.
        offset = f"{start_after}!" if start_after.endswith("/") else start_after

        async def first_page() -> "Sequence[ObjectMeta]":
            pages = self._store.list(prefix, offset=offset or None, chunk_size=PAGE_SIZE)
            async for page in pages:
                return page
            return ()

        async with self._limited("list"):
            return await self._call(first_page)

    async def _find_folders(self, page: "Sequence[ObjectMeta]") -> set[str]:
        """Return the keys on a page that stand for folders, without the slash at their end."""
        empty = [meta["path"] for meta in page if meta["size"] == 0]
        if not empty:
            return set()
        slots = asyncio.Semaphore(_LOOKUPS_AT_ONCE)

        async def is_folder(key: str) -> bool:
            try:
                async with slots:
                    meta = await self._call(partial(self._store.head_async, key))
            except FileNotFoundError:
                return True
            return meta["size"] != 0

        async with self._limited("head"):
            found = await asyncio.gather(*map(is_folder, empty))
        return {key for key, is_one in zip(empty, found, strict=True) if is_one}

    async def list_folders(self, prefix: str) -> list[str]:
        """List the folders directly below a prefix; prefix and folders end with '/'."""
        async with self._limited("list"):
            listing = await self._call(partial(self._store.list_with_delimiter_async, prefix))
        return sorted(f"{folder}/" for folder in listing["common_prefixes"])

    async def can_list(self) -> bool:
        """Return whether the bucket exists and can be listed."""
        try:
            await self._list_page(PROBE_PREFIX, start_after="")
        except StorageUnavailable:
            return False
        return True
