"""The farewell of a process that is about to end while others of its kind go on serving."""

import asyncio

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from safelight import errors
from safelight.web.problems import problem


class Farewell:
    """Whether it has begun. From then on /readyz says 503, so that a load balancer turns away."""

    def __init__(self) -> None:
        self.begun = False


class LastAnswers:
    """Closes each connection with its next answer, once the farewell has begun.

    A load balancer that kept one would send a request on it at the moment when it is closed. What
    the server gives up because it ends, without an answer yet, is told 503.
    """

    def __init__(self, app: ASGIApp, *, farewell: Farewell) -> None:
        self._app = app
        self._farewell = farewell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        answered = False

        async def sending(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                if self._farewell.begun:
                    MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except asyncio.CancelledError:
            # uvicorn would make a 500 of it, and log where it happened to be.
            if answered or scope["type"] != "http":
                raise
            await _ending()(scope, receive, send)


def _ending() -> Response:
    return problem(
        503,
        errors.Busy.code,
        "The service is about to end: try again shortly.",
        {"Connection": "close", "Retry-After": "5"},
    )
