"""The router of the pages, which are not part of the API."""

from collections.abc import Awaitable, Callable
from functools import partial

from fastapi import APIRouter, Request, Response
from starlette.responses import HTMLResponse

from safelight.errors import SafelightError, Unauthenticated
from safelight.library import Library
from safelight.web.auth.auth import Authenticator
from safelight.web.http.body import ClientGone
from safelight.web.pages.devices import DevicePages
from safelight.web.pages.gallery import GalleryPage
from safelight.web.pages.installed import InstalledApp
from safelight.web.pages.renderer import PageRenderer
from safelight.web.pages.sign_in import SignInPages
from safelight.web.pages.simple import SimplePages

_Handler = Callable[[Request], Awaitable[Response]]


def page_router(
    library: Library, authenticator: Authenticator, renderer: PageRenderer
) -> APIRouter:
    """Make the router of the pages. Each page authenticates its request."""
    gallery = GalleryPage(library, authenticator, renderer)
    simple = SimplePages(library, authenticator, renderer)
    devices = DevicePages(authenticator, renderer)
    installed = InstalledApp(authenticator)
    sign_in = SignInPages(library, authenticator, renderer)
    router = APIRouter(include_in_schema=False)
    for path, method, handler in (
        ("/", "GET", gallery.show),
        ("/photo/{photo_id}", "GET", gallery.show_photo),
        ("/simple-upload", "GET", simple.index),
        ("/simple-upload", "POST", simple.upload),
        ("/simple-upload/trash", "GET", simple.trash),
        ("/simple-upload/trash/empty", "POST", simple.empty_trash),
        ("/simple-upload/albums", "GET", simple.albums),
        ("/simple-upload/albums/{album_id}", "GET", simple.album),
        ("/simple-upload/devices", "GET", devices.list_),
        ("/simple-upload/devices/{session_id}/sign-out", "POST", devices.sign_out),
        ("/simple-upload/{photo_id}", "GET", simple.photo),
        ("/simple-upload/{photo_id}/restore", "POST", simple.restore),
        ("/simple-upload/{photo_id}/revoke-links", "POST", simple.revoke_links),
        ("/simple-upload/{photo_id}/delete", "POST", simple.delete),
        ("/manifest.webmanifest", "GET", installed.manifest),
        ("/share-worker.js", "GET", installed.worker),
        ("/share", "GET", installed.share),
        ("/share", "POST", installed.share),
        ("/sign-in", "GET", sign_in.open_link),
        ("/sign-in", "POST", sign_in.sign_in),
        ("/sign-out", "POST", sign_in.sign_out),
        ("/sign-out", "GET", sign_in.reload_sign_out),
    ):
        router.add_api_route(
            path,
            partial(_respond, renderer, handler),
            methods=[method],
            response_class=HTMLResponse,
        )
    return router


async def _respond(renderer: PageRenderer, handler: _Handler, request: Request) -> Response:
    """Return a page, or the page that shows its error."""
    try:
        return await handler(request)
    except Unauthenticated:
        return renderer.render_sign_in(request)
    except ClientGone:
        return Response(status_code=400)
    except SafelightError as error:
        return renderer.render_error(request, error)
