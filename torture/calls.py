"""One call after the other, each held against what is documented of the answers."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx

from ledger import Ledger
from safelight.web.problems import MEDIA_TYPE, STATUSES

PATIENCE = 30.0
"""Seconds after which a call that has no answer is said to hang."""
_CODES = {(status, error.code) for error, status in STATUSES.items()}
_BROKEN = (httpx.TransportError, httpx.RemoteProtocolError)


class Caller:
    """Calls the service, and the store by what the service signed.

    `excused` tells whether something that makes a good picture a bad one (a decoder that was
    killed) happened since a moment of time.monotonic().
    """

    def __init__(
        self, url: str, token: str, ledger: Ledger, *, excused: Callable[[float], bool]
    ) -> None:
        bearer = {"Authorization": f"Bearer {token}"}
        self._service = httpx.AsyncClient(base_url=url, headers=bearer, timeout=PATIENCE)
        self._store = httpx.AsyncClient(timeout=PATIENCE)
        self._ledger = ledger
        self._excused = excused

    async def close(self) -> None:
        await self._service.aclose()
        await self._store.aclose()

    async def ask(self, call: str, method: str, path: str, **more: Any) -> httpx.Response | None:  # noqa: ANN401  httpx's own
        """Ask the service; None if there was no answer, or only that it can't be done now."""
        began = time.monotonic()
        answer = await self._sent(call, self._service, method, path, **more)
        if answer is None:
            return None
        outcome = str(answer.status_code)
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            outcome += f" {self._judged(call, answer, began)}"
        self._ledger.note(call, outcome, time.monotonic() - began)
        return None if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else answer

    async def send(
        self, call: str, permit: dict[str, Any], data: bytes = b""
    ) -> httpx.Response | None:
        """Make a request of the store that was signed; None if it didn't do it."""
        answer = await self._sent(
            call,
            self._store,
            permit["method"],
            permit["url"],
            headers=permit["headers"],
            content=data,
        )
        if answer is not None:
            self._ledger.note(call, str(answer.status_code))
        return answer if answer is not None and answer.is_success else None

    async def fetch(self, url: str) -> httpx.Response | None:
        """Follow a link; None if the store is away."""
        answer = await self._sent("link", self._store, "GET", url)
        if answer is None:
            return None
        self._ledger.note("link", str(answer.status_code))
        return None if answer.is_server_error else answer

    async def _sent(
        self,
        call: str,
        client: httpx.AsyncClient,
        method: str,
        url: str,
        **more: Any,  # noqa: ANN401
    ) -> httpx.Response | None:
        try:
            async with asyncio.timeout(PATIENCE):
                return await client.request(method, url, **more)
        except TimeoutError:
            self._ledger.note(call, "hung", PATIENCE)
            self._ledger.accuse(f"{call}: no answer in {PATIENCE:.0f} s")
        except _BROKEN:
            self._ledger.note(call, "no answer")
        return None

    def _judged(self, call: str, answer: httpx.Response, began: float) -> str:
        """Hold a refusal against the documented ones; gives its code."""
        told = answer.headers.get("Content-Type", "").startswith(MEDIA_TYPE)
        code = str(answer.json()["code"]) if told else "?"
        if (answer.status_code, code) not in _CODES:
            self._ledger.accuse(f"{call}: {answer.status_code} {answer.text[:200]}")
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            if "Retry-After" not in answer.headers:
                self._ledger.accuse(f"{call}: 503 {code} without Retry-After")
        elif code == "corrupt_image" and not self._excused(began):
            self._ledger.accuse(f"{call}: a good picture is called corrupt")
        return code
