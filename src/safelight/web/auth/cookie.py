"""The cookie of a session.

Over HTTPS its name has the prefix `__Host-`: then browsers accept it only over HTTPS and from this
host, so that no other host of the domain and no one on the network can replace it.
"""

from datetime import timedelta

from fastapi import Request, Response

COOKIES = "safelight_cookies"
"""In the state of a request: Set-Cookie headers for its response, whatever that is."""

_PREFIX = "__Host-"


class SessionCookie:
    """Reads and sets the cookie. `name` is its name over HTTP."""

    def __init__(self, name: str, *, max_age: timedelta) -> None:
        self._name = name
        self._secure_name = _PREFIX + name
        self._max_age = int(max_age.total_seconds())

    def read(self, request: Request) -> str | None:
        """Return the session's secret."""
        cookies = request.cookies
        return cookies.get(self._secure_name) or cookies.get(self._name) or None

    def set(self, request: Request, response: Response, secret: str) -> None:
        """Set the cookie on a response."""
        is_secure = request.url.scheme == "https"
        if is_secure:
            self._delete(response, self._name)
        response.set_cookie(
            self._secure_name if is_secure else self._name,
            secret,
            max_age=self._max_age,
            httponly=True,
            samesite="lax",
            secure=is_secure,
        )

    def delete(self, request: Request, response: Response) -> None:
        """Delete the cookie, under both names."""
        self._delete(response, self._name)
        if request.url.scheme == "https":
            self._delete(response, self._secure_name, is_secure=True)

    def renew(self, request: Request, secret: str) -> None:
        """Replace a cookie from before the prefix, on the response to this request."""
        if request.url.scheme == "https" and self._secure_name not in request.cookies:
            response = Response()
            self.set(request, response, secret)
            cookies = [value for name, value in response.raw_headers if name == b"set-cookie"]
            setattr(request.state, COOKIES, cookies)

    def _delete(self, response: Response, name: str, *, is_secure: bool = False) -> None:
        response.delete_cookie(name, httponly=True, samesite="lax", secure=is_secure)
