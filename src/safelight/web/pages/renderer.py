"""Render the templates of the pages, with their Content-Security-Policy."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.responses import HTMLResponse

from safelight import errors
from safelight.errors import SafelightError
from safelight.library import Library
from safelight.library.captions import MAX_DESCRIPTION, MAX_TITLE
from safelight.web import problems
from safelight.web.hosts import link_endpoint
from safelight.web.http.paths import root_path
from safelight.web.pages.languages import page_locale, page_texts
from safelight.web.pages.languages.texts import Texts


class PageRenderer:
    """Renders pages, and the pages that show an error."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._templates = Environment(
            loader=PackageLoader("safelight.web.pages"), autoescape=select_autoescape()
        )

    def render(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """Return a page made from a template and its values."""
        texts = page_texts(request)
        html = self._templates.get_template(template).render(
            root=root_path(request.scope),
            texts=texts,
            locale=page_locale(request),
            may_sign_out=getattr(request.state, "safelight_session", None) is not None,
            max_size=texts.format_size(self._library.limits.max_form_bytes),
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
                "Vary": "Accept-Language",
                **(headers or {}),
            },
        )

    def render_error(
        self,
        request: Request,
        error: SafelightError,
        template: str = "problem.html",
        *,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """Return a page that shows an error, with the error's status and headers."""
        return self.render(
            request,
            template,
            status=error.status,
            headers={**problems.headers_of(error), **(headers or {})},
            problem=self._error_text(page_texts(request), error),
            **values,
        )

    def render_sign_in(self, request: Request, problem: str | None = None) -> HTMLResponse:
        """Return the sign-in page, with the reason if signing in failed."""
        return self.render(request, "sign_in.html", status=401, problem=problem)

    def _error_text(self, texts: Texts, error: SafelightError) -> str:
        if isinstance(error, errors.TooLarge):
            limits = self._library.limits
            return texts.too_large_here(
                texts.format_size(limits.max_form_bytes),
                texts.format_size(limits.max_direct_bytes),
            )
        return texts.problem(error)

    def _policy(self, request: Request) -> str:
        store = self._library.backends.link_signer.origin(link_endpoint(request, self._library))
        return (
            "default-src 'none'; script-src 'self'; style-src 'self'; form-action 'self';"
            " base-uri 'none'; manifest-src 'self'; frame-ancestors 'none';"
            f" img-src 'self' data: blob: {store}; connect-src 'self' {store}"
        )
