"""The gallery page, which loads the frontend."""

import msgspec
from fastapi import Request, Response
from markupsafe import Markup

from safelight import errors
from safelight.library import Library
from safelight.models import Fit, When
from safelight.web.api.photo_json import month_to_view
from safelight.web.api.routing import parse_id
from safelight.web.api.schemas import MonthView
from safelight.web.auth.auth import Authenticator
from safelight.web.http.paths import root_path
from safelight.web.pages.gallery_files import GalleryBuild
from safelight.web.pages.languages import LANGUAGES, page_texts
from safelight.web.pages.languages.texts import Texts
from safelight.web.pages.renderer import PageRenderer

FIRST_PAGE = "/api/photos?limit=60&order=taken&links=parts"
"""The frontend's first request, exactly: the page preloads it."""

_VIEW_PARAMETERS = frozenset(["view", "q"])
"""In the query of the page's address: the frontend shows other photos than the newest."""


class GalleryPage:
    """The gallery, and the gallery opened at a photo."""

    def __init__(
        self, library: Library, authenticator: Authenticator, renderer: PageRenderer
    ) -> None:
        self._library = library
        self._authenticator = authenticator
        self._renderer = renderer
        self._builds = {language: GalleryBuild.load(language) for language in LANGUAGES}

    async def show(self, request: Request) -> Response:
        """Return the gallery page, with what its first screen shows unless it has another view."""
        owner = await self._authenticator(request)
        if _VIEW_PARAMETERS & request.query_params.keys():
            return self._page(request, changes=await self._library.count_changes(owner))
        return await self._render(
            request, owner, first_page=f"{root_path(request.scope)}{FIRST_PAGE}"
        )

    async def show_photo(self, request: Request) -> Response:
        """Return the gallery page, opened at a photo."""
        owner = await self._authenticator(request)
        await self._library.photo(owner, parse_id(request.path_params["photo_id"]))
        return await self._render(request, owner)

    async def _render(
        self, request: Request, owner: str, *, first_page: str | None = None
    ) -> Response:
        # Before the months: a change between is seen as one.
        changes = await self._library.count_changes(owner)
        months = [month_to_view(month) for month in await self._library.months(owner)]
        return self._page(
            request, changes=changes, first_page=first_page if months else None, months=months
        )

    def _page(
        self,
        request: Request,
        *,
        changes: int,
        first_page: str | None = None,
        months: list[MonthView] | None = None,
    ) -> Response:
        texts = page_texts(request)
        build = self._builds[texts.language]
        if build is None:
            return self._renderer.render(request, "unbuilt.html", status=503)
        return self._renderer.render(
            request,
            "gallery.html",
            build=build,
            changes=changes,
            has_trash=bool(self._library.backends.trash_time),
            first_page=first_page,
            share_key=self._authenticator.share_key(request.state.safelight_owner),
            problems=_problems(texts, self._library),
            large=_large_presets(self._library),
            # Only digits and base64: it cannot contain a closing tag.
            months=Markup(msgspec.json.encode(months).decode()),  # noqa: S704  see above
        )


def _problems(texts: Texts, library: Library) -> str | None:
    """Return the messages of errors in the language of the page, as JSON; None for English."""
    if not texts.problems:
        return None
    limit = texts.format_size(library.limits.max_direct_bytes)
    problems = {**texts.problems, errors.TooLarge.code: texts.too_large(limit)}
    return msgspec.json.encode(problems).decode()


def _large_presets(library: Library) -> str:
    """Return what the viewer can ask for: name, width and minimum short side of presets, as JSON.

    Those of crops are left out, and those that are listed with each photo anyway.
    """
    found = [
        (preset.name, preset.width, preset.short_side or 0)
        for preset in library.backends.presets
        if preset.when == When.DEMAND and preset.fit == Fit.INSIDE and preset.height is None
    ]
    return msgspec.json.encode(found).decode()
