"""Undo what a proxy has done to a request: address, scheme, host and path are the client's."""

from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send

from safelight.web.http.paths import PathPrefix
from safelight.web.http.proxies import TrustedProxies


class ProxyHeadersMiddleware:
    """Sets client, scheme, host and path of each request before other middleware reads them."""

    def __init__(self, app: ASGIApp, *, proxies: TrustedProxies, prefix: PathPrefix) -> None:
        self._app = app
        self._proxies = proxies
        self._prefix = prefix

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass the request on. The scope is changed in place, so that the connection sees it."""
        if scope["type"] == "http":
            self._proxies.apply(scope)
            if self._prefix.prefix or scope.get("root_path"):
                self._prefix.apply(scope)
        return self._app(scope, receive, send)
