"""Uploads in parts that nobody finished: found and dropped.

obstore knows no call for either, so these two are made by hand, signed as links are. Beyond what
`Storage` needs, they need the permissions ListBucketMultipartUploads and AbortMultipartUpload.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# A parser that follows no external entities, of an Expat that bounds the internal ones; and what
# it reads is of bounded length and comes from the store that the operator chose.
from xml.etree import ElementTree as ET

import httpx

from safelight.errors import StorageUnavailable
from safelight.sigv4 import Method, presign
from safelight.storage.access import Access
from safelight.storage.storage import CredentialSource

_MAX_LIST = 4 * 1024 * 1024
_ROUNDS = 20
_GONE = frozenset({200, 204, 404})
_SIGNED_FOR = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """An upload in parts that was begun; `begun_at` is by the store's clock."""

    key: str
    upload_id: str
    begun_at: datetime


class Multiparts:
    """The unfinished uploads in parts of one bucket. Calls end within `timeout`, as Storage's."""

    def __init__(
        self, access: Access, credentials: CredentialSource, *, timeout: timedelta
    ) -> None:
        self._access = access
        self._credentials = credentials
        self._timeout = timeout.total_seconds()
        self._client: httpx.AsyncClient | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._client:
            await self._client.aclose()

    async def abort(self, key: str) -> int:
        """Drop everything that was begun in parts for a key; gives how many there were.

        Raises StorageUnavailable; some of them may be gone then.
        """
        count = 0
        async with self._answering():
            for _ in range(_ROUNDS):
                begun = await self.begun(key)
                if not begun:
                    return count
                for upload_id in begun:
                    await self._abort(key, upload_id)
                count += len(begun)
        raise StorageUnavailable from RuntimeError(f"uploads of {key} don't go, or come again")

    async def begun(self, key: str) -> list[str]:
        """List ids of what was begun in parts for a key, a thousand at the most."""
        async with self._answering():
            found = await self._call("GET", None, {"uploads": "", "prefix": key})
            if found.status_code != httpx.codes.OK:
                raise StorageUnavailable from RuntimeError(f"{found.status_code}: {found.text}")
            return _ids(found.content, key)

    async def unfinished(self, prefix: str) -> AsyncIterator[list[Unfinished]]:
        """List everything that was begun in parts for keys below a prefix, in no order."""
        after: dict[str, str] = {}
        while True:
            async with self._answering():
                found = await self._call("GET", None, {"uploads": "", "prefix": prefix, **after})
                if found.status_code != httpx.codes.OK:
                    raise StorageUnavailable from RuntimeError(f"{found.status_code}: {found.text}")
                listed = ET.fromstring(found.content)  # noqa: S314  see the import
            yield [each for upload in listed.iterfind("{*}Upload") if (each := _unfinished(upload))]
            before, after = after, _markers(listed)
            if listed.findtext("{*}IsTruncated") != "true" or after in ({}, before):
                return

    async def _abort(self, key: str, upload_id: str) -> None:
        answer = await self._call("DELETE", key, {"uploadId": upload_id})
        if answer.status_code not in _GONE:
            raise StorageUnavailable from RuntimeError(f"{answer.status_code}: {answer.text}")

    async def _call(
        self, method: Method, key: str | None, query: Mapping[str, str]
    ) -> httpx.Response:
        """Call, and once more with other credentials if the store refuses ours and there are."""
        used = self._credentials.current()
        answer = await self._sent(method, self._url(method, key, query))
        refused = answer.status_code in {400, 401, 403}
        if refused and await self._credentials.renew(used):
            answer = await self._sent(method, self._url(method, key, query))
        return answer

    def _url(self, method: Method, key: str | None, query: Mapping[str, str]) -> str:
        return presign(
            self._credentials.current(),
            endpoint=self._access.endpoint_url,
            bucket=self._access.bucket,
            key=key,
            expires_in=_SIGNED_FOR,
            date=datetime.now(UTC),  # the store's clock decides, not the library's
            method=method,
            region=self._access.region,
            style="virtual" if self._access.virtual_hosted else "path",
            query=query,
        )

    async def _sent(self, method: Method, url: str) -> httpx.Response:
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self._timeout)
        async with self._client.stream(method, url) as answer:
            body = b""
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > _MAX_LIST:
                    raise StorageUnavailable from RuntimeError("the store's list has no end")
        return httpx.Response(answer.status_code, content=body)

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout):
                yield
        except (httpx.HTTPError, TimeoutError, ET.ParseError) as error:
            raise StorageUnavailable from error


def _ids(body: bytes, key: str) -> list[str]:
    """Read a ListMultipartUploadsResult, whatever namespace a store gives it."""
    uploads = ET.fromstring(body).iterfind("{*}Upload")  # noqa: S314  see the import
    ours = (upload for upload in uploads if upload.findtext("{*}Key") == key)
    return [id_ for upload in ours if (id_ := upload.findtext("{*}UploadId"))]


def _unfinished(upload: ET.Element) -> Unfinished | None:
    key, upload_id, begun_at = (
        upload.findtext(f"{{*}}{name}") for name in ("Key", "UploadId", "Initiated")
    )
    if not (key and upload_id and begun_at):
        return None
    return Unfinished(key=key, upload_id=upload_id, begun_at=datetime.fromisoformat(begun_at))


def _markers(listed: ET.Element) -> dict[str, str]:
    """Tell where the next answer begins; SeaweedFS goes by the ids alone, and tells no key."""
    markers = {"key-marker": "NextKeyMarker", "upload-id-marker": "NextUploadIdMarker"}
    found = {name: listed.findtext(f"{{*}}{told}") for name, told in markers.items()}
    return {name: marker for name, marker in found.items() if marker}
