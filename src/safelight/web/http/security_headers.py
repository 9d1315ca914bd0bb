"""The security headers of responses."""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Scope

from safelight.web.auth.csrf import EMBEDDABLE
from safelight.web.hosts import is_localhost, request_host

SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
}
"""On every response that doesn't set them. Pages set their own Content-Security-Policy."""

_HSTS: Final = "max-age=31536000"
"""A year. Without includeSubDomains: the other names of the domain aren't ours."""


def add_security_headers(headers: MutableHeaders, scope: Scope) -> None:
    """Add the security headers that a response to the request of this scope lacks."""
    if EMBEDDABLE in scope.get("state", ()):
        headers.setdefault("Cross-Origin-Resource-Policy", "cross-origin")
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    if scope["scheme"] == "https":
        host = request_host(Headers(scope=scope))
        # For localhost, browsers would use HTTPS for every port of this machine from now on.
        if host and not is_localhost(host):
            headers["Strict-Transport-Security"] = _HSTS
