"""What lies in the bucket: listed in order, read to be checked, moved out of the way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from safelight.errors import NotFound, OperatorError
from safelight.storage.storage import Storage

if TYPE_CHECKING:
    from obstore import ObjectMeta  # which is there for type checkers alone

_BATCH = 1000
"""Keys in one answer of the store: as many as S3 gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An object. `size` is bytes; `modified_at` is by the store's clock."""

    key: str
    size: int
    modified_at: datetime


class Inventory(Storage):
    """A bucket whose objects can be gone through too. Nothing here holds more than a thousand.

    Copies are made by the store itself: no bytes pass through here.
    """

    async def listed(self, prefix: str) -> AsyncIterator[list[Stored]]:
        """List the objects below a prefix, by their keys in the order of UTF-8.

        Each answer of the store comes within `timeout`, however many they are. Raises
        OperatorError for a store that lists in another order (S3 Express does).
        """
        last = ""
        while batch := await self._page(prefix, after=last):
            found = [_stored(meta) for meta in batch]
            for each in found:
                if each.key <= last:
                    raise OperatorError(
                        "The store doesn't list its keys in order, so rows can't be compared with"
                        " its objects: use a bucket of another kind."
                    )
                last = each.key
            yield found

    async def folders(self, prefix: str) -> list[str]:
        """List the folders right below a prefix that ends with '/', with a '/' at the end too."""
        async with self._answering("list"):
            found = await self._accepted(lambda: self._store.list_with_delimiter_async(prefix))
        return sorted(f"{each}/" for each in found["common_prefixes"])

    async def copy(self, key: str, to: str) -> None:
        """Copy an object, headers and all, over what lies at `to`. Raises NotFound."""
        async with self._answering("copy"):
            try:
                await self._accepted(lambda: self._store.copy_async(key, to))
            except FileNotFoundError as error:
                raise NotFound from error

    async def read(self, key: str, take: Callable[[bytes], object]) -> int:
        """Hand an object's bytes to `take`, however many; gives their number. Raises NotFound.

        `timeout` is for each piece, not for them all.
        """
        async with self._answering("get"):
            try:
                found = await self._accepted(lambda: self._store.get_async(key))
            except FileNotFoundError as error:
                raise NotFound from error
            pieces = aiter(found.stream())
        count = 0
        while True:
            try:
                async with self._answering("get"):
                    piece = bytes(await anext(pieces))
            except StopAsyncIteration:
                return count
            count += len(piece)
            await asyncio.to_thread(take, piece)

    async def _page(self, prefix: str, *, after: str) -> "Sequence[ObjectMeta]":
        """Ask for one answer of the store's: each stands for itself, and may be repeated."""

        async def first() -> "Sequence[ObjectMeta]":
            async for page in self._store.list(prefix, offset=after or None, chunk_size=_BATCH):
                return page
            return ()

        async with self._answering("list"):
            return await self._accepted(first)


def _stored(meta: "ObjectMeta") -> Stored:
    return Stored(key=meta["path"], size=meta["size"], modified_at=meta["last_modified"])
