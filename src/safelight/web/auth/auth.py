"""Authenticate requests by bearer token or session, or, on loopback, not at all."""

import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b, sha256
from pathlib import Path

from cachetools import LRUCache
from fastapi import Request
from starlette.responses import Response

from safelight.catalog import Session, Sessions
from safelight.catalog.installation.sessions import MAX_LIFETIME
from safelight.errors import TooManyAttempts, Unauthenticated
from safelight.library import Library
from safelight.settings import Settings
from safelight.web.auth.cookie import SessionCookie
from safelight.web.auth.csrf import SAFE, check_origin, check_read
from safelight.web.auth.throttle import FailureThrottle
from safelight.web.http.proxies import client_address
from safelight.web.security_log import SecurityEvent, log_security_event

CODE_LIFETIME = timedelta(minutes=15)
"""How long a sign-in link is valid."""

_CODE_BYTES = 24
_is_code = re.compile(r"[A-Za-z0-9_-]{32}").fullmatch
_CACHE_SECONDS = timedelta(seconds=5)
"""How long a session is cached for reading. If another process revokes it, it can still read for
that long; for changes, the row is read each time."""
_CACHE_SIZE = 1_000


class Authenticator:
    """Authenticates requests before any of the body is read.

    An instance is a FastAPI dependency: it returns the owner, or raises Unauthenticated,
    ForbiddenOrigin or TooManyAttempts. `token` returns the current token, None without one.
    """

    def __init__(
        self, library: Library, settings: Settings, *, token: Callable[[], str | None]
    ) -> None:
        self._library = library
        self._settings = settings
        self._token = token
        self._own_origins = (settings.public_origin,) if settings.public_origin else ()
        self._allowed_origins = frozenset((*settings.origins, *self._own_origins))
        self._throttle = FailureThrottle()
        self._session_cache: LRUCache[tuple[str, str], tuple[datetime, Session]] = LRUCache(
            _CACHE_SIZE
        )
        self._revocations = 0
        self._cookie = SessionCookie(
            f"safelight-{_installation_id(settings.data_dir)}", max_age=MAX_LIFETIME
        )

    async def __call__(self, request: Request) -> str:
        """Return the owner whose photos this request may read and change.

        It is stored in the request, for the handlers of the API (`owner_of`).
        """
        offered = bearer_token(request)
        if self._settings.auth == "none":
            self._check_read(request)
            self._check_change(request, allow_unknown=True)
        elif not (offered and is_same_secret(offered, self._token())):
            if not offered:  # first: the time to a refusal must not depend on the session
                self._check_read(request)
            if await self.session(request) is None:
                if offered:
                    self._reject(request, SecurityEvent.BEARER_REJECTED)
                raise Unauthenticated
            self._check_read(request)
            self._check_change(request, allow_unknown=False)
        request.state.safelight_owner = self._settings.owner
        return self._settings.owner

    async def session(self, request: Request) -> Session | None:
        """Return the session of the request's cookie."""
        secret = self._cookie.read(request)
        if not secret:
            return None
        now = self._library.now()
        cache_key = (secret, self._issuer())
        until, found = self._session_cache.get(cache_key, (now, None))
        if found is None or not now < until or request.method not in SAFE:
            revocations = self._revocations
            found = await self._sessions.find(secret, issuer=cache_key[1], now=now)
            self._session_cache.pop(cache_key, None)
            if found and revocations == self._revocations:
                self._session_cache[cache_key] = (now + _CACHE_SECONDS, found)
        request.state.safelight_session = found
        if found:
            self._cookie.renew(request, secret)
        return found

    def check_token(self, request: Request, offered: str) -> bool:
        """Return whether a token is correct. Raise TooManyAttempts after too many wrong ones."""
        if is_same_secret(offered, self._token()):
            return True
        self._reject(request, SecurityEvent.SIGN_IN_FAILED)
        return False

    async def create_sign_in_code(self) -> str:
        """Create a code that signs in once, within CODE_LIFETIME."""
        code = secrets.token_urlsafe(_CODE_BYTES)
        expires_at = self._library.now() + CODE_LIFETIME
        await self._sessions.issue_code(code, issuer=self._issuer(), expires_at=expires_at)
        return code

    async def redeem_code(self, request: Request, code: str) -> bool:
        """Redeem a code, and return whether it was valid.

        Raise TooManyAttempts after too many wrong ones.
        """
        if _is_code(code) and await self._sessions.redeem_code(
            code, issuer=self._issuer(), now=self._library.now()
        ):
            return True
        self._reject(request, SecurityEvent.SIGN_IN_FAILED)
        return False

    def share_key(self, owner: str) -> str | None:
        """Return a secret that shows that shared photos come from this owner's installed app.

        Other sites' pages can't read it, so they can't share photos. It is the same for all
        devices, until the token changes. None without authentication.
        """
        token = self._token()
        if token is None:
            return None
        return hmac.digest(token.encode(), f"share target of {owner}".encode(), "sha256").hex()[:32]

    async def sign_in(self, request: Request, response: Response) -> None:
        """Start a session with a random secret, independent of the token."""
        secret = secrets.token_urlsafe(32)
        await self._sessions.create(
            secret,
            issuer=self._issuer(),
            address=str(client_address(request) or ""),
            browser=request.headers.get("user-agent", "").replace("\0", ""),
            now=self._library.now(),
        )
        self._cookie.set(request, response, secret)
        log_security_event(request, SecurityEvent.SIGNED_IN)

    async def sign_out(self, request: Request, response: Response) -> None:
        """End the session."""
        if secret := self._cookie.read(request):
            ended = await self._sessions.delete(secret)
            self._forget_sessions()
            if ended:
                log_security_event(request, SecurityEvent.SIGNED_OUT)
        self._cookie.delete(request, response)

    async def sessions(self) -> list[Session]:
        """List the active sessions."""
        return await self._sessions.all(issuer=self._issuer(), now=self._library.now())

    async def revoke(self, request: Request, id_: int) -> bool:
        """End a session, and return whether there was one."""
        return await self._revoke(request, [id_]) > 0

    async def revoke_others(self, request: Request) -> int:
        """End all sessions but that of the request's cookie, and return how many there were."""
        current = await self.session(request)
        kept = current.id if current else None
        return await self._revoke(request, [s.id for s in await self.sessions() if s.id != kept])

    def require_same_origin(self, request: Request) -> None:
        """Raise ForbiddenOrigin unless the request comes from one of Safelight's own pages."""
        check_origin(request, self._own_origins, allow_unknown=False)

    @property
    def _sessions(self) -> Sessions:
        return self._library.backends.catalog.sessions

    async def _revoke(self, request: Request, ids: Sequence[int]) -> int:
        ended = await self._sessions.revoke(ids, issuer=self._issuer())
        self._forget_sessions()
        for id_ in ended:
            log_security_event(request, SecurityEvent.SESSION_REVOKED, session=id_)
        return len(ended)

    def _forget_sessions(self) -> None:
        """Clear the cache, and don't cache what is being read at the moment."""
        self._session_cache.clear()
        self._revocations += 1

    def _reject(self, request: Request, event: SecurityEvent) -> None:
        """Count and log a wrong token or code. Raise TooManyAttempts after too many."""
        try:
            self._throttle.reject(client_address(request))
        except TooManyAttempts:
            log_security_event(request, SecurityEvent.THROTTLED)
            raise
        log_security_event(request, event)

    def _issuer(self) -> str:
        """Return a digest that identifies the current token."""
        return sha256(b"safelight sessions of " + (self._token() or "").encode()).hexdigest()

    def _check_read(self, request: Request) -> None:
        if request.method in SAFE:
            check_read(request, self._allowed_origins)

    def _check_change(self, request: Request, *, allow_unknown: bool) -> None:
        if request.method not in SAFE:
            check_origin(request, self._allowed_origins, allow_unknown=allow_unknown)


def bearer_token(request: Request) -> str | None:
    """Return the token of the Authorization header."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def is_same_secret(offered: str, secret: str | None) -> bool:
    """Compare secrets in constant time; nothing is the same as None."""
    return secret is not None and hmac.compare_digest(
        offered.encode(errors="surrogatepass"), secret.encode()
    )


def _installation_id(data_dir: Path) -> str:
    """Return an id for the cookie's name: all ports of a host share their cookies."""
    return blake2b(str(data_dir.absolute()).encode(), digest_size=5).hexdigest()
