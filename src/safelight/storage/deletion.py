"""Delete objects of a bucket in batches that the store manages in time, or one at a time."""

import asyncio
import contextlib
import re
import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from http import HTTPStatus

from obstore.exceptions import BaseError

from safelight.errors import StorageUnavailable
from safelight.storage.listing import PAGE_SIZE, ObjectListing
from safelight.storage.responses import StoreError
from safelight.storage.s3_client import ObjectStore

_DELETES_AT_ONCE = 10
_MAX_TIMEOUTS = 2
"""After this number in a row the store is considered down, not slow."""
_MAX_TEXT = 500
_is_unreadable = re.compile(
    r"invalid DeleteObjects response|missing field|deserializ|unexpected (?:event|end)",
    re.IGNORECASE,
).search


class ObjectDeletion(ObjectListing):
    """The delete calls of a bucket."""

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; a missing object is not an error.

        `timeout` applies to each batch of up to a thousand. A store that takes longer gets smaller
        ones. When this raises, some of the objects may be deleted.
        """
        rest, timeouts = list(keys), 0
        while rest:
            batch = rest[: self.features.delete_batch]
            began = time.monotonic()
            try:
                async with self._limited("delete"):
                    await self._delete_batch(batch)
            except StorageUnavailable as error:
                timeouts += 1
                if not isinstance(error.__cause__, TimeoutError) or timeouts == _MAX_TIMEOUTS:
                    raise
                self.features.adjust_delete_batch(len(batch), self._timeout, self._timeout)
                continue
            seconds, timeouts = time.monotonic() - began, 0
            self.features.adjust_delete_batch(len(batch), seconds, self._timeout)
            rest = rest[len(batch) :]

    async def delete_prefix(self, prefix: str) -> None:
        """Delete every object whose key begins with a prefix, if there are any, and its folder.

        `timeout` applies to each page of the list and to each batch.
        """
        if not prefix.endswith("/"):
            raise ValueError("a prefix must end with '/', or it could match other folders")
        last = ""
        while page := await self._list_page(prefix, start_after=last):
            folders = await self._find_folders(page, prefix, start_after=last)
            await self.delete([meta["path"] for meta in page if meta["path"] not in folders])
            for folder in sorted(folders, reverse=True):  # a folder's own folders first
                await self._delete_folder(f"{folder}/")
            path = page[-1]["path"]
            last = f"{path}/" if path in folders else path
            if len(page) < PAGE_SIZE:
                break
        if self.features.folders or not self.features.bulk_deletes:
            # JuiceFS lists a folder for the prefix above it only, and keeps it after bulk deletes.
            await self._delete_folder(prefix)

    async def _delete_batch(self, batch: Sequence[str]) -> None:
        features = self.features
        if not (features.bulk_deletes and features.checksums):
            await self._delete_each(batch, self._store)
            return
        try:
            # Its timeout is that of `_limited`, which can't be confused with the store's errors.
            await self._call(partial(self._slow_store.delete_async, list(batch)))
        except BaseError as error:
            refusal = StoreError.of(error)
            if not (_may_be_unsupported(refusal) if refusal else _is_unreadable(str(error))):
                raise
            single = features.without("bulk_deletes").limit(self._config)
            store = self._open_store(single, self._credentials, timedelta(seconds=self._timeout))
            await self._delete_each(batch, store)
            features.disable("bulk_deletes", refusal or _first_line(error))
            self._open_stores()

    async def _delete_each(self, batch: Sequence[str], store: ObjectStore) -> None:
        waiting = iter(batch)

        async def work_through() -> None:
            for key in waiting:
                with contextlib.suppress(FileNotFoundError):
                    await self._call(partial(store.delete_async, key))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_DELETES_AT_ONCE):
                    group.create_task(work_through())
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _delete_folder(self, key: str) -> None:
        """Delete an empty object whose key ends with '/', which obstore can't name."""
        async with self._limited("delete"):
            response = await self._api.request("DELETE", {}, key=key)
            if not response.is_success and response.status != HTTPStatus.NOT_FOUND:
                raise StorageUnavailable from RuntimeError(f"{key}: {response.error}")


def _may_be_unsupported(refusal: StoreError) -> bool:
    return refusal.is_unsupported or refusal.status == HTTPStatus.BAD_REQUEST


def _first_line(error: BaseError) -> str:
    return str(error).partition("\n")[0][:_MAX_TEXT]
