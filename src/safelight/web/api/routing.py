"""Shared by the API's routers: errors, ids in paths, origins, and the owner of a request."""

import re
from collections.abc import Awaitable, Callable, Collection, Coroutine
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Path, Request
from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from safelight import errors
from safelight.dates import parse_time
from safelight.models import OWN_DATE, OwnDate
from safelight.settings.addresses import parse_origin
from safelight.web import problems
from safelight.web.api import openapi
from safelight.web.auth.csrf import (
    SAFE,
    allow_embedding,
    check_origin,
    check_read,
    resource_policy,
)

Owner = Callable[..., str | Awaitable[str]]

_LOGIN_SCHEMES = frozenset({"basic", "digest", "negotiate", "ntlm"})
"""The schemes of Authorization for which browsers ask the user, and then add it automatically."""

PRIVATE = {"Cache-Control": "private, no-cache"}

_ID = re.compile(r"[1-9][0-9]{0,18}")
_MAX_ID = 2**63 - 1
PathId = Annotated[str, Path(json_schema_extra={"pattern": f"^{_ID.pattern}$"})]
"""An id in a path. The response to a malformed id is the same as to an unknown one."""


class EmbeddedRoute(APIRoute):
    """A route for apps without Safelight's error handlers and middleware.

    It returns Safelight's errors as problems, and sets its security headers itself.

    Its description has all schemas in their places: a router can't add components to the OpenAPI
    document of an app, and the app may have schemas of the same names.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        for part in ("responses", "openapi_extra"):
            options[part] = openapi.inline(options.get(part))
        super().__init__(*args, **options)

    def handle(self, scope: Scope, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        """Handle a request with Safelight's exception handlers before those of the app."""
        app_handlers, by_status = scope.get("starlette.exception_handlers", ({}, {}))
        scope["starlette.exception_handlers"] = (app_handlers | problems.HANDLERS, by_status)

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Cross-Origin-Resource-Policy", resource_policy(scope))
            await send(message)

        return super().handle(scope, receive, send_secured)


def parse_id(text: str, noun: str = "photo") -> int:
    """Return the id in a path. Raise NotFound, naming the noun, if it is malformed."""
    if not _ID.fullmatch(text) or int(text) > _MAX_ID:
        raise errors.NotFound(f"There is no such {noun}.")
    return int(text)


def parse_ids(text: str) -> list[int]:
    """Return the ids of a query, such as ``1,2``. Raise InvalidRequest if they are malformed."""
    ids = text.split(",")
    if not all(map(_ID.fullmatch, ids)):
        raise errors.InvalidRequest("The ids must be numbers of photos, like ids=1,2.")
    return list(map(int, ids))


def parse_taken_at(text: str | msgspec.UnsetType | None) -> datetime | OwnDate | None:
    """Return a capture time of a request for `Library.edit`. Raise InvalidRequest."""
    if text is msgspec.UNSET:
        return None
    return OWN_DATE if text is None else parse_time(text)


def origin_dependency(origins: Collection[str]) -> Callable[[Request], Awaitable[None]]:
    """Make the dependency that refuses what pages of other origins send as the user.

    It knows nothing of the app's authentication: a request without a cookie or a login is not
    forged, since no browser has added the user's identity to it. "*" in `origins` disables the
    check. Raises ValueError for anything else that is not an origin.
    """
    allowed = frozenset(origin if origin == "*" else parse_origin(origin) for origin in origins)

    async def check(request: Request) -> None:
        if "*" in allowed:
            allow_embedding(request)
        elif not _has_ambient_identity(request):
            return
        elif request.method in SAFE:
            check_read(request, allowed)
        else:
            check_origin(request, allowed, allow_unknown=True)

    return check


def _has_ambient_identity(request: Request) -> bool:
    """Return whether a header identifies the user that browsers add to the requests of any page."""
    scheme = request.headers.get("authorization", "").strip().partition(" ")[0].lower()
    return "cookie" in request.headers or scheme in _LOGIN_SCHEMES


def owner_dependency(owner: Owner) -> Callable[..., Awaitable[None]]:
    """Make the dependency that stores the request's owner for `owner_of`."""

    async def store_owner(request: Request, name: Annotated[str, Depends(owner)]) -> None:
        if not isinstance(name, str) or not name or "\0" in name:
            raise errors.Unauthenticated
        request.state.safelight_owner = name

    return store_owner


def owner_of(request: Request) -> str:
    """Return the owner of the photos that a request is about; `owner_dependency` has stored it.

    In Safelight's own app, that is the Authenticator.
    """
    owner: str = request.state.safelight_owner
    return owner
