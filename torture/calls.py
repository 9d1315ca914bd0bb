"""Call the service and the store, and check each answer against the documentation."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx

from ledger import Ledger
from safelight.errors import client_errors
from safelight.web.problems import MEDIA_TYPE

TIMEOUT = 90.0
"""Seconds after which a call without an answer counts as hung."""
_REMEMBERED = 15.0
"""Seconds for which a rendition that could not be made is not tried again, and the time to fail."""
_CODES = {(error.status, error.code) for error in client_errors()}
_BROKEN = (httpx.TransportError, httpx.RemoteProtocolError)

Answered = httpx.Response | None
"""A response; None without one, or if the service or the store is unavailable."""

Actions = Mapping[Callable[[], Awaitable[None]], int]
"""What a client does, with the weights of how often."""


class Caller:
    """Calls the service, and the store with requests that the service signed.

    `excused` returns whether decoders were killed since a moment of time.monotonic(), after which
    a good photo may be refused.
    """

    def __init__(
        self, url: str, token: str, ledger: Ledger, *, excused: Callable[[float], bool]
    ) -> None:
        bearer = {"Authorization": f"Bearer {token}"}
        self._service = httpx.AsyncClient(base_url=url, headers=bearer, timeout=TIMEOUT)
        self._store = httpx.AsyncClient(timeout=TIMEOUT)
        self._ledger = ledger
        self._excused = excused

    async def close(self) -> None:
        await self._service.aclose()
        await self._store.aclose()

    async def request(
        self, call: str, method: str, path: str, **more: Any
    ) -> httpx.Response | None:
        """Call the service; return None without an answer, or if the service is unavailable."""
        started_at = time.monotonic()
        answer = await self._exchange(call, self._service, method, path, **more)
        if answer is None:
            return None
        outcome = str(answer.status_code)
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            outcome += f" {self._check_refusal(call, answer, started_at)}"
        self._ledger.note(call, outcome, time.monotonic() - started_at)
        return None if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else answer

    async def send(
        self, call: str, signed: dict[str, Any], data: bytes = b""
    ) -> httpx.Response | None:
        """Send a signed request to the store; return None unless it succeeds."""
        answer = await self._exchange(
            call,
            self._store,
            signed["method"],
            signed["url"],
            headers=signed["headers"],
            content=data,
        )
        if answer is not None:
            self._ledger.note(call, str(answer.status_code))
        return answer if answer is not None and answer.is_success else None

    async def fetch(self, url: str) -> httpx.Response | None:
        """Follow a link; return None if the store is unavailable."""
        answer = await self._exchange("link", self._store, "GET", url)
        if answer is None:
            return None
        self._ledger.note("link", str(answer.status_code))
        return None if answer.is_server_error else answer

    async def _exchange(
        self,
        call: str,
        client: httpx.AsyncClient,
        method: str,
        url: str,
        **more: Any,
    ) -> httpx.Response | None:
        try:
            async with asyncio.timeout(TIMEOUT):
                return await client.request(method, url, **more)
        except TimeoutError:
            self._ledger.note(call, "hung", TIMEOUT)
            self._ledger.report(f"{call}: no answer in {TIMEOUT:.0f} s")
        except _BROKEN:
            self._ledger.note(call, "no answer")
        return None

    def _check_refusal(self, call: str, answer: httpx.Response, started_at: float) -> str:
        """Check that a refusal is a documented one, and return its code."""
        is_problem = answer.headers.get("Content-Type", "").startswith(MEDIA_TYPE)
        code = str(answer.json()["code"]) if is_problem else "?"
        if (answer.status_code, code) not in _CODES:
            self._ledger.report(f"{call}: {answer.status_code} {answer.text[:200]}")
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            if "Retry-After" not in answer.headers:
                self._ledger.report(f"{call}: 503 {code} without Retry-After")
        elif code == "corrupt_image" and not self._excused(started_at - _REMEMBERED):
            self._ledger.report(f"{call}: a good photo was refused as corrupt")
        return code
