"""The simple upload pages: list, add and delete photos, and show albums, without JavaScript."""

import contextlib
from typing import Any

from fastapi import Request, Response
from starlette.responses import RedirectResponse

from safelight import errors
from safelight.catalog import Cursor
from safelight.errors import SafelightError
from safelight.library import Library
from safelight.models import Caption, Photo
from safelight.web.api.photo_json import make_view
from safelight.web.api.routing import parse_id
from safelight.web.api.schemas import PhotoView
from safelight.web.auth.auth import Authenticator
from safelight.web.hosts import link_endpoint
from safelight.web.http.body import read_upload_form
from safelight.web.http.paths import root_path
from safelight.web.pages.renderer import PageRenderer
from safelight.web.security_log import SecurityEvent, deletion_event, log_security_event

_PER_PAGE = 48


class SimplePages:
    """The pages below ``/simple-upload``."""

    def __init__(
        self, library: Library, authenticator: Authenticator, renderer: PageRenderer
    ) -> None:
        self._library = library
        self._authenticator = authenticator
        self._renderer = renderer

    async def index(self, request: Request) -> Response:
        """Return a page of photos, newest first; the first has the upload form."""
        owner = await self._authenticator(request)
        after, query = _after(request), request.query_params.get("q") or None
        photos, older = await self._list_photos(request, owner, after, query)
        return self._render(
            request,
            "index.html",
            photos=photos,
            older=older,
            first=after is None and query is None,
            typed=Caption(),
            query=query,
        )

    async def photo(self, request: Request) -> Response:
        """Return the page of one photo."""
        owner = await self._authenticator(request)
        photo = await self._library.photo(owner, parse_id(request.path_params["photo_id"]))
        return self._render(
            request,
            "photo.html",
            photo=self._view(request, photo),
            is_duplicate="duplicate" in request.query_params,
        )

    async def upload(self, request: Request) -> Response:
        """Add a photo, and redirect to the photos, or to the existing duplicate."""
        owner = await self._authenticator(request)
        typed, library = Caption(), self._library
        try:
            with library.metrics.count_failures(), library.backends.spool.file(owner) as upload:
                typed, modified_at = await read_upload_form(request, library.limits, upload)
                added = await library.components.ingest.receive(
                    owner, upload, typed, modified_at=modified_at
                )
        except (errors.Invalid, errors.Unavailable) as error:
            return await self._render_failed_upload(request, owner, error, typed)
        duplicate = "" if added.created else f"/{added.photo.id}?duplicate"
        return _redirect(request, duplicate)

    async def delete(self, request: Request) -> Response:
        """Delete a photo, and redirect to the others."""
        owner = await self._authenticator(request)
        id_ = parse_id(request.path_params["photo_id"])
        permanent = "permanent" in request.query_params
        if permanent:
            await self._library.delete(owner, id_)
        else:
            await self._library.trash(owner, id_)
        log_security_event(request, deletion_event(permanent=permanent), photo=id_)
        return _redirect(request, "/trash" if permanent else "")

    async def trash(self, request: Request) -> Response:
        """Return a page of the photos in the trash, the last deleted first."""
        owner = await self._authenticator(request)
        after = _after(request)
        page = await self._library.trash_page(owner, after=after, limit=_PER_PAGE)
        found = await self._library.trashed_photos(owner, [id_ for id_, _ in page.photos])
        photos = [self._view(request, photo) for photo in found]
        return self._render(
            request,
            "trash.html",
            photos=photos,
            older=page.next,
            first=after is None,
            revoking=any(photo.revoking is True for photo in photos),
        )

    async def albums(self, request: Request) -> Response:
        """Return the page of all albums, the newest first."""
        owner = await self._authenticator(request)
        albums = await self._library.albums(owner)
        ids = [album.cover for album in albums if album.cover is not None]
        found = await self._library.photos(owner, ids) if ids else ()
        covers = {photo.id: self._view(request, photo) for photo in found}
        return self._render(request, "albums.html", albums=albums, covers=covers)

    async def album(self, request: Request) -> Response:
        """Return a page of the photos of an album, in its order."""
        owner = await self._authenticator(request)
        id_, after = parse_id(request.path_params["album_id"], "album"), _after(request)
        album = await self._library.album(owner, id_)
        photos, more = await self._list_photos(request, owner, after, album=id_)
        first = after is None
        return self._render(
            request, "album.html", album=album, photos=photos, more=more, first=first
        )

    async def restore(self, request: Request) -> Response:
        """Restore a photo from the trash, and redirect to it."""
        owner = await self._authenticator(request)
        photo = await self._library.restore(owner, parse_id(request.path_params["photo_id"]))
        return _redirect(request, f"/{photo.id}")

    async def revoke_links(self, request: Request) -> Response:
        """Revoke the links to a photo, and redirect to it."""
        owner = await self._authenticator(request)
        id_ = parse_id(request.path_params["photo_id"])
        await self._library.revoke_links(owner, id_)
        log_security_event(request, SecurityEvent.LINKS_REVOKED, photo=id_)
        return _redirect(request, f"/{id_}")

    async def empty_trash(self, request: Request) -> Response:
        """Delete all photos in the trash for good, and redirect to the others."""
        owner = await self._authenticator(request)
        deleted = await self._library.empty_trash(owner)
        log_security_event(request, SecurityEvent.TRASH_EMPTIED, photos=deleted)
        return _redirect(request, "/trash")

    def _render(self, request: Request, template: str, **values: Any) -> Response:
        days = self._library.backends.trash_time.days
        return self._renderer.render(request, template, trash_days=days, **values)

    async def _list_photos(
        self,
        request: Request,
        owner: str,
        after: str | None = None,
        query: str | None = None,
        *,
        album: int | None = None,
    ) -> tuple[list[PhotoView], Cursor | None]:
        """Return a page of photos, and the cursor of the next page."""
        page = await self._library.page(owner, after=after, limit=_PER_PAGE, q=query, album=album)
        ids = [id_ for id_, _ in page.photos]
        found = {photo.id: photo for photo in await self._library.photos(owner, ids)}
        return [self._view(request, found[id_]) for id_ in ids if id_ in found], page.next

    async def _render_failed_upload(
        self, request: Request, owner: str, error: SafelightError, typed: Caption
    ) -> Response:
        """Return the upload form with the error and what was typed."""
        photos: list[PhotoView] | None = None
        older = None
        if not isinstance(error, errors.Unavailable):  # don't wait for the same engine again
            with contextlib.suppress(errors.Unavailable):
                photos, older = await self._list_photos(request, owner)
        return self._renderer.render_error(
            request,
            error,
            "index.html",
            photos=photos,
            older=older,
            first=True,
            typed=typed,
            trash_days=self._library.backends.trash_time.days,
        )

    def _view(self, request: Request, photo: Photo) -> PhotoView:
        endpoint = link_endpoint(request, self._library)
        return make_view(
            photo,
            self._library.photo_links(photo, endpoint=endpoint),
            deletes_at=self._library.deletes_at(photo),
        )


def _after(request: Request) -> str | None:
    return request.query_params.get("after")


def _redirect(request: Request, path: str) -> Response:
    return RedirectResponse(f"{root_path(request.scope)}/simple-upload{path}", status_code=303)
