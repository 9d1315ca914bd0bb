"""Add photos, and list them."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from safelight.catalog import Cursor, Month, Page, SearchTerm, Sorting, parse_query
from safelight.errors import InvalidRequest
from safelight.library.captions import MAX_QUERY, validate_text
from safelight.library.lifecycle import LibraryLifecycle
from safelight.library.results import AddResult, PhotoPage
from safelight.library.uploads.sources import PhotoSource
from safelight.models import Caption, Order, Photo

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

MAX_PAGE = 500
"""The maximum number of photos in a page."""
MAX_SKIP = 1_000_000
"""The maximum number of photos that a page may skip after its cursor."""


class PhotoMethods(LibraryLifecycle):
    """The methods that add and list photos."""

    async def add(
        self,
        owner: str,
        file: PhotoSource,
        caption: Caption | None = None,
        *,
        modified_at: datetime | None = None,
        within: "AsyncConnection | AsyncSession | None" = None,
    ) -> AddResult:
        """Add a photo from bytes, a `pathlib.Path`, an `UploadFile` or an open binary file.

        All of the file is read, at most `SAFELIGHT_LIMITS__MAX_DIRECT_BYTES` (200 MB). If the owner
        already has a photo with the same bytes, that one is returned unchanged. The file name is
        the caption's, or else that of the path or the `UploadFile`. `modified_at` is when the
        client's file was modified, with the client's offset from UTC: the capture time of a photo
        without a better one.

        `within` is a READ COMMITTED transaction of yours in the same database, as a connection or
        a session: the photo exists once you commit. After a rollback it doesn't, and the sweep
        deletes its objects.

        Raises TooLarge, EmptyFile, UnsupportedType, CorruptImage, TooManyPixels or TooManyFrames
        for a file that isn't an acceptable photo, and InvalidRequest for the caption.
        """
        connection = await self.backends.catalog.host.join(within) if within else None
        return await self.components.ingest.add(
            owner, file, caption or Caption(), modified_at=modified_at, within=connection
        )

    async def photo(self, owner: str, id_: int) -> Photo:
        """Return one of the owner's photos. Raises NotFound."""
        self.backends.darkroom.read_load.record()
        return await self.backends.catalog.photo(owner, id_)

    async def photos(self, owner: str, ids: Sequence[int]) -> list[Photo]:
        """Return those of the owner's photos that have one of the ids, in the order of the ids."""
        found = {photo.id: photo for photo in await self.backends.catalog.photos(owner, ids)}
        return [found[id_] for id_ in ids if id_ in found]

    async def list_photos(
        self,
        owner: str,
        *,
        order: Order = Order.ADDED,
        after: str | None = None,
        limit: int = 100,
        skip: int = 0,
        q: str | None = None,
        album: int | None = None,
    ) -> PhotoPage:
        """List the owner's photos, newest first; `limit` is 1 to 500.

        `after` is the `next` of the page before. `skip` leaves out that many photos after it, to
        jump into a long list. `q` finds photos that have all of its words in the title,
        description, file name or camera, or were taken in its year or month ("beach 2019",
        "May 2019", "2019-05"). The last word may be the beginning of one. `album` lists the photos
        of an album in its order, and `order` doesn't matter then. Raises InvalidRequest for numbers
        out of range, a cursor of another order, and a `q` of more than 200 characters or with an
        album; NotFound for an album that the owner doesn't have.
        """
        page = await self.page(
            owner, order=order, after=after, limit=limit, skip=skip, q=q, album=album
        )
        ids = [id_ for id_, _ in page.photos]
        return PhotoPage(
            photos=tuple(await self.photos(owner, ids) if ids else ()),
            next=None if page.next is None else str(page.next),
        )

    async def page(
        self,
        owner: str,
        *,
        order: Order = Order.ADDED,
        after: str | None = None,
        limit: int = 100,
        skip: int = 0,
        q: str | None = None,
        album: int | None = None,
    ) -> Page:
        """List ids and versions, newest first; `after` is the cursor of the previous page.

        `skip` leaves out that many photos after the cursor, to jump into a long list. `q` and
        `album` are as in `list_photos`. Raises InvalidRequest and NotFound.
        """
        check_page(limit, skip)
        sorting: Sorting = order if album is None else "album"
        cursor = Cursor.parse(after, sorting) if after is not None else None
        terms = None if q is None else parse_search(q)
        self.backends.darkroom.read_load.record()
        catalog = self.backends.catalog
        if album is not None:
            if terms is not None:
                raise InvalidRequest("Give either a search or an album.")
            return await catalog.albums.page(owner, album, after=cursor, limit=limit, skip=skip)
        if terms is None:
            return await catalog.page(owner, order=order, after=cursor, limit=limit, skip=skip)
        return await catalog.search.page(
            owner, terms, order=order, after=cursor, limit=limit, skip=skip
        )

    async def months(
        self, owner: str, *, order: Order = Order.TAKEN, q: str | None = None
    ) -> list[Month]:
        """Return the number of photos of each month that has any, newest first.

        The months are those of the camera's local time, and of ``order=added`` those in UTC. With
        `q`, as in `list_photos`, only photos that it finds count.
        """
        if q is None:
            return await self.backends.catalog.months(owner, order=order)
        return await self.backends.catalog.search.months(owner, parse_search(q), order=order)

    async def count_changes(self, owner: str) -> int:
        """Return how many changes of the owner's photos and albums are committed.

        A program that reads the same number twice has missed nothing between, not even a change
        whose transaction ended late. New renditions are no change. Read the number before the
        photos. It costs the same with any number of photos.
        """
        return await self.backends.catalog.changes.read(owner)


def check_page(limit: int, skip: int) -> None:
    """Raise InvalidRequest unless a page can have these numbers."""
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidRequest(f"The limit must be between 1 and {MAX_PAGE}.")
    if not 0 <= skip <= MAX_SKIP:
        raise InvalidRequest(f"The number to skip must be between 0 and {MAX_SKIP}.")


def parse_search(query: str) -> tuple[SearchTerm, ...]:
    """Return the terms of a search. Raises InvalidRequest if it is too long or has a NUL."""
    return parse_query(validate_text("search", query, MAX_QUERY))
