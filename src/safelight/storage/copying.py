"""Read objects that others have written, and copy them within a store.

What is copied must be what was read: another program may replace the object in between. So a copy
counts only if the store proves it, by a digest of the copied bytes that equals that of the read
ones.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Self

from obstore.store import MemoryStore

from safelight.errors import NotFound, StorageUnavailable
from safelight.signing.sigv4 import encode_key
from safelight.storage.deletion import ObjectDeletion
from safelight.storage.objects import CACHE_CONTROL

_READ_CHUNK = 256 * 1024
_copied_etag = re.compile(rb"<ETag>\s*(?:&quot;|&#34;|\")?([0-9a-f]{32})\b(?!-)").search
_copied_sha256 = re.compile(rb"<ChecksumSHA256>\s*([A-Za-z0-9+/=]{44})\s*<").search


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectVersion:
    """An object as it was read: its key and ETag, and digests of its bytes (hex and base64)."""

    bucket: str
    key: str
    etag: str | None
    md5: str
    sha256: str


class ObjectCopies(ObjectDeletion):
    """The calls of a bucket that read and copy objects of others."""

    @property
    def name(self) -> str:
        """The name of the bucket."""
        return self._config.bucket

    def sibling(self, name: str) -> Self:
        """Return another bucket of the same store, for calls with the same credentials."""
        return type(self)(
            replace(self._config, bucket=name),
            self._credentials,
            timeout=timedelta(seconds=self._timeout),
            open_store=self._open_store,
            is_running=self._is_running,
        )

    @property
    def account(self) -> tuple[str, str, str]:
        """The store's address and the access key; buckets with the same one can copy."""
        config = self._config
        return config.endpoint_url, config.region, self._credentials.current.access_key

    async def fetch_version(
        self, key: str, write: Callable[[bytes], object], *, max_bytes: int
    ) -> tuple[int, str | None]:
        """Pass an object's bytes to `write`, in chunks; return its size and its ETag.

        An object of more than `max_bytes` is not read. Raises NotFound.
        """
        async with self._limited("get", max_bytes):
            try:
                response = await self._call(partial(self._slow_store.get_async, key))
            except FileNotFoundError as error:
                raise NotFound from error
            total, received = response.meta["size"], 0
            if total <= max_bytes:
                async for chunk in response.stream(min_chunk_size=_READ_CHUNK):
                    received += len(chunk)
                    write(bytes(chunk))
                if received != total:
                    raise StorageUnavailable from RuntimeError(
                        f"{key}: received {received} of {total} bytes"
                    )
            return total, response.meta["e_tag"]

    async def copy_version(self, source: ObjectVersion, key: str, *, content_type: str) -> bool:
        """Copy an object to a key that has never been used; return whether that is proven.

        If it isn't, the store can't copy it, or the object at `key` may have other bytes.
        """
        if isinstance(self._store, MemoryStore) or source.etag is None:
            return False
        headers = {
            "x-amz-copy-source": f"/{source.bucket}/{encode_key(source.key)}",
            "x-amz-copy-source-if-match": source.etag,
            "x-amz-metadata-directive": "REPLACE",
            "x-amz-checksum-algorithm": "SHA256",
            "content-type": content_type,
            "cache-control": CACHE_CONTROL,
        }
        async with self._limited("copy"):
            response = await self._api.request("PUT", {}, key=key, headers=headers)
        if not response.is_success:
            return False
        # An error may have the status 200 too; it has neither element.
        etag, sha256 = _copied_etag(response.body), _copied_sha256(response.body)
        return (etag is not None and etag[1].decode() == source.md5) or (
            sha256 is not None and sha256[1].decode() == source.sha256
        )
