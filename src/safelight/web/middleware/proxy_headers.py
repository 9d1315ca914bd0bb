"""Replace the address of a trusted proxy by that of the client (`web/http/proxies.py`)."""

from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send

from safelight.web.http.proxies import TrustedProxies


class ProxyHeadersMiddleware:
    """Sets client, scheme and host of each request before any other middleware reads them."""

    def __init__(self, app: ASGIApp, *, proxies: TrustedProxies) -> None:
        self._app = app
        self._proxies = proxies

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass the request on. The scope is changed in place, so that the connection sees it."""
        if scope["type"] == "http":
            self._proxies.apply(scope)
        return self._app(scope, receive, send)
