"""Count and log each request with its route, status and duration.

Requests that the connection rejects (a head that is too large or malformed) are not counted.
"""

import logging

from prometheus_client import Counter, Gauge, Histogram
from starlette.routing import BaseRoute
from starlette.types import Scope

from safelight.metrics import SHORT_SECONDS
from safelight.web.http.paths import route_path

NO_ROUTE = "nowhere"
"""The route of a request that matches no route."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_RESPONSE = 0
"""The status of a request whose client disconnected before the response."""

_request_log = logging.getLogger("safelight.each.request")


class RequestMetrics:
    """Counts and durations of the requests that this process has handled."""

    def __init__(self) -> None:
        self.in_progress = Gauge(
            "safelight_requests_under_way", "Requests in progress.", registry=None
        )
        self.requests = Counter(
            "safelight_requests",
            "Requests; status 0 means that the client disconnected first.",
            ["route", "method", "status"],
            registry=None,
        )
        self.seconds = Histogram(
            "safelight_request_seconds",
            "Time from a request's head to the end of its response.",
            ["route", "method"],
            buckets=SHORT_SECONDS,
            registry=None,
        )
        self._routes: dict[int, tuple[BaseRoute, str]] = {}

    def record(self, scope: Scope, status: int, seconds: float) -> None:
        """Count and log a finished request."""
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = self.route(scope)
        self.requests.labels(route, method, str(status)).inc()
        self.seconds.labels(route, method).observe(seconds)
        if _request_log.isEnabledFor(logging.INFO):
            facts = {"method": method, "route": route, "status": status}
            _request_log.info("request", extra={"facts": facts | {"seconds": round(seconds, 4)}})

    def route(self, scope: Scope) -> str:
        """Return the path template of the route, once routing has found it."""
        route = scope.get("route")
        if route is None:
            return _mounted(scope)
        known = self._routes.get(id(route))
        if known is None:  # holding the route keeps its id from being reused
            known = self._routes[id(route)] = (route, _template(scope, route))
        return known[1]


def _template(scope: Scope, route: BaseRoute) -> str:
    """Return the route's template with the prefix that its router was included under."""
    template = str(getattr(route, "path_format", NO_ROUTE))
    own = template.format_map({name: str(part) for name, part in scope["path_params"].items()})
    path = route_path(scope)
    return path.removesuffix(own) + template if path.endswith(own) else template


def _mounted(scope: Scope) -> str:
    """Return the path of a mounted app, for which scope["route"] is not set."""
    if "endpoint" not in scope:
        return NO_ROUTE
    mounted_at: str = scope.get("root_path", "")
    return f"{mounted_at.removeprefix(scope.get('app_root_path', ''))}/{{path}}"
