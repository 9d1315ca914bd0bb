"""Who may: by a bearer token, by a session, or, on loopback, without being asked."""

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import blake2b, sha256
from pathlib import Path

from fastapi import Request
from starlette.responses import Response

from safelight.catalog import Session, Sessions
from safelight.errors import Unauthenticated
from safelight.library import Library
from safelight.settings import Settings
from safelight.web.attempts import Attempts
from safelight.web.origins import check_origin

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
CODE_LASTS = timedelta(minutes=15)
"""How long a sign-in link can be opened."""

_COOKIE_LASTS = timedelta(days=400)
"""The longest that browsers keep a cookie; the session's row decides when it ends."""
_BELIEVED = timedelta(seconds=5)
"""How long a session that was found isn't looked up again: a revoked one ends that much later."""
_REMEMBERED = 1_000


class Visitors:
    """Decides, before a byte of a body is read, whose photos a request is about.

    An instance is a FastAPI dependency: it gives the owner, or raises Unauthenticated,
    ForbiddenOrigin or TooManyAttempts. `token` gives the token in force, None if nobody is asked.
    """

    def __init__(
        self, library: Library, settings: Settings, *, token: Callable[[], str | None]
    ) -> None:
        self._library = library
        self._settings = settings
        self._token = token
        self._attempts = Attempts()
        self._found: OrderedDict[tuple[str, str], tuple[datetime, Session]] = OrderedDict()
        self.cookie = f"safelight-{_installation(settings.data_dir)}"

    async def __call__(self, request: Request) -> str:
        """Give the owner whose photos this request may see and change."""
        if self._settings.auth == "none":
            self._check_change(request, silence_passes=True)
        elif not self._bears_token(request):
            if await self.session(request) is None:
                raise Unauthenticated
            self._check_change(request, silence_passes=False)
        return self._settings.owner

    async def session(self, request: Request) -> Session | None:
        """Find the session whose cookie the request carries."""
        secret = request.cookies.get(self.cookie)
        if not secret:
            return None
        now = self._library.now()
        place = (secret, self._issuer())
        until, found = self._found.get(place, (now, None))
        if found is None or not now < until:
            found = await self._sessions.find(secret, issuer=place[1], now=now)
            self._remember(place, found, now + _BELIEVED)
        request.state.safelight_session = found
        return found

    def check_token(self, request: Request, offered: str) -> bool:
        """Compare in constant time. Raises TooManyAttempts for who was wrong too often."""
        address = _address(request)
        self._attempts.check(address)
        token = self._token()
        right = token is not None and hmac.compare_digest(_bytes(offered), _bytes(token))
        if not right:
            self._attempts.wrong(address)
        return right

    async def invite(self) -> str:
        """Make a code that signs somebody in once, within CODE_LASTS."""
        code = secrets.token_urlsafe(24)
        expires_at = self._library.now() + CODE_LASTS
        await self._sessions.issue_code(code, issuer=self._issuer(), expires_at=expires_at)
        return code

    async def redeem(self, code: str) -> bool:
        """Take a code back; whether it was good.

        Wrong ones aren't counted: nobody guesses 192 bits, and any page could have a browser try.
        """
        now = self._library.now()
        return await self._sessions.redeem_code(code, issuer=self._issuer(), now=now)

    async def sign_in(self, request: Request, response: Response) -> None:
        """Begin a session: a random secret, that is not the token and doesn't contain it."""
        secret = secrets.token_urlsafe(32)
        await self._sessions.begin(
            secret,
            issuer=self._issuer(),
            address=_address(request),
            browser=request.headers.get("user-agent", "").replace("\0", ""),
            now=self._library.now(),
        )
        response.set_cookie(
            self.cookie,
            secret,
            max_age=int(_COOKIE_LASTS.total_seconds()),
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )

    async def sign_out(self, request: Request, response: Response) -> None:
        """End the session."""
        if secret := request.cookies.get(self.cookie):
            await self._sessions.end(secret)
            self._found.clear()
        response.delete_cookie(self.cookie, httponly=True, samesite="lax")

    async def sessions(self) -> list[Session]:
        """List the sessions that last."""
        return await self._sessions.all(issuer=self._issuer(), now=self._library.now())

    async def revoke(self, ids: list[int]) -> int:
        """End sessions; gives how many there were."""
        ended = await self._sessions.revoke(ids)
        self._found.clear()
        return ended

    def check_own(self, request: Request) -> None:
        """Raise ForbiddenOrigin unless the request comes from one of our own pages."""
        check_origin(request, (), silence_passes=False)

    @property
    def _sessions(self) -> Sessions:
        return self._library.parts.catalog.sessions

    def _issuer(self) -> str:
        """Name the token in force without telling it."""
        return sha256(b"safelight sessions of " + _bytes(self._token() or "")).hexdigest()

    def _check_change(self, request: Request, *, silence_passes: bool) -> None:
        if request.method not in SAFE:
            check_origin(request, self._settings.origins, silence_passes=silence_passes)

    def _bears_token(self, request: Request) -> bool:
        scheme, _, offered = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.check_token(request, offered.strip())

    def _remember(self, place: tuple[str, str], found: Session | None, until: datetime) -> None:
        self._found.pop(place, None)
        if found:
            self._found[place] = (until, found)
            if len(self._found) > _REMEMBERED:
                self._found.popitem(last=False)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _installation(data_dir: Path) -> str:
    """Name the installation, since cookies don't tell two ports of one host apart."""
    return blake2b(str(data_dir.absolute()).encode(), digest_size=5).hexdigest()
