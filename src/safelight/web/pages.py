"""The pages: the gallery, and the plain ones, which work without JavaScript.

The plain ones show the photos, one photo, and a form that adds one.
"""

import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import msgspec
from fastapi import APIRouter, Request, Response
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse

from safelight import errors
from safelight.catalog import Cursor
from safelight.errors import SafelightError, Unauthenticated
from safelight.library import Library
from safelight.library.captions import MAX_DESCRIPTION, MAX_TITLE
from safelight.photo import Caption, Photo
from safelight.web import problems
from safelight.web.arrival import ClientGone, arriving
from safelight.web.edge import HEAD
from safelight.web.endpoints import link_endpoint
from safelight.web.form import upload_form
from safelight.web.gallery import FIRST_PAGE, Build
from safelight.web.photos import photo_id
from safelight.web.shapes import PhotoView
from safelight.web.views import Views, month_view
from safelight.web.visitors import Visitors

_PER_PAGE = 48
_MAX_SIGN_IN = 8 * 1024

Page = Callable[..., Awaitable[Response]]


class Pages:
    """The pages of the service; each asks `visitors` who may see it."""

    def __init__(self, library: Library, visitors: Visitors) -> None:
        self._library = library
        self._visitors = visitors
        self._views = Views(library, capacity=0)
        self._templates = Environment(
            loader=PackageLoader("safelight.web"), autoescape=select_autoescape()
        )
        self._build = Build.found()

    def router(self) -> APIRouter:
        """Make the router of the pages; they are no part of the API."""
        router = APIRouter(include_in_schema=False)
        for path, method, page in (
            ("/", "GET", self.gallery),
            ("/photo/{photo_id}", "GET", self.gallery_photo),
            ("/simple-upload", "GET", self.index),
            ("/simple-upload", "POST", self.upload),
            ("/simple-upload/{photo_id}", "GET", self.photo),
            ("/simple-upload/{photo_id}/delete", "POST", self.delete),
            ("/sign-in", "GET", self.open_sign_in),
            ("/sign-in", "POST", self.sign_in),
            ("/sign-out", "POST", self.sign_out),
            # After a refusal the address bar shows where the form went to.
            ("/sign-out", "GET", self.home),
        ):
            router.add_api_route(
                path, partial(self._shown, page), methods=[method], response_class=HTMLResponse
            )
        return router

    async def _shown(self, page: Page, request: Request) -> Response:
        """Show a page, or the error on one."""
        try:
            return await page(request)
        except Unauthenticated:
            return self._sign_in_page(request)
        except ClientGone:
            return Response(status_code=400)
        except SafelightError as error:
            return self._problem_page(request, error)

    async def gallery(self, request: Request) -> Response:
        """Show the gallery: what shows and changes photos there is its own program."""
        owner = await self._visitors(request)
        return await self._gallery_page(request, owner, first_page=f"{_root(request)}{FIRST_PAGE}")

    async def gallery_photo(self, request: Request) -> Response:
        """Show the gallery, open at one photo."""
        owner = await self._visitors(request)
        await self._library.photo(owner, photo_id(request.path_params["photo_id"]))
        return await self._gallery_page(request, owner)

    async def index(self, request: Request) -> Response:
        """Show a page of photos, newest first; the first has the form that adds one."""
        owner = await self._visitors(request)
        after = request.query_params.get("after")
        photos, older = await self._listed(request, owner, after)
        return self._page(
            request, "index.html", photos=photos, older=older, first=after is None, typed=Caption()
        )

    async def home(self, request: Request) -> Response:
        """Go to the photos."""
        return RedirectResponse(f"{_root(request)}/", status_code=303)

    async def photo(self, request: Request) -> Response:
        """Show one photo, as large as it fits."""
        owner = await self._visitors(request)
        photo = await self._library.photo(owner, photo_id(request.path_params["photo_id"]))
        return self._page(
            request,
            "photo.html",
            photo=self._view(request, photo),
            size=_size(photo.size),
            was_there="twin" in request.query_params,
        )

    async def upload(self, request: Request) -> Response:
        """Take a photo in, and show the photos, or the one that had the same bytes already."""
        owner = await self._visitors(request)
        typed = Caption()
        try:
            async with upload_form(request, self._library) as form:
                typed = form.caption
                added = await self._library.add(owner, form.photo.file, typed)
        except (errors.Invalid, errors.Unavailable) as error:
            return await self._refused(request, owner, error, typed)
        twin = "" if added.created else f"/{added.photo.id}?twin"
        return RedirectResponse(f"{_root(request)}/simple-upload{twin}", status_code=303)

    async def delete(self, request: Request) -> Response:
        """Delete a photo, and show the others."""
        owner = await self._visitors(request)
        await self._library.delete(owner, photo_id(request.path_params["photo_id"]))
        return RedirectResponse(f"{_root(request)}/simple-upload", status_code=303)

    async def sign_in(self, request: Request) -> Response:
        """Exchange the token for a session."""
        self._visitors.check_own(request)
        body = [
            chunk async for chunk in arriving(request, self._library.limits, limit=_MAX_SIGN_IN)
        ]
        offered = parse_qs(b"".join(body).decode("utf-8", "replace")).get("token", [""])[0]
        if not self._visitors.check_token(request, offered.strip()):
            return self._sign_in_page(request, problem="That is not the token.")
        return await self._signed_in(request)

    async def open_sign_in(self, request: Request) -> Response:
        """Exchange the code of a sign-in link for a session, or ask for the token."""
        code = request.query_params.get("code")
        if code is None:
            await self._visitors(request)
            return await self.home(request)
        if request.scope.get(HEAD) or _is_embedded(request):
            return await self.home(request)
        if not await self._visitors.redeem(code):
            return self._sign_in_page(
                request,
                problem="That link was opened before, or is too old. The token lets you in.",
            )
        return await self._signed_in(request)

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        self._visitors.check_own(request)
        response = RedirectResponse(f"{_root(request)}/", status_code=303)
        await self._visitors.sign_out(request, response)
        return response

    async def _listed(
        self, request: Request, owner: str, after: str | None = None
    ) -> tuple[list[PhotoView], Cursor | None]:
        """Give a page of photos, and the cursor of the next if there is one."""
        page = await self._library.page(owner, after=after, limit=_PER_PAGE)
        ids = [id_ for id_, _ in page.states]
        found = {photo.id: photo for photo in await self._library.photos(owner, ids)}
        return [self._view(request, found[id_]) for id_ in ids if id_ in found], page.next

    async def _refused(
        self, request: Request, owner: str, error: SafelightError, typed: Caption
    ) -> Response:
        """Say why a photo wasn't taken in, and give back what was typed with it."""
        photos: list[PhotoView] | None = None
        older = None
        if isinstance(error, errors.Invalid):  # else an engine is away: don't wait for it again
            with contextlib.suppress(errors.Unavailable):
                photos, older = await self._listed(request, owner)
        return self._problem_page(
            request, error, "index.html", photos=photos, older=older, first=True, typed=typed
        )

    async def _signed_in(self, request: Request) -> Response:
        response = RedirectResponse(f"{_root(request)}/", status_code=303)
        await self._visitors.sign_in(request, response)
        return response

    async def _gallery_page(
        self, request: Request, owner: str, *, first_page: str | None = None
    ) -> Response:
        """Give the page that the gallery's program fills; the months come along with it."""
        if self._build is None:
            return self._page(request, "unbuilt.html", status=503)
        months = [month_view(month) for month in await self._library.months(owner)]
        return self._page(
            request,
            "gallery.html",
            build=self._build,
            first_page=first_page if months else None,
            # Digits and base64 alone: nothing in it could end the element that holds it.
            months=Markup(msgspec.json.encode(months).decode()),  # noqa: S704  as just said
        )

    def _sign_in_page(self, request: Request, problem: str | None = None) -> Response:
        return self._page(request, "sign_in.html", status=401, problem=problem)

    def _problem_page(
        self,
        request: Request,
        error: SafelightError,
        template: str = "problem.html",
        **values: Any,  # noqa: ANN401  whatever the template shows
    ) -> Response:
        return self._page(
            request,
            template,
            status=problems.status_of(error),
            headers=problems.headers_of(error),
            problem=self._in_plain_words(error),
            **values,
        )

    def _in_plain_words(self, error: SafelightError) -> str:
        if isinstance(error, errors.TooLarge):
            largest = _size(self._library.limits.max_form_bytes)
            return f"That photo is too large: up to {largest} can be added here."
        return str(error)

    def _view(self, request: Request, photo: Photo) -> PhotoView:
        endpoint = link_endpoint(request, self._library)
        return self._views.view(photo, endpoint=endpoint, now=self._library.now())

    def _page(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        **values: Any,  # noqa: ANN401  whatever the template shows
    ) -> Response:
        html = self._templates.get_template(template).render(
            root=_root(request),
            may_sign_out=getattr(request.state, "safelight_session", None) is not None,
            max_size=_size(self._library.limits.max_form_bytes),
            max_bytes=self._library.limits.max_form_bytes,
            max_title=MAX_TITLE,
            max_description=MAX_DESCRIPTION,
            **values,
        )
        return HTMLResponse(
            html,
            status_code=status,
            headers={
                "Cache-Control": "no-store",  # after signing out, Back must show nothing
                "Content-Security-Policy": self._policy(request),
                **(headers or {}),
            },
        )

    def _policy(self, request: Request) -> str:
        store = self._library.parts.links.origin(link_endpoint(request, self._library))
        return (
            "default-src 'none'; script-src 'self'; style-src 'self'; form-action 'self';"
            " base-uri 'none'; frame-ancestors 'none';"
            f" img-src 'self' data: blob: {store}; connect-src 'self' {store}"
        )


def _is_embedded(request: Request) -> bool:
    """Whether a browser asks on behalf of another page: for a picture, a frame, a preview."""
    return request.headers.get("sec-fetch-dest", "document") != "document"


def _root(request: Request) -> str:
    root: str = request.scope.get("root_path", "")
    return root.rstrip("/")


def _size(count: int) -> str:
    mebibytes = count / 1024 / 1024
    return f"{mebibytes:.3g} MB" if mebibytes >= 1 else f"{max(1, count // 1024)} KB"
