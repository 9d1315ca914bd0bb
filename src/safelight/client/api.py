"""A client of a server's HTTP API."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any, BinaryIO, Final
from urllib.parse import quote

import httpx
import msgspec

from safelight.client.calls.albums import AlbumConnection
from safelight.client.calls.operator import OperatorCalls
from safelight.client.downloads import ArchiveCalls
from safelight.client.errors import not_safelight
from safelight.client.http import EXISTING, PHOTOS, TRASH, UPLOADS, path_of
from safelight.client.reservation import ReservedUpload, StoreRequest, parse_reservation
from safelight.client.responses import (
    BulkOutcome,
    EmptiedFields,
    HashedPhotoFields,
    PhotoFields,
    TrashFields,
)
from safelight.errors import InvalidRequest, NotFound

_PAGE_SIZE: Final = 100

Photo = dict[str, Any]
"""A photo as the API returns it. The fields of `PhotoFields` have been checked."""


class Client(AlbumConnection, OperatorCalls, ArchiveCalls):
    """An API client, as a context manager that closes its connections. Threads may share it.

    Every method may raise Unauthenticated, Unavailable or OperatorError.
    """

    def pages(
        self, *, order: str, limit: int | None, search: str | None = None, trash: bool = False
    ) -> Iterator[list[Photo]]:
        """Yield pages of photos, newest first, up to `limit` photos; with `trash`, of those in it.

        Raises InvalidRequest.
        """
        left = limit
        page_size = _PAGE_SIZE if left is None else min(left, _PAGE_SIZE)
        found = "" if search is None else f"&q={quote(search, safe='')}"
        in_trash = "&trash=true" if trash else ""
        query: str | None = f"order={order}&limit={page_size}{found}{in_trash}"
        while query and left != 0:
            response = self._request("GET", f"{PHOTOS}?{query}")
            photos: list[Photo] = self._decode(response.content, list[PhotoFields])[:left]
            left = None if left is None else left - len(photos)
            yield photos
            query = _next_query(response)

    def photo(self, id_: str) -> Photo:
        """Return a photo. Raises NotFound."""
        return self._decode_photo(self._request("GET", path_of(PHOTOS, id_)))

    def delete(self, id_: str, *, permanent: bool = False) -> None:
        """Move a photo to the trash, or delete it for good. Raises NotFound."""
        query = "?permanent=true" if permanent else ""
        self._request("DELETE", path_of(PHOTOS, id_) + query)

    def revoke_links(self, id_: str) -> None:
        """Make all links to a photo stop working. Raises NotFound."""
        self._request("POST", f"{path_of(PHOTOS, id_)}/revoke-links")

    def restore(self, id_: str) -> None:
        """Restore a photo from the trash. Raises NotFound."""
        self._request("POST", f"{path_of(PHOTOS, id_)}/restore")

    def has_trash(self) -> bool:
        """Return whether deleted photos go to a trash, as those of version 0.1 don't."""
        try:
            contents = self._decode(self._request("GET", TRASH).content, TrashFields)
        except NotFound:
            return False
        return int(contents["days"]) > 0

    def empty_trash(self) -> int:
        """Delete all photos in the trash for good, and return their number."""
        emptied = self._decode(self._request("DELETE", TRASH).content, EmptiedFields)
        return int(emptied["deleted"])

    def edit(self, ids: Sequence[str], **changes: object) -> BulkOutcome:
        """Change up to 500 photos; `changes` is the body of the request. Raises Invalid."""
        response = self._request("PATCH", f"{PHOTOS}?ids={','.join(ids)}", json=changes)
        self._decode(response.content, BulkOutcome)
        return msgspec.json.decode(response.content, type=BulkOutcome)

    def add(self, file: BinaryIO, filename: str, **texts: str | None) -> tuple[Photo, bool]:
        """Upload a photo through the server; return it, and whether it is new.

        The file is read while it is sent, after the `texts`, the other fields of the form. Raises
        Invalid, RequestTimeout, and errors from reading the file.
        """
        response = self._request(
            "POST",
            PHOTOS,
            data={name: text for name, text in texts.items() if text},
            files={"photo": (filename, file, "application/octet-stream")},
        )
        return self._decode_photo(response), response.status_code == HTTPStatus.CREATED

    def existing(self, sha256: Sequence[str]) -> dict[str, Photo]:
        """Return those photos with these digests that the server has, by digest.

        Raises DirectUploadsUnsupported, also for servers of version 0.1.
        """
        response = self._request("POST", EXISTING, json={"sha256": sha256})
        photos: list[Photo] = self._decode(response.content, list[HashedPhotoFields])
        return {photo["sha256"]: photo for photo in photos}

    def reserve(self, **declared: object) -> ReservedUpload | Photo:
        """Reserve a direct upload, or return the existing photo with the same bytes.

        `declared` is the body of ``POST /api/uploads``. Raises Invalid, TooManyUploads or
        DirectUploadsUnsupported.
        """
        try:
            response = self._request("POST", UPLOADS, json=declared)
        except InvalidRequest:  # servers of version 0.1 refuse a field that they don't know
            if declared.pop("modified_at", None) is None:
                raise
            response = self._request("POST", UPLOADS, json=declared)
        if response.status_code == HTTPStatus.OK:
            return self._decode_photo(response)
        try:
            return parse_reservation(msgspec.json.decode(response.content))
        except (ValueError, RecursionError) as error:
            raise not_safelight(self._settings) from error

    def sign(self, upload: ReservedUpload, operation: str, **step: object) -> StoreRequest:
        """Return the presigned request for a step of a multipart upload. Raises NotFound."""
        response = self._request(
            "POST", f"{UPLOADS}/{upload.id}/sign", json={"operation": operation, **step}
        )
        return msgspec.convert(self._decode(response.content, StoreRequest), StoreRequest)

    def complete(self, upload: ReservedUpload) -> tuple[Photo, bool]:
        """Complete a direct upload; return the photo, and whether it is new.

        Raises Invalid, NotFound or UploadIncomplete.
        """
        response = self._request("POST", f"{UPLOADS}/{upload.id}/complete")
        return self._decode_photo(response), response.status_code == HTTPStatus.CREATED

    def abort(self, upload: ReservedUpload) -> None:
        """Abort a direct upload, and delete what was sent. Raises NotFound."""
        self._request("DELETE", f"{UPLOADS}/{upload.id}")

    def rendition_link(self, id_: str, name: str) -> str:
        """Return the link to a rendition, which is made if it is missing. Raises NotFound."""
        path = f"{path_of(PHOTOS, id_)}/{quote(name, safe='')}"
        return str(self._request("GET", path).headers["Location"])

    def _decode_photo(self, response: httpx.Response) -> Photo:
        photo: Photo = self._decode(response.content, PhotoFields)
        return photo


def _next_query(response: httpx.Response) -> str | None:
    """Return only the query of the next page's link, so the token never goes to another host."""
    url = response.links.get("next", {}).get("url", "")
    return url.partition("?")[2].partition("#")[0] or None
