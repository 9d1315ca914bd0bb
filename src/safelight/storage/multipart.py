"""Multipart uploads that were never completed: list and abort them.

This needs two permissions that `Bucket` doesn't: ListBucketMultipartUploads and
AbortMultipartUpload.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

# This parser resolves no external entities, and its Expat limits the internal ones. It reads
# documents of limited length from the store that the operator chose.
from xml.etree import ElementTree as ET

from safelight.errors import StorageUnavailable
from safelight.signing.credentials import CredentialProvider
from safelight.storage.config import BucketConfig
from safelight.storage.features import StoreFeatures
from safelight.storage.s3_api import APIResponse, BucketAPI

_MAX_ROUNDS = 20
_NO_UPLOADS = "NoSuchUpload"
"""rclone's code for a bucket without unfinished uploads."""
_NEXT_PAGE = {"key-marker": "NextKeyMarker", "upload-id-marker": "NextUploadIdMarker"}
"""Parameters of the next list request, and the elements of this page that hold their values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedUpload:
    """A multipart upload that was started; `started_at` is by the store's clock."""

    key: str
    s3_upload_id: str
    started_at: datetime


class MultipartUploads:
    """The unfinished multipart uploads of one bucket.

    Every call, and each page of a listing, ends within `timeout` or raises StorageUnavailable. A
    store that can't list uploads counts as one without any; `features` is updated then.
    """

    def __init__(
        self,
        config: BucketConfig,
        credentials: CredentialProvider,
        *,
        timeout: timedelta,
        features: StoreFeatures | None = None,
    ) -> None:
        self._api = BucketAPI(config, credentials, timeout=timeout)
        self._timeout = timeout.total_seconds()
        self._features = features or StoreFeatures.of(config)

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def abort(self, key: str) -> int:
        """Abort all uploads to a key, and return their number.

        When this raises StorageUnavailable, some of them may be aborted.
        """
        count = 0
        async with self._limited():
            for _ in range(_MAX_ROUNDS):
                upload_ids = await self._list_ids(key)
                if not upload_ids:
                    return count
                for s3_upload_id in upload_ids:
                    await self._abort(key, s3_upload_id)
                count += len(upload_ids)
        raise StorageUnavailable from RuntimeError(f"the uploads of {key} remain after aborting")

    async def abort_one(self, key: str, s3_upload_id: str) -> None:
        """Abort one upload, if it still exists."""
        async with self._limited():
            await self._abort(key, s3_upload_id)

    async def _abort(self, key: str, s3_upload_id: str) -> None:
        response = await self._api.request("DELETE", {"uploadId": s3_upload_id}, key=key)
        if not response.is_success and response.status != HTTPStatus.NOT_FOUND:
            raise StorageUnavailable from _unexpected(response)

    async def list_ids(self, key: str) -> list[str]:
        """Return the store's ids of the uploads to a key, a thousand at most."""
        async with self._limited():
            return await self._list_ids(key)

    async def _list_ids(self, key: str) -> list[str]:
        listing = await self._list({"prefix": key})
        return [
            s3_upload_id
            for upload in listing.iterfind("{*}Upload")
            if upload.findtext("{*}Key") == key and (s3_upload_id := upload.findtext("{*}UploadId"))
        ]

    async def list_unfinished(self, prefix: str) -> AsyncIterator[list[UnfinishedUpload]]:
        """List the uploads to keys below a prefix in pages, in no order.

        MinIO lists none for a prefix, only for a whole key or for the whole bucket. So an empty
        list is compared with that of the bucket.
        """
        if self._features.upload_prefixes:
            is_empty = True
            async for page in self._list_pages(prefix):
                is_empty = is_empty and not page
                yield page
            if not is_empty or not prefix:
                return
        async for page in self._list_pages(""):
            below = [upload for upload in page if upload.key.startswith(prefix)]
            if below and self._features.upload_prefixes:
                await self._check_prefixes(prefix, below[0])
            yield below

    async def _list_pages(self, prefix: str) -> AsyncIterator[list[UnfinishedUpload]]:
        markers: dict[str, str] = {}
        query = {"prefix": prefix} if prefix else {}
        while True:
            async with self._limited():
                listing = await self._list({**query, **markers})
            yield _uploads(listing)
            previous, markers = markers, _next_page(listing)
            if listing.findtext("{*}IsTruncated") != "true" or markers in ({}, previous):
                return

    async def _check_prefixes(self, prefix: str, upload: UnfinishedUpload) -> None:
        """Remember that prefixes are ignored, unless this upload was only started too late."""
        async for page in self._list_pages(prefix):
            if page:
                return
        self._features.disable("upload_prefixes", f"no upload to {upload.key} below {prefix}")

    async def _list(self, query: Mapping[str, str]) -> ET.Element:
        """Request a page; the list is empty if the store can't list uploads."""
        nothing = ET.Element("ListMultipartUploadsResult")
        if not self._features.upload_lists:
            return nothing
        response = await self._api.request("GET", {"uploads": "", **query})
        if response.is_success:
            return ET.fromstring(response.body)  # noqa: S314  see the import
        if response.code == _NO_UPLOADS:
            return nothing
        if response.error.is_unsupported:
            self._features.disable("upload_lists", response.error)
            return nothing
        raise StorageUnavailable from _unexpected(response)

    @asynccontextmanager
    async def _limited(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout):
                yield
        except (TimeoutError, ET.ParseError, ValueError) as error:
            raise StorageUnavailable from error


def _unexpected(response: APIResponse) -> RuntimeError:
    return RuntimeError(f"{response.status}: {response.body[:1000]!r}")


def _uploads(listing: ET.Element) -> list[UnfinishedUpload]:
    """Read a ListMultipartUploadsResult; stores disagree about its namespace."""
    return [
        UnfinishedUpload(
            key=key, s3_upload_id=upload_id, started_at=datetime.fromisoformat(started_at)
        )
        for upload in listing.iterfind("{*}Upload")
        if (key := upload.findtext("{*}Key"))
        and (upload_id := upload.findtext("{*}UploadId"))
        and (started_at := upload.findtext("{*}Initiated"))
    ]


def _next_page(listing: ET.Element) -> dict[str, str]:
    """Return the parameters for the next page; SeaweedFS gives only an upload id."""
    markers = {name: listing.findtext(f"{{*}}{tag}") for name, tag in _NEXT_PAGE.items()}
    return {name: marker for name, marker in markers.items() if marker}
