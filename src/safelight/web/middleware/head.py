"""Answer HEAD as GET without the body."""

from collections.abc import Awaitable
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ROUTING = ("route", "path_params", "endpoint", "root_path", "app_root_path")
"""The keys that routing sets in a scope."""

_IS_HEAD: Final = "safelight.is_head"
"""In the scope of a GET that was a HEAD."""


def is_head(request: Request) -> bool:
    """Return whether the client has sent HEAD."""
    return request.method == "HEAD" or _IS_HEAD in request.scope


class HeadMiddleware:
    """Answers HEAD with the headers of GET and no body, so that routes only define GET."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass the request on."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            return self._answer_head(scope, receive, send)
        return self._app(scope, receive, send)

    async def _answer_head(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_without_body(message: Message) -> None:
            await send({**message, "body": b""} if "body" in message else message)

        get: Scope = {**scope, "method": "GET", _IS_HEAD: True}
        try:
            await self._app(get, receive, send_without_body)
        finally:  # the request log reads the route from there
            scope.update({name: get[name] for name in _ROUTING if name in get})
