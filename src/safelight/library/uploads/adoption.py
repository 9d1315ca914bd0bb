"""Adoption: photos of objects that another program has stored.

The server reads each object once, and checks and decodes it as an upload. Then the store copies it
to a key of its own, if it is the same store and proves that it copied the checked bytes; otherwise
the server sends them. The object itself stays, until `remove_original`.
"""

import asyncio
import mmap
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from hashlib import md5
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import keys
from safelight.catalog import Catalog
from safelight.catalog.installation.adoptions import source_of
from safelight.crash_points import reached
from safelight.darkroom.pool import Darkroom
from safelight.errors import ChecksumMismatch, InvalidRequest, NotFound
from safelight.library.captions import validate
from safelight.library.ingest import Ingest, check_owner
from safelight.library.results import AddResult
from safelight.library.spool import Spool, SpooledUpload, too_large
from safelight.metrics import LibraryMetrics
from safelight.models import Caption, ImageFacts, Photo
from safelight.storage import Bucket, ObjectVersion

_MAX_UNPROVEN: Final = 3
"""After this number of copies in a row that the store didn't prove, none is tried."""
_MAX_KEY_BYTES: Final = 1024
_is_unsupported = re.compile(r"(?:^|/)\.{0,2}(?:/|$)|[\x00-\x1f\x7f\ud800-\udfff]").search
"""Finds what obstore refuses or leaves out: for "/a" it reads and deletes "a", another object."""
_without_id = re.compile(r"(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})[-_.]?")


class _CopyUnproven(Exception):
    """The store didn't copy the object, or may have copied other bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    bucket: Bucket
    key: str
    digest: bytes


class Adoption:
    """Adopts objects of the library's bucket, or of `source`, another bucket."""

    def __init__(
        self,
        catalog: Catalog,
        bucket: Bucket,
        *,
        darkroom: Darkroom,
        spool: Spool,
        ingest: Ingest,
        metrics: LibraryMetrics,
        max_bytes: int,
        clock: Callable[[], datetime],
    ) -> None:
        self._catalog = catalog
        self._bucket = bucket
        self._darkroom = darkroom
        self._spool = spool
        self._ingest = ingest
        self._metrics = metrics
        self._max_bytes = max_bytes
        self._clock = clock
        self._unproven = 0

    async def adopt(
        self,
        owner: str,
        key: str,
        *,
        source: Bucket | None = None,
        caption: Caption | None = None,
        created_at: datetime | None = None,
        modified_at: datetime | None = None,
    ) -> AddResult:
        """Make a photo of an object; see `Library.adopt`."""
        now = self._clock()
        if created_at is not None and not (
            created_at.utcoffset() is not None and created_at <= now
        ):
            raise InvalidRequest("created_at must have a time zone, and be in the past.")
        found = self._source(owner, key, source)
        adopted = await self._find(owner, found)
        if adopted:
            return AddResult(photo=adopted, created=False)
        caption = caption or Caption()
        caption = validate(replace(caption, filename=caption.filename or filename_of(key)))
        with self._metrics.count_failures():
            async with self._fetch(owner, found) as (copy, version):
                reached("adopt: fetched")
                add = partial(
                    self._ingest.run,
                    owner,
                    copy,
                    caption,
                    modified_at=modified_at,
                    created_at=created_at,
                    hooks=[partial(self._record, found.digest)],
                )
                result = await self._add(add, version)
            if not result.created:
                await self._catalog.transaction(
                    lambda connection: self._record(found.digest, connection, result.photo)
                )
        reached("adopt: recorded")
        self._metrics.count_added(created=result.created, size=result.photo.size)
        return result

    async def find(self, owner: str, key: str, *, source: Bucket | None = None) -> Photo | None:
        """Return the photo of an object that was adopted. Raises NotFound if it was deleted."""
        return await self._find(owner, self._source(owner, key, source))

    async def check(
        self, owner: str, key: str, *, source: Bucket | None = None
    ) -> ImageFacts | None:
        """Check an object as `adopt` does, and store nothing; None if it has been adopted."""
        found = self._source(owner, key, source)
        if await self._find(owner, found):
            return None
        async with self._fetch(owner, found) as (copy, _):
            return (await self._darkroom.inspect(copy.file, owner=owner)).facts

    async def remove_original(self, owner: str, key: str, *, source: Bucket | None = None) -> bool:
        """Delete an object that has been adopted; return whether there was one.

        Raises NotFound if it has not been adopted, if its photo was deleted, or if the photo's own
        original is missing; ChecksumMismatch if the object was replaced after its adoption.
        """
        found = self._source(owner, key, source)
        photo = await self._find(owner, found)
        if photo is None:
            raise NotFound("This object has not been adopted.")
        if await self._bucket.size(keys.original(photo.storage_id)) != photo.size:
            raise NotFound(
                f"The original of photo {photo.id} is missing. Run 'safelight reconcile'."
            )
        if key == keys.original(photo.storage_id):  # the store has several addresses
            raise InvalidRequest(f"{key} is the original of photo {photo.id} itself.")
        if await found.bucket.size(key) is None:
            return False
        async with self._fetch(owner, found) as (copy, _):
            if await copy.sha256() != photo.sha256:
                raise ChecksumMismatch(
                    f"This object was replaced after its adoption as photo {photo.id}: it stays."
                )
        await found.bucket.delete([key])
        return True

    def _source(self, owner: str, key: str, source: Bucket | None) -> _Source:
        check_owner(owner)
        bucket = source or self._bucket
        if not 1 <= len(key.encode(errors="replace")) <= _MAX_KEY_BYTES:
            raise InvalidRequest("The key of an object has 1 to 1,024 bytes.")
        if _is_unsupported(key):
            raise InvalidRequest(
                "This key can't be adopted: it has control characters, or a part between slashes"
                " that is empty, '.' or '..'. Copy the object to another key first."
            )
        is_own = keys.storage_id_of(key) or key.startswith((keys.INCOMING, keys.QUARANTINE))
        # Whatever the credentials: those of the source may be others.
        place, own = (bucket.account[0], bucket.name), (self._bucket.account[0], self._bucket.name)
        if is_own and place == own:
            raise InvalidRequest(f"{key} is an object of Safelight's own.")
        # The address of the embedded store can change.
        store = "" if bucket.account == self._bucket.account else bucket.account[0]
        return _Source(bucket=bucket, key=key, digest=source_of(owner, store, bucket.name, key))

    async def _find(self, owner: str, source: _Source) -> Photo | None:
        """Return the photo of an object. Raises NotFound if it was deleted after its adoption."""
        id_ = await self._catalog.adoptions.find(source.digest)
        if id_ is None:
            return None
        try:
            return await self._catalog.photo(owner, id_)
        except NotFound as error:
            raise NotFound(
                "This object was adopted before, and its photo was deleted or is in the trash."
            ) from error

    @asynccontextmanager
    async def _fetch(
        self, owner: str, source: _Source
    ) -> AsyncIterator[tuple[SpooledUpload, ObjectVersion | None]]:
        """Yield a private copy of an object, and its version if the store may copy it."""
        with self._spool.file(owner) as copy:
            try:
                size, etag = await source.bucket.fetch_version(
                    source.key, copy.write, max_bytes=self._max_bytes
                )
            except NotFound as error:
                raise NotFound(f"There is no object {source.key}.") from error
            if size > self._max_bytes:
                raise too_large(size, self._max_bytes)
            version = None
            if source.bucket.account == self._bucket.account and self._unproven < _MAX_UNPROVEN:
                version = ObjectVersion(
                    bucket=source.bucket.name,
                    key=source.key,
                    etag=etag,
                    md5=await asyncio.to_thread(_md5, copy),
                    sha256=b64encode(bytes.fromhex(await copy.sha256())).decode(),
                )
            yield copy, version

    async def _add(
        self, add: "partial[Coroutine[Any, Any, AddResult]]", version: ObjectVersion | None
    ) -> AddResult:
        """Add the photo by a copy within the store, or by sending it, under another key."""
        if version:
            try:
                return await add(write=partial(self._copy, version))
            except _CopyUnproven:
                self._unproven += 1
        return await add()

    async def _copy(
        self, version: ObjectVersion, key: str, _data: mmap.mmap, content_type: str
    ) -> None:
        if not await self._bucket.copy_version(version, key, content_type=content_type):
            raise _CopyUnproven
        self._unproven = 0

    async def _record(self, digest: bytes, connection: AsyncConnection, photo: Photo) -> None:
        await self._catalog.adoptions.record(connection, digest, photo.id, now=self._clock())


def filename_of(key: str) -> str:
    """Return the file name in a key: what follows the last slash, and a UUID if there is one."""
    name = key.rpartition("/")[2]
    match = _without_id.match(name)
    return name[match.end() :] if match and match.end() < len(name) else name


def _md5(upload: SpooledUpload) -> str:
    with mmap.mmap(upload.file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return md5(data, usedforsecurity=False).hexdigest()
