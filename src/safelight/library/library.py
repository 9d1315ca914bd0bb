"""The library: add, list, change and delete photos, and sign links to them."""

from collections.abc import Coroutine, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, BinaryIO, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import keys
from safelight.catalog import Cursor, Month, Page
from safelight.crash_points import reached
from safelight.dates import user_date
from safelight.errors import InvalidRequest, NotFound
from safelight.imaging.formats import FORMATS
from safelight.imaging.presets import display_rendition
from safelight.library.captions import (
    MAX_DESCRIPTION,
    MAX_TITLE,
    download_filename,
    validate_text,
)
from safelight.library.ingest import AddResult
from safelight.library.lifecycle import LibraryLifecycle
from safelight.library.spool import SpooledUpload
from safelight.library.tasks import (
    JobBatch,
    enqueue_missing_renditions,
    enqueue_purge,
    enqueue_reinspections,
)
from safelight.models import BulkResult, Caption, CaptureDate, Order, OwnDate, Photo
from safelight.signing.links import Link, LinkMethod

MAX_PAGE = 500
"""The maximum number of photos in a page."""
MAX_SHIFT = timedelta(days=100_000)
"""The maximum shift of a capture time: 270 years."""
MAX_SKIP = 1_000_000
"""The maximum number of photos that a page may skip after its cursor."""


class PhotoLinks(NamedTuple):
    """The links to a photo; `renditions` has one for each of the photo's renditions.

    All of them stay the same until `stable_until`, in UTC.
    """

    original: Link
    renditions: list[Link]
    stable_until: datetime


class Library(LibraryLifecycle):
    """Photos of any number of owners, in one bucket and one catalog.

    Methods about photos take the `owner`, an opaque string of the caller. Use a library between
    `start` and `close`, or within `lifespan`. Every call raises one of the errors under
    `Unavailable` while an engine is down; nothing has been stored then.
    """

    def add(
        self,
        owner: str,
        file: BinaryIO | SpooledUpload,
        caption: Caption | None = None,
        *,
        modified_at: datetime | None = None,
        within: AsyncConnection | None = None,
    ) -> Coroutine[Any, Any, AddResult]:
        """Add a photo. `file` must be readable and seekable, and is read completely.

        If the owner already has a photo with the same bytes, it is returned unchanged. Raises the
        errors under `Invalid` for bytes that aren't a complete photo of at most
        `limits.max_form_bytes`, or for an invalid caption. `modified_at` is when the client's file
        was modified, by the client's clock: the capture time of a photo without a better one.

        `within` is a connection to the catalog's database in a READ COMMITTED transaction of
        yours: the photo exists once you commit. After a rollback it doesn't, and the sweep deletes
        its objects. Raises ValueError for another isolation level, or for an invalid owner.
        """
        return self.components.ingest.add(
            owner, file, caption or Caption(), modified_at=modified_at, within=within
        )

    async def photo(self, owner: str, id_: int) -> Photo:
        """Return one of the owner's photos. Raises NotFound."""
        self.backends.darkroom.read_load.record()
        return await self.backends.catalog.photo(owner, id_)

    async def photos(self, owner: str, ids: Sequence[int]) -> list[Photo]:
        """Return those of the ids that are photos of the owner, in any order."""
        return await self.backends.catalog.photos(owner, ids)

    async def page(
        self,
        owner: str,
        *,
        order: Order = Order.ADDED,
        after: str | None = None,
        limit: int = 100,
        skip: int = 0,
    ) -> Page:
        """List ids and versions, newest first; `after` is the cursor of the previous page.

        `skip` leaves out that many photos after the cursor, to jump into a long list. Raises
        InvalidRequest.
        """
        if not 1 <= limit <= MAX_PAGE:
            raise InvalidRequest(f"The limit must be between 1 and {MAX_PAGE}.")
        if not 0 <= skip <= MAX_SKIP:
            raise InvalidRequest(f"The number to skip must be between 0 and {MAX_SKIP}.")
        cursor = Cursor.parse(after, order) if after is not None else None
        self.backends.darkroom.read_load.record()
        return await self.backends.catalog.page(
            owner, order=order, after=cursor, limit=limit, skip=skip
        )

    async def months(self, owner: str, *, order: Order = Order.TAKEN) -> list[Month]:
        """Return the number of photos of each month that has any, newest first.

        The months are those of the camera's local time, and of ``order=added`` those in UTC.
        """
        return await self.backends.catalog.months(owner, order=order)

    async def edit(
        self,
        owner: str,
        id_: int,
        *,
        title: str | None = None,
        description: str | None = None,
        taken_at: datetime | OwnDate | None = None,
    ) -> Photo:
        """Change the title, description or capture time; None keeps the current. Raises NotFound.

        `taken_at` is as in `set_dates`. Raises InvalidRequest for what isn't acceptable.
        """
        if title is not None:
            validate_text("title", title, MAX_TITLE)
        if description is not None:
            validate_text("description", description, MAX_DESCRIPTION)
        date = None if taken_at is None else self._date(taken_at)
        return await self.backends.catalog.edit(
            owner, id_, title=title, description=description, date=date
        )

    async def set_dates(
        self, owner: str, ids: Sequence[int], taken_at: datetime | OwnDate
    ) -> BulkResult:
        """Set the capture time of up to `MAX_PAGE` photos, in one transaction.

        `taken_at` is a local time, with an offset from UTC or without a time zone; `OWN_DATE`
        restores what each picture says. Raises InvalidRequest for a date that can't be true.
        """
        _check_number(ids)
        return await self.backends.catalog.dates.change(owner, ids, self._date(taken_at))

    async def shift_dates(self, owner: str, ids: Sequence[int], by: timedelta) -> BulkResult:
        """Add to the capture times of up to `MAX_PAGE` photos, in one transaction.

        It corrects a camera's clock. A photo without a capture time stays as it is. Raises
        InvalidRequest, and changes nothing, if a date can't be true.
        """
        _check_number(ids)
        if abs(by) > MAX_SHIFT:
            raise InvalidRequest(f"The shift is too large. The limit is {MAX_SHIFT.days} days.")
        return await self.backends.catalog.dates.shift(owner, ids, by, now=self.now())

    def _date(self, taken_at: datetime | OwnDate) -> CaptureDate | OwnDate:
        if isinstance(taken_at, OwnDate):
            return taken_at
        return user_date(taken_at, now=self.now())

    async def delete(self, owner: str, id_: int) -> None:
        """Delete a photo: it leaves every list, and its links stop working. Raises NotFound.

        While the store is down, a job deletes the objects later.
        """
        tombstone = await self.backends.catalog.soft_delete(
            owner, id_, now=self.now(), in_transaction=enqueue_purge
        )
        reached("delete: row soft-deleted")
        self.metrics.deletions.inc()
        await self.components.sweep.purge_now(tombstone, passing="delete")
        reached("delete: purge noted")

    async def render(self, owner: str, id_: int) -> Photo:
        """Make the renditions that a photo lacks; repeating it does no harm. Raises NotFound."""
        return await self.components.renditions.render_missing(
            await self.backends.catalog.photo(owner, id_)
        )

    async def reinspect(self, owner: str, id_: int) -> Photo:
        """Inspect an original that an earlier version inspected, and return its photo.

        What the owner has edited stays. Raises NotFound.
        """
        return await self.components.reinspection.run(owner, id_)

    async def reinspect_outdated(self, owner: str, *, after: int = 0) -> JobBatch:
        """Enqueue jobs that inspect originals which an earlier version inspected, a batch per call.

        Continue with `after=batch.next` until that is None.
        """
        return await enqueue_reinspections(self.backends.catalog, owner, after=after)

    async def render_missing(self, owner: str, *, after: int = 0) -> JobBatch:
        """Enqueue jobs for the renditions that the owner's photos lack, a batch per call.

        Continue with `after=batch.next` until that is None.
        """
        return await enqueue_missing_renditions(
            self.backends.catalog, self.components.renditions, owner, after=after
        )

    def link(
        self,
        photo: Photo,
        rendition: str | None = None,
        *,
        method: LinkMethod = "GET",
        endpoint: str | None = None,
        now: datetime | None = None,
    ) -> Link:
        """Sign a link to `original`, or to a rendition by name. Raises NotFound.

        The default is what to show in a browser: the original, or the largest rendition if browsers
        don't show the original as it should be, or if it contains a location.
        A store accepts a link with its own method only; a link for HEAD is valid for a few minutes.
        Raises StorageUnavailable while the embedded store is being restarted.
        """
        key = _key(photo, rendition)
        self.backends.bucket.require_running()
        if method == "HEAD":
            return self.backends.link_signer.head(key, photo.storage_id, endpoint=endpoint)
        return self.backends.link_signer.link(key, photo.storage_id, endpoint=endpoint, now=now)

    def photo_links(
        self, photo: Photo, *, endpoint: str | None = None, now: datetime | None = None
    ) -> PhotoLinks:
        """Sign the links to a photo's original and to each of its renditions."""
        signer = self.backends.link_signer
        objects = [keys.original(photo.storage_id), *map(attrgetter("key"), photo.renditions)]
        original, *renditions = signer.links(objects, photo.storage_id, endpoint=endpoint, now=now)
        return PhotoLinks(original, renditions, signer.stable_until(photo.storage_id, now))

    def download_link(
        self, photo: Photo, *, method: LinkMethod = "GET", endpoint: str | None = None
    ) -> Link:
        """Sign a link, valid for a few minutes, that saves the original under its file name.

        The name gets the extension of the photo's format, and loses characters that mislead. Raises
        StorageUnavailable while the embedded store is being restarted.
        """
        self.backends.bucket.require_running()
        default = f"photo-{photo.id}"
        format_ = FORMATS.get(photo.facts.format)
        filename = (
            download_filename(photo.filename, format_, default=default) if format_ else default
        )
        key = _key(photo, "original")
        return self.backends.link_signer.download(
            key, photo.storage_id, filename, method=method, endpoint=endpoint
        )


def _check_number(ids: Sequence[int]) -> None:
    if not 1 <= len(ids) <= MAX_PAGE:
        raise InvalidRequest(f"Give the ids of 1 to {MAX_PAGE} photos.")


def _key(photo: Photo, rendition: str | None) -> str:
    if rendition is None:
        shown = display_rendition(photo)
        return shown.key if shown else keys.original(photo.storage_id)
    if rendition == "original":
        return keys.original(photo.storage_id)
    for made in photo.renditions:
        if made.name == rendition:
            return made.key
    raise NotFound
