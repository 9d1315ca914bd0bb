"""The list of signed-in browsers on the simple pages, without JavaScript."""

from fastapi import Request, Response
from starlette.responses import RedirectResponse

from safelight.web.api.routing import parse_id
from safelight.web.api.sessions.sessions import session_to_view
from safelight.web.auth.auth import Authenticator
from safelight.web.http.paths import root_path
from safelight.web.pages.renderer import PageRenderer


class DevicePages:
    """The page below ``/simple-upload/devices``, and its forms."""

    def __init__(self, authenticator: Authenticator, renderer: PageRenderer) -> None:
        self._authenticator = authenticator
        self._renderer = renderer

    async def list_(self, request: Request) -> Response:
        """Return the page of the browsers that are signed in, this one first."""
        await self._authenticator(request)
        current = await self._authenticator.session(request)
        sessions = [
            session_to_view(session, current=current)
            for session in await self._authenticator.sessions()
        ]
        sessions.sort(key=lambda session: not session.current)
        return self._renderer.render(request, "devices.html", sessions=sessions)

    async def sign_out(self, request: Request) -> Response:
        """Sign a browser out, unless that was done before, and redirect to the others."""
        await self._authenticator(request)
        id_ = parse_id(request.path_params["session_id"], "session")
        await self._authenticator.revoke(request, id_)
        return RedirectResponse(
            f"{root_path(request.scope)}/simple-upload/devices", status_code=303
        )
