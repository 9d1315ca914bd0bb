"""List the objects and folders of a bucket.

Some stores list the folders that they make for keys, as empty objects whose keys end with '/'
(MinIO's gateways, file systems behind S3). They are not objects of ours, and are left out. obstore
strips that slash, so the keys of a page with empty objects are listed a second time.
"""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from obstore.store import S3Store

from safelight.errors import OperatorError, StorageUnavailable
from safelight.storage.objects import PROBE_PREFIX, StoredObject
from safelight.storage.store_calls import StoreCalls

if TYPE_CHECKING:
    from obstore import ObjectMeta  # this exists for type checkers only

PAGE_SIZE = 1000
"""Keys in one response to a list request: S3's maximum."""


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
            folders = await self._find_folders(page, prefix, start_after=last)
            objects, before = [], last
            for meta in page:
                is_folder = meta["path"] in folders
                key = f"{meta['path']}/" if is_folder else meta["path"]
                if is_folder and key == before:
                    continue  # JuiceFS begins with the folder after which it should begin
                if key <= last:
                    raise OperatorError(
                        "The store doesn't list its keys in order, so its objects can't be compared"
                        " with the catalog: use a general-purpose bucket."
                    )
                last = key
                if not is_folder:
                    objects.append(
                        StoredObject(key=key, size=meta["size"], modified_at=meta["last_modified"])
                    )
            if last == before:
                return
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

    async def _find_folders(
        self, page: "Sequence[ObjectMeta]", prefix: str, *, start_after: str
    ) -> set[str]:
        """Return the keys on a page that stand for folders, without the slash at their end."""
        empty = [meta["path"] for meta in page if meta["size"] == 0]
        if not (empty and isinstance(self._store, S3Store)):
            return set()
        folders: set[str] = set()
        async with self._limited("list"):
            async for key in self._list_keys(prefix, start_after=start_after):
                if key.endswith("/"):
                    folders.add(key[:-1])
                if key > f"{empty[-1]}/":
                    break
        self.features.folders |= bool(folders)
        return folders & set(empty)

    async def _list_keys(self, prefix: str, *, start_after: str) -> AsyncIterator[str]:
        """Yield the keys below a prefix as the store has them."""
        last, is_truncated = start_after, True
        while is_truncated:
            query = {"list-type": "2", "prefix": prefix, "max-keys": str(PAGE_SIZE)}
            response = await self._api.request(
                "GET", query | ({"start-after": last} if last else {})
            )
            try:
                listing = ET.fromstring(response.body)  # noqa: S314  see storage/multipart.py
            except ET.ParseError as error:
                raise StorageUnavailable from error
            if not response.is_success:
                raise StorageUnavailable from RuntimeError(str(response.error))
            for stored in listing.iterfind("{*}Contents/{*}Key"):
                last = stored.text or ""
                yield last
            is_truncated = listing.findtext("{*}IsTruncated") == "true"

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
