"""Where a request came from, and whether a change may come from there.

A browser sends a session cookie, and reaches a server that asks no questions, for any page that
wants it to. So a change that isn't carried by a bearer token has to come from our own pages, or
from an origin that was configured.
"""

from urllib.parse import urlsplit

from fastapi import Request

from safelight.errors import ForbiddenOrigin


def check_origin(request: Request, allowed: tuple[str, ...], *, silence_passes: bool) -> None:
    """Raise ForbiddenOrigin unless the request comes from our own or an allowed origin.

    `silence_passes` lets through what tells nothing of where it comes from, as curl does.
    """
    headers = request.headers
    told = headers.get("origin") or _origin_of(headers.get("referer"))
    if told is not None:
        if _is_own(told, request) or told.rstrip("/") in allowed:
            return
        raise ForbiddenOrigin
    site = headers.get("sec-fetch-site")
    if site == "same-origin" or (site is None and silence_passes):
        return
    raise ForbiddenOrigin


def _origin_of(referer: str | None) -> str | None:
    if referer is None:
        return None
    try:
        parts = urlsplit(referer)
    except ValueError:
        return "null"
    return f"{parts.scheme}://{parts.netloc}"


def _is_own(origin: str, request: Request) -> bool:
    """Compare hosts alone: behind a proxy that ends TLS, the scheme we see may be another."""
    scheme, _, host = origin.partition("://")
    return scheme in {"http", "https"} and host.lower() == request.headers.get("host", "").lower()
