"""The cookie of a session.

Over HTTPS its name has the prefix `__Host-`: then browsers accept it only over HTTPS and from this
host, so that no other host of the domain and no one on the network can replace it. Such a cookie is
sent with every path. Where the service has a part of a host only, below a path, its name has the
prefix `__Secure-` instead, and the other services of that host don't receive it.
"""

from datetime import timedelta

from fastapi import Request, Response

from safelight.web.http.paths import root_path

COOKIES = "safelight_cookies"
"""In the state of a request: Set-Cookie headers for its response, whatever that is."""

_OF_HOST = "__Host-"
_OF_PATH = "__Secure-"


class SessionCookie:
    """Reads and sets the cookie. `name` is its name over HTTP."""

    def __init__(self, name: str, *, max_age: timedelta) -> None:
        self._name = name
        self._max_age = int(max_age.total_seconds())

    def read(self, request: Request) -> str | None:
        """Return the session's secret."""
        names = (self._secure_name(request), self._name)
        return next(filter(None, map(request.cookies.get, names)), None)

    def set(self, request: Request, response: Response, secret: str) -> None:
        """Set the cookie on a response."""
        is_secure = request.url.scheme == "https"
        if is_secure:
            self._delete(request, response, self._name)
        response.set_cookie(
            self._secure_name(request) if is_secure else self._name,
            secret,
            max_age=self._max_age,
            path=_path(request),
            httponly=True,
            samesite="lax",
            secure=is_secure,
        )

    def delete(self, request: Request, response: Response) -> None:
        """Delete the cookie, under both names."""
        self._delete(request, response, self._name)
        if request.url.scheme == "https":
            self._delete(request, response, self._secure_name(request), is_secure=True)

    def renew(self, request: Request, secret: str) -> None:
        """Replace a cookie from before the prefix, on the response to this request."""
        if request.url.scheme == "https" and self._secure_name(request) not in request.cookies:
            response = Response()
            self.set(request, response, secret)
            cookies = [value for name, value in response.raw_headers if name == b"set-cookie"]
            setattr(request.state, COOKIES, cookies)

    def _secure_name(self, request: Request) -> str:
        return (_OF_HOST if _path(request) == "/" else _OF_PATH) + self._name

    def _delete(
        self, request: Request, response: Response, name: str, *, is_secure: bool = False
    ) -> None:
        path = _path(request)
        response.delete_cookie(name, path=path, httponly=True, samesite="lax", secure=is_secure)


def _path(request: Request) -> str:
    """Return the path that the service is served at."""
    return root_path(request.scope) or "/"
