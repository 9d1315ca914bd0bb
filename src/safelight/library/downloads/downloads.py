"""Download many originals as one archive, from the store through the server."""

import asyncio
import re
import secrets
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from safelight import keys
from safelight.catalog import Catalog, DownloadRow
from safelight.errors import Busy, InvalidRequest, NotFound, StorageUnavailable
from safelight.imaging.formats import FORMATS
from safelight.library.captions import download_filename
from safelight.library.downloads.archive import Archive, ArchiveMember, archive_date
from safelight.library.downloads.archive_names import unique_names
from safelight.library.methods.downloads import MAX_DOWNLOAD
from safelight.library.results import Download
from safelight.models import Photo
from safelight.storage import Bucket

LIFETIME: Final = timedelta(days=1)
"""How long a download can be resumed."""

_TOKEN_BYTES: Final = 24
_is_token: Final = re.compile("[A-Za-z0-9_-]{32}").fullmatch
_BATCH: Final = 500
_MAX_OPEN: Final = 16
_MAX_OPEN_PER_OWNER: Final = 4
_MAX_BUILDING: Final = 2
"""Archives whose names and sizes are computed at once: with 10,000 photos, that takes a second."""
_MAX_FAILURES: Final = 4
"""In a row, while the store is unavailable; the pause grows by a second each time."""


class OpenDownload:
    """An archive that is being sent. `size` is in bytes."""

    def __init__(self, downloads: "Downloads", owner: str, filename: str, archive: Archive) -> None:
        self._downloads = downloads
        self._owner = owner
        self._archive = archive
        self.filename = filename
        self.size = archive.size
        self.etag = archive.etag
        """Changes with the archive's content: if a photo was deleted, or has a new date."""

    async def read(self, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes]:
        """Yield the archive's bytes from `start` to `stop`, the store's as they arrive.

        Raises Busy, StorageUnavailable, and NotFound if a photo is deleted meanwhile.
        """
        with self._downloads.counted(self._owner):
            parts = self._archive.read(
                lambda member: self._downloads.read_original(self._owner, member),
                start=start,
                stop=self.size if stop is None else stop,
            )
            async with aclosing(parts):
                async for part in parts:
                    yield part


class Downloads:
    """The downloads of all owners in this process."""

    def __init__(self, catalog: Catalog, bucket: Bucket, *, clock: Callable[[], datetime]) -> None:
        self._catalog = catalog
        self._bucket = bucket
        self._clock = clock
        self._open: dict[str, int] = {}
        self._building = asyncio.Semaphore(_MAX_BUILDING)

    async def create(self, owner: str, ids: Sequence[int], name: str) -> Download:
        """Prepare a download of photos, in this order. Raises InvalidRequest, or NotFound."""
        ids = tuple(dict.fromkeys(ids))
        if not 1 <= len(ids) <= MAX_DOWNLOAD:
            raise InvalidRequest(f"Download 1 to {MAX_DOWNLOAD} photos at a time.")
        archive, found = await self._archive(owner, ids)
        if not found:
            raise NotFound("There are no such photos.")
        now = self._clock()
        row = DownloadRow(photo_ids=found, filename=f"{name}.zip", expires_at=now + LIFETIME)
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        await self._catalog.downloads.create(owner, token, row, now=now)
        return Download(
            token=token,
            filename=row.filename,
            size=archive.size,
            photos=len(found),
            missing=tuple(sorted(set(ids) - set(found))),
            expires_at=row.expires_at,
        )

    async def open(self, owner: str, token: str) -> OpenDownload:
        """Open a download. Photos that were deleted meanwhile are left out. Raises NotFound."""
        if not _is_token(token):
            raise NotFound("There is no such download.")
        row = await self._catalog.downloads.find(owner, token, now=self._clock())
        archive, found = await self._archive(owner, row.photo_ids)
        if not found:
            raise NotFound("All photos of this download were deleted.")
        return OpenDownload(self, owner, row.filename, archive)

    async def read_original(self, owner: str, member: ArchiveMember) -> AsyncGenerator[bytes]:
        """Yield an original's bytes, across new keys and short failures of the store."""
        start, failures = 0, 0
        while start < member.size:
            try:
                key = keys.original(member.storage_id)
                async with aclosing(self._bucket.stream(key, start=start)) as chunks:
                    async for chunk in chunks:
                        start, failures = start + len(chunk), 0
                        yield chunk
            except NotFound:
                photo = await self._catalog.photo(owner, member.photo_id)
                if photo.storage_id == member.storage_id:
                    raise StorageUnavailable from RuntimeError(f"{key} is missing in the store")
                member = replace(member, storage_id=photo.storage_id)
            except StorageUnavailable:
                failures += 1
                if failures == _MAX_FAILURES:
                    raise
                await asyncio.sleep(failures)
            else:
                return

    @contextmanager
    def counted(self, owner: str) -> Iterator[None]:
        """Count a download while it is sent. Raises Busy if there are too many."""
        count = self._open.get(owner, 0)
        if count == _MAX_OPEN_PER_OWNER or sum(self._open.values()) == _MAX_OPEN:
            raise Busy("Too many downloads are running. Wait until one has ended.")
        self._open[owner] = count + 1
        try:
            yield
        finally:
            if self._open[owner] == 1:
                del self._open[owner]
            else:
                self._open[owner] -= 1

    async def _archive(self, owner: str, ids: Sequence[int]) -> tuple[Archive, list[int]]:
        """Return the archive of those of the photos that exist, and their ids."""
        members: list[ArchiveMember] = []
        for at in range(0, len(ids), _BATCH):
            batch = ids[at : at + _BATCH]
            found = {photo.id: photo for photo in await self._catalog.photos(owner, batch)}
            members += [_member(found[id_]) for id_ in batch if id_ in found]
        async with self._building:
            archive = await asyncio.to_thread(_build, members)
        return archive, [member.photo_id for member in members]


def _build(members: Sequence[ArchiveMember]) -> Archive:
    names = unique_names(member.name for member in members)
    return Archive([replace(each, name=name) for each, name in zip(members, names, strict=True)])


def _member(photo: Photo) -> ArchiveMember:
    default = f"photo-{photo.id}"
    format_ = FORMATS.get(photo.facts.format)
    return ArchiveMember(
        photo_id=photo.id,
        storage_id=photo.storage_id,
        name=download_filename(photo.filename, format_, default=default) if format_ else default,
        size=photo.size,
        sha256=photo.sha256,
        date=archive_date(photo),
    )
