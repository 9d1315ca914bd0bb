"""The calls on sessions: who was let in, and who is to be let in no more."""

from dataclasses import asdict

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from safelight import errors
from safelight.errors import NotFound
from safelight.web import schema
from safelight.web.photos import ProblemRoute, WrittenId, photo_id
from safelight.web.shapes import SessionView
from safelight.web.visitors import Visitors

_WHO = (errors.Unauthenticated, errors.ForbiddenOrigin, errors.TooManyAttempts)
_PRIVATE = {"Cache-Control": "no-store"}


def session_router(visitors: Visitors) -> APIRouter:
    """Make the router of ``/sessions``."""
    router = APIRouter(
        tags=["sessions"], route_class=ProblemRoute, dependencies=[Depends(visitors)]
    )

    @router.get(
        "/sessions",
        summary="List the browsers that are signed in",
        response_class=Response,
        responses={
            200: schema.sessions_answer("The sessions, the last used first"),
            **schema.problems(*_WHO, errors.CatalogUnavailable),
        },
    )
    async def sessions(request: Request) -> Response:
        here = await visitors.session(request)
        listed = [
            SessionView(**asdict(each), current=here is not None and each.id == here.id)
            for each in await visitors.sessions()
        ]
        return Response(
            msgspec.json.encode(listed), media_type="application/json", headers=_PRIVATE
        )

    @router.delete(
        "/sessions/{session_id}",
        status_code=204,
        summary="Sign a browser out",
        responses=schema.problems(*_WHO, NotFound, errors.CatalogUnavailable),
    )
    async def revoke(session_id: WrittenId) -> Response:
        if not await visitors.revoke([photo_id(session_id)]):
            raise NotFound("There is no such session.")
        return Response(status_code=204)

    return router
