"""Protect against requests by pages of other sites (CSRF and cross-site leaks).

Any page can make a browser send a request, with the session cookie or to a server without
authentication. So a change without a bearer token must come from Safelight's own pages or a
configured origin, and so must a read, unless the user follows a link. Browsers name the page by
Origin and Referer, and over HTTPS or on loopback by Fetch Metadata (Sec-Fetch-Site), which no page
can set.
"""

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request
from starlette.types import Scope

from safelight.errors import ForbiddenOrigin

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""The methods that change nothing."""

EMBEDDABLE: Final = "safelight_embeddable"
"""Set in the state of a request whose response pages of other origins may embed."""


def check_origin(request: Request, allowed: Collection[str], *, allow_unknown: bool) -> None:
    """Raise ForbiddenOrigin unless the request comes from its own or an allowed origin.

    With `allow_unknown`, requests without any origin header pass, such as those of curl.
    """
    origin = _page_origin(request)
    if origin is not None:
        if not (_is_own(origin, request) or _is_allowed(origin, request, allowed)):
            raise ForbiddenOrigin
        return
    site = request.headers.get("sec-fetch-site")
    if not (site == "same-origin" or (site is None and allow_unknown)):
        raise ForbiddenOrigin


def check_read(request: Request, allowed: Collection[str]) -> None:
    """Raise ForbiddenOrigin if a page of another origin, which is not allowed, embeds or fetches.

    Without Fetch Metadata, a browser identifies only pages that fetch by CORS; that others can't
    use the response is up to Cross-Origin-Resource-Policy.
    """
    headers = request.headers
    site = headers.get("sec-fetch-site")
    if site in {"same-origin", "none"} or _follows_link(request):
        return
    origin = headers.get("origin") if site is None else _page_origin(request)
    if origin is None:
        if site is None:
            return
    elif _is_own(origin, request) or _is_allowed(origin, request, allowed):
        return
    raise ForbiddenOrigin("Only this site's own pages and configured origins can read this.")


def allow_embedding(request: Request) -> None:
    """Let pages of other origins embed the response."""
    setattr(request.state, EMBEDDABLE, True)


def resource_policy(scope: Scope) -> str:
    """Return the Cross-Origin-Resource-Policy of the response."""
    return "cross-origin" if scope.get("state", {}).get(EMBEDDABLE) else "same-origin"


def _follows_link(request: Request) -> bool:
    """Return whether the request replaces the page in its window, rather than embeds."""
    headers = request.headers
    return (
        headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest", "document") == "document"
    )


def _page_origin(request: Request) -> str | None:
    return request.headers.get("origin") or _origin_of(request.headers.get("referer"))


def _origin_of(referer: str | None) -> str | None:
    if referer is None:
        return None
    try:
        parts = urlsplit(referer)
    except ValueError:
        return "null"
    return f"{parts.scheme}://{parts.netloc}"


def _is_allowed(origin: str, request: Request, allowed: Collection[str]) -> bool:
    if origin.rstrip("/") not in allowed:
        return False
    allow_embedding(request)
    return True


def _is_own(origin: str, request: Request) -> bool:
    """Compare scheme, host and port, or trust the browser's comparison.

    Behind a proxy that terminates TLS without sending X-Forwarded-Proto, the scheme is unknown.
    """
    scheme, _, host = origin.partition("://")
    if scheme not in {"http", "https"} or [host.lower()] != _hosts(request):
        return False
    site = request.headers.get("sec-fetch-site", "none")
    return site == "same-origin" or (site == "none" and scheme == request.url.scheme)


def _hosts(request: Request) -> list[str]:
    return [host.lower() for host in request.headers.getlist("host")]
