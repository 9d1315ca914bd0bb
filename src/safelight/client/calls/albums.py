"""The calls about albums."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from safelight.client.http import ClientConnection, path_of
from safelight.client.responses import AlbumFields, BulkOutcome

_ALBUMS: Final = "api/albums"

Album = dict[str, Any]
"""An album as the API returns it. The fields of `AlbumFields` have been checked."""


class AlbumConnection(ClientConnection):
    """The calls about albums."""

    def albums(self) -> list[Album]:
        """List the albums, newest first."""
        content = self._request("GET", _ALBUMS).content
        albums: list[Album] = self._decode(content, list[AlbumFields])
        return albums

    def create_album(self, title: str, ids: Sequence[int]) -> Album:
        """Create an album of up to 500 photos. Raises Invalid."""
        response = self._request("POST", _ALBUMS, json={"title": title, "ids": list(ids)})
        album: Album = self._decode(response.content, AlbumFields)
        return album

    def rename_album(self, id_: str, title: str) -> None:
        """Change an album's title. Raises NotFound or Invalid."""
        self._request("PATCH", path_of(_ALBUMS, id_), json={"title": title})

    def delete_album(self, id_: str) -> None:
        """Delete an album; its photos stay. Raises NotFound."""
        self._request("DELETE", path_of(_ALBUMS, id_))

    def add_to_album(self, id_: str, ids: Sequence[int]) -> BulkOutcome:
        """Add up to 500 photos. Raises NotFound or Invalid."""
        path = f"{path_of(_ALBUMS, id_)}/photos"
        return self._read_outcome("POST", path, json={"ids": list(ids)})

    def remove_from_album(self, id_: str, ids: Sequence[int]) -> BulkOutcome:
        """Remove up to 500 photos. Raises NotFound or Invalid."""
        listed = ",".join(map(str, ids))
        return self._read_outcome("DELETE", f"{path_of(_ALBUMS, id_)}/photos?ids={listed}")

    def _read_outcome(self, method: str, path: str, **body: Any) -> BulkOutcome:
        content = self._request(method, path, **body).content
        self._decode(content, BulkOutcome)
        return msgspec.json.decode(content, type=BulkOutcome)
