"""Reject requests to host names that are not configured (DNS rebinding)."""

from collections.abc import Awaitable, Collection, Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from safelight.errors import UnknownHost
from safelight.web.hosts import parse_host, request_host
from safelight.web.http.paths import route_path
from safelight.web.http.proxies import PROXY_HOST
from safelight.web.problems import problem_response


class TrustedHostMiddleware:
    """Rejects requests whose Host header is invalid or not allowed; `*` allows all.

    Behind a proxy that sends X-Forwarded-Host, that host and the proxy's own are checked. The
    paths in `exempt` are served for any host, and without one.
    """

    def __init__(
        self, app: ASGIApp, *, allowed: Iterable[str], exempt: Collection[str] = ()
    ) -> None:
        self._app = app
        self._allowed = frozenset(host.strip("[]").lower() for host in allowed)
        self._allows_all = "*" in self._allowed
        self._exempt = frozenset(exempt)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass the request on, or reject it."""
        if scope["type"] == "http":
            hosts = [request_host(Headers(scope=scope))]
            if PROXY_HOST in scope:
                hosts.append(parse_host(scope[PROXY_HOST]))
            is_allowed = self._allows_all or self._allowed.issuperset(hosts)
            if (None in hosts or not is_allowed) and route_path(scope) not in self._exempt:
                return problem_response(UnknownHost())(scope, receive, send)
        return self._app(scope, receive, send)
