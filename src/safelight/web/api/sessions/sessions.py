"""The router of ``/sessions``: list browser sessions, and sign browsers out."""

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from safelight import errors
from safelight.catalog import Session
from safelight.errors import NotFound
from safelight.web.api import openapi
from safelight.web.api.routing import PathId, parse_id
from safelight.web.api.sessions.schemas import SessionView, SignedOutView
from safelight.web.auth.auth import Authenticator
from safelight.web.auth.user_agent import parse_user_agent

_ACCESS = (errors.Unauthenticated, errors.ForbiddenOrigin, errors.TooManyAttempts)
_PRIVATE = {"Cache-Control": "no-store"}


def session_router(authenticator: Authenticator) -> APIRouter:
    """Make the router of ``/sessions``."""
    router = APIRouter(tags=["sessions"], dependencies=[Depends(authenticator)])

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
            session_to_view(session, current=current) for session in await authenticator.sessions()
        ]
        return _json(listed)

    @router.delete(
        "/sessions",
        summary="Sign out all other browsers, or all if this request has no session",
        response_class=Response,
        responses={
            200: openapi.response("How many were signed out", SignedOutView),
            **openapi.problems(*_ACCESS, errors.CatalogUnavailable),
        },
    )
    async def revoke_others(request: Request) -> Response:
        return _json(SignedOutView(ended=await authenticator.revoke_others(request)))

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


def session_to_view(session: Session, *, current: Session | None) -> SessionView:
    """Return what may be shown of a session: nothing that its secret could be found by."""
    device = parse_user_agent(session.browser)
    return SessionView(
        id=session.id,
        created_at=session.created_at,
        seen_at=session.seen_at,
        address=session.address,
        browser=session.browser,
        browser_name=device.browser,
        system=device.system,
        current=current is not None and session.id == current.id,
    )


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json", headers=_PRIVATE)
