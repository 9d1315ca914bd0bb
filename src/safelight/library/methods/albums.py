"""Put photos into albums, and change albums."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from safelight.errors import InvalidRequest
from safelight.library.captions import MAX_DESCRIPTION, MAX_TITLE, validate_text
from safelight.library.lifecycle import LibraryLifecycle
from safelight.library.methods.changes import check_number
from safelight.models import BulkResult

if TYPE_CHECKING:
    from safelight.catalog.albums.albums import Album


class AlbumMethods(LibraryLifecycle):
    """The methods about albums."""

    async def albums(self, owner: str) -> "list[Album]":
        """List the owner's albums, the newest first; at most 1,000."""
        return await self.backends.catalog.albums.list(owner)

    async def album(self, owner: str, id_: int) -> "Album":
        """Return one of the owner's albums. Raises NotFound."""
        return await self.backends.catalog.albums.get(owner, id_)

    async def create_album(
        self, owner: str, title: str, *, description: str = "", ids: Sequence[int] = ()
    ) -> "Album":
        """Create an album of up to 500 photos, in this order. Other photos can be added later.

        Ids that aren't photos of the owner are left out. Raises InvalidRequest without a title, for
        one of more than 200 characters, and if the owner has 1,000 albums.
        """
        if ids:
            check_number(ids)
        album, _ = await self.backends.catalog.albums.create(
            owner,
            title=_check_title(title),
            description=validate_text("description", description, MAX_DESCRIPTION),
            ids=ids,
            now=self.now(),
        )
        return album

    async def edit_album(
        self,
        owner: str,
        id_: int,
        *,
        title: str | None = None,
        description: str | None = None,
        cover: int | None = None,
    ) -> "Album":
        """Change an album's title, description or cover (a photo's id); None keeps the current.

        Raises NotFound, and InvalidRequest for a cover that is not in the album.
        """
        if title is not None:
            title = _check_title(title)
        if description is not None:
            validate_text("description", description, MAX_DESCRIPTION)
        return await self.backends.catalog.albums.edit(
            owner, id_, title=title, description=description, cover=cover
        )

    async def delete_album(self, owner: str, id_: int) -> None:
        """Delete an album; its photos stay. Raises NotFound, also the second time."""
        await self.backends.catalog.albums.delete(owner, id_)

    async def add_to_album(self, owner: str, id_: int, ids: Sequence[int]) -> BulkResult:
        """Add up to 500 photos at the end of an album; those that it has stay in their places.

        Raises NotFound, and InvalidRequest if it would have more than 10,000 photos.
        """
        check_number(ids)
        return await self.backends.catalog.albums.add(owner, id_, ids)

    async def remove_from_album(self, owner: str, id_: int, ids: Sequence[int]) -> BulkResult:
        """Remove up to 500 photos from an album. Raises NotFound."""
        check_number(ids)
        return await self.backends.catalog.albums.remove(owner, id_, ids)

    async def move_in_album(
        self, owner: str, id_: int, ids: Sequence[int], *, before: int | None = None
    ) -> BulkResult:
        """Move up to 500 photos of an album before another one, or to its end, in this order.

        Raises NotFound, and InvalidRequest if `before` is not in the album.
        """
        check_number(ids)
        return await self.backends.catalog.albums.move(owner, id_, ids, before=before)


def _check_title(title: str) -> str:
    if not title.strip():
        raise InvalidRequest("Give the album a title.")
    return validate_text("title", title, MAX_TITLE)
