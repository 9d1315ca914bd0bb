"""The ledger: each request is entered in it with its id, its route, its outcome and its time.

Refusals that come before the app (a head that is too large, a request that can't be parsed) are
the connection's, and are not entered.
"""

import logging
import re
import secrets
import time
from collections import Counter
from typing import Any

from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from safelight.tallies import Durations
from safelight.trail import request_id
from safelight.web.problems import unexpected

HEADER = b"x-request-id"
NOWHERE = "nowhere"
"""The route of a request for which there is none."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_GONE = 0
"""The status of a request whose client went away before the answer."""

_is_sound = re.compile(rb"[A-Za-z0-9._-]{8,128}").fullmatch
"""What may be taken over as an id: nothing that could break a line, a header or a query."""

_log = logging.getLogger(__name__)
_each = logging.getLogger("safelight.each.request")


class Ledger:
    """What was asked for in this process, and what it was answered with, in plain numbers."""

    def __init__(self) -> None:
        self.under_way = 0
        self.answers: Counter[tuple[str, str, int]] = Counter()
        """By route, method and status; the status is 0 if the client went before there was one."""
        self.times: dict[tuple[str, str], Durations] = {}
        """By route and method."""
        self._routes: dict[int, tuple[BaseRoute, str]] = {}

    def enter(self, scope: Scope, status: int, seconds: float) -> None:
        """Enter a request that is over."""
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = self.route(scope)
        self.answers[route, method, status] += 1
        times = self.times.get((route, method))
        if times is None:
            times = self.times[route, method] = Durations()
        times.add(seconds)
        if _each.isEnabledFor(logging.INFO):
            facts = {"method": method, "route": route, "status": status}
            _each.info("request", extra={"facts": facts | {"seconds": round(seconds, 4)}})

    def route(self, scope: Scope) -> str:
        """Tell the template of the path that was asked for, once that is found."""
        route = scope.get("route")
        if route is None:
            return _mounted(scope)
        known = self._routes.get(id(route))
        if known is None:  # kept along, so that no other can have its id
            known = self._routes[id(route)] = (route, _template(scope, route))
        return known[1]


def _template(scope: Scope, route: BaseRoute) -> str:
    """Put before a route's template what its router was included under, which it doesn't know."""
    template = str(getattr(route, "path_format", NOWHERE))
    own = template.format_map({name: str(part) for name, part in scope["path_params"].items()})
    path: str = scope["path"]
    return path.removesuffix(own) + template if path.endswith(own) else template


def _mounted(scope: Scope) -> str:
    """Tell where an app within the app is; scope["route"] is for routes alone."""
    if "endpoint" not in scope:
        return NOWHERE
    return f"{scope.get('root_path', '')}/{{path}}"


class Entries:
    """Enters requests in a ledger, and gives each an id, which its answer tells as X-Request-Id.

    An id of the shape of one is taken over from the request's header; whatever is logged or
    enqueued meanwhile has it. What nobody caught is answered with a 500 here.
    """

    def __init__(self, app: ASGIApp, *, ledger: Ledger) -> None:
        self._app = app
        self._ledger = ledger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        id_ = _offered(scope) or secrets.token_hex(16).encode()
        answer = _Answer(send, id_)
        mark = request_id.set(id_.decode())
        self._ledger.under_way += 1
        began = time.perf_counter()
        try:
            await self._passed(scope, receive, answer)
        finally:
            self._ledger.under_way -= 1
            self._ledger.enter(scope, answer.status, time.perf_counter() - began)
            request_id.reset(mark)

    async def _passed(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        try:
            await self._app(scope, receive, answer)
        except Exception:
            if answer.status != _GONE:  # the answer has begun: the connection is to be cut off
                raise
            _log.exception("a request failed in a way that was not foreseen")
            await unexpected()(scope, receive, answer)


class _Answer:
    """Passes an answer on, with the id, and remembers its status."""

    __slots__ = ("_id", "_send", "status")

    def __init__(self, send: Send, id_: bytes) -> None:
        self._send = send
        self._id = id_
        self.status = _GONE

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (HEADER, self._id)]
        await self._send(message)


def _offered(scope: Scope) -> bytes | None:
    """Take the id that came with the request, if it is one, and only one."""
    found: list[Any] = [value for name, value in scope["headers"] if name == HEADER]
    return found[0] if len(found) == 1 and _is_sound(found[0]) else None
