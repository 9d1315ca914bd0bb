"""Download many originals as one archive."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from safelight.library.lifecycle import LibraryLifecycle

if TYPE_CHECKING:
    from safelight.library.downloads.downloads import OpenDownload
    from safelight.library.results import Download

MAX_DOWNLOAD = 10_000
"""The maximum number of photos in an archive. Its table of contents is held in memory."""


class DownloadMethods(LibraryLifecycle):
    """The methods for downloads."""

    async def create_download(
        self, owner: str, ids: Sequence[int], *, name: str = "photos"
    ) -> "Download":
        """Prepare a ZIP archive of the originals of up to 10,000 photos, in this order.

        The files have the photos' own names, with numbers where several are the same. Open it with
        `open_download` and its `token`, within a day. `name` is the archive's, without extension.
        Raises NotFound if the owner has none of the photos, and InvalidRequest.
        """
        return await self.components.downloads.create(owner, ids, name)

    async def open_download(self, owner: str, token: str) -> "OpenDownload":
        """Open an archive, to send its bytes from the store: ``async for part in it.read()``.

        It has `filename`, `size` in bytes and `etag`. Its bytes are the same each time, so that
        `read` can continue at any byte, but then reads the photos before it again. Photos that
        were deleted since are left out, which changes `etag`. Raises NotFound.
        """
        return await self.components.downloads.open(owner, token)
