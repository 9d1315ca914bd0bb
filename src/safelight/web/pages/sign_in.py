"""Sign in with the token or a sign-in link, and sign out."""

from urllib.parse import parse_qs

from fastapi import Request, Response
from starlette.responses import RedirectResponse

from safelight.errors import TooManyAttempts, Unauthenticated
from safelight.library import Library
from safelight.web.auth.auth import Authenticator
from safelight.web.http.body import read_body
from safelight.web.http.paths import root_path
from safelight.web.pages.languages import page_texts
from safelight.web.pages.renderer import PageRenderer

_MAX_FORM_BYTES = 8 * 1024


class SignInPages:
    """Exchanges the token, or the code of a sign-in link, for a session."""

    def __init__(
        self, library: Library, authenticator: Authenticator, renderer: PageRenderer
    ) -> None:
        self._library = library
        self._authenticator = authenticator
        self._renderer = renderer

    async def open_link(self, request: Request) -> Response:
        """Show the button that redeems the code of a sign-in link, or ask for the token.

        Opening the link changes nothing, because chat apps and mail scanners open links too.
        """
        code = request.query_params.get("code")
        try:
            await self._authenticator(request)
        except Unauthenticated:
            if code is None:
                raise
            return self._renderer.render(request, "sign_in_link.html", code=code)
        return _redirect_home(request)

    async def sign_in(self, request: Request) -> Response:
        """Exchange the token, or the code of a sign-in link, for a session."""
        self._authenticator.require_same_origin(request)
        body = bytearray()
        await read_body(request, self._library.limits, body.extend, limit=_MAX_FORM_BYTES)
        texts = page_texts(request)
        fields = parse_qs(body.decode("utf-8", "replace"))
        try:
            if "code" in fields:
                is_valid = await self._authenticator.redeem_code(request, fields["code"][0])
                problem = texts.link_is_used
            else:
                token = fields.get("token", [""])[0]
                is_valid = self._authenticator.check_token(request, token.strip())
                problem = texts.token_is_wrong
        except TooManyAttempts as error:
            return self._renderer.render_error(request, error, "sign_in.html")
        if not is_valid:
            return self._renderer.render_sign_in(request, problem=problem)
        response = _redirect_home(request)
        await self._authenticator.sign_in(request, response)
        return response

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        self._authenticator.require_same_origin(request)
        response = _redirect_home(request)
        await self._authenticator.sign_out(request, response)
        return response

    async def reload_sign_out(self, request: Request) -> Response:
        """Redirect to the gallery: reloading the page of a failed sign-out requests its URL."""
        return _redirect_home(request)


def _redirect_home(request: Request) -> Response:
    """Redirect to the gallery."""
    return RedirectResponse(f"{root_path(request.scope)}/", status_code=303)
