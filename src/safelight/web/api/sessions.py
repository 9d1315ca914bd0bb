"""The router of ``/sessions``: list browser sessions, and sign a browser out."""

from dataclasses import asdict

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from safelight import errors
from safelight.errors import NotFound
from safelight.web.api import openapi
from safelight.web.api.routing import PathId, ProblemRoute, parse_id
from safelight.web.api.schemas import SessionView
from safelight.web.auth.auth import Authenticator

_ACCESS = (errors.Unauthenticated, errors.ForbiddenOrigin, errors.TooManyAttempts)
_PRIVATE = {"Cache-Control": "no-store"}


def session_router(authenticator: Authenticator) -> APIRouter:
    """Make the router of ``/sessions``."""
    router = APIRouter(
        tags=["sessions"], route_class=ProblemRoute, dependencies=[Depends(authenticator)]
    )

    @router.get(
        "/sessions",
        summary="List the browsers that are signed in",
        response_class=Response,
        responses={
            200: openapi.response("The sessions, most recently used first", list[SessionView]),
            **openapi.problems(*_ACCESS, errors.CatalogUnavailable),
        },
    )
    async def sessions(request: Request) -> Response:
        current = await authenticator.session(request)
        listed = [
            SessionView(**asdict(session), current=current is not None and session.id == current.id)
            for session in await authenticator.sessions()
        ]
        return Response(
            msgspec.json.encode(listed), media_type="application/json", headers=_PRIVATE
        )

    @router.delete(
        "/sessions/{session_id}",
        status_code=204,
        summary="Sign a browser out",
        responses=openapi.problems(*_ACCESS, NotFound, errors.CatalogUnavailable),
    )
    async def revoke(request: Request, session_id: PathId) -> Response:
        if not await authenticator.revoke(request, parse_id(session_id, "session")):
            raise NotFound("There is no such session.")
        return Response(status_code=204)

    return router
