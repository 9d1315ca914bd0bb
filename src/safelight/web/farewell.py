"""The farewell of a process that is about to end while others of its kind go on serving."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Farewell:
    """Whether it has begun. From then on /readyz says 503, so that a load balancer turns away."""

    def __init__(self) -> None:
        self.begun = False


class LastAnswers:
    """Closes each connection with its next answer, once the farewell has begun.

    A load balancer that kept one would send a request on it at the moment when it is closed.
    """

    def __init__(self, app: ASGIApp, *, farewell: Farewell) -> None:
        self._app = app
        self._farewell = farewell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, sending if self._farewell.begun else send)
