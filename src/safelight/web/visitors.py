"""Who may: by a bearer token, by a session, or, on loopback, without being asked."""

import hmac
import secrets
from collections import OrderedDict
from hashlib import blake2b
from pathlib import Path

from fastapi import Request
from starlette.responses import Response

from safelight.errors import Unauthenticated
from safelight.settings import Settings
from safelight.web.origins import check_origin

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SESSIONS = 1_000


class Visitors:
    """Decides, before a byte of a body is read, whose photos a request is about.

    An instance is a FastAPI dependency: it gives the owner, or raises Unauthenticated or
    ForbiddenOrigin.
    """

    def __init__(self, settings: Settings, *, token: str | None) -> None:
        self._settings = settings
        self._token = token.encode() if token else None
        self._sessions: OrderedDict[str, None] = OrderedDict()
        self.cookie = f"safelight-{_installation(settings.data_dir)}"

    async def __call__(self, request: Request) -> str:
        """Give the owner whose photos this request may see and change."""
        if self._settings.auth == "none":
            self._check_change(request, silence_passes=True)
        elif not self._bears_token(request):
            if not self.has_session(request):
                raise Unauthenticated
            self._check_change(request, silence_passes=False)
        return self._settings.owner

    def has_session(self, request: Request) -> bool:
        """Whether the request carries the cookie of a session that lasts."""
        session = request.cookies.get(self.cookie, "")
        if session not in self._sessions:
            return False
        self._sessions.move_to_end(session)
        return True

    def is_token(self, offered: str) -> bool:
        """Compare in constant time."""
        return self._token is not None and hmac.compare_digest(offered.encode(), self._token)

    def sign_in(self, request: Request, response: Response) -> None:
        """Begin a session: a random id, that is not the token and doesn't contain it."""
        session = secrets.token_urlsafe(32)
        self._sessions[session] = None
        if len(self._sessions) > _SESSIONS:
            self._sessions.popitem(last=False)
        response.set_cookie(
            self.cookie,
            session,
            max_age=30 * 24 * 3600,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )

    def sign_out(self, request: Request, response: Response) -> None:
        """End the session."""
        self._sessions.pop(request.cookies.get(self.cookie, ""), None)
        response.delete_cookie(self.cookie, httponly=True, samesite="lax")

    def check_own(self, request: Request) -> None:
        """Raise ForbiddenOrigin unless the request comes from one of our own pages."""
        check_origin(request, (), silence_passes=False)

    def _check_change(self, request: Request, *, silence_passes: bool) -> None:
        if request.method not in SAFE:
            check_origin(request, self._settings.origins, silence_passes=silence_passes)

    def _bears_token(self, request: Request) -> bool:
        scheme, _, offered = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.is_token(offered.strip())


def _installation(data_dir: Path) -> str:
    """Name the installation, since cookies don't tell two ports of one host apart."""
    return blake2b(str(data_dir.absolute()).encode(), digest_size=5).hexdigest()
