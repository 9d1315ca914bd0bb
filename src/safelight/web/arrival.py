"""Bodies as they arrive: never more than allowed, never for ever."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import TypeVar

import msgspec
from fastapi import Request

from safelight.errors import InvalidRequest, RequestTimeout, TooLarge
from safelight.settings import LimitSettings

T = TypeVar("T")

MAX_JSON = 64 * 1024


class ClientGone(Exception):
    """The client closed the connection before its body was whole; nobody reads the answer."""


async def arriving(request: Request, limits: LimitSettings, *, limit: int) -> AsyncIterator[bytes]:
    """Give the body's chunks.

    Raises TooLarge at the byte over `limit` (at once, where the client declares it),
    RequestTimeout when it stalls or comes slower than `limits.min_rate`.
    """
    _refuse_declared(request, limit)
    began = time.monotonic()
    total = 0
    more = True
    while more:
        chunk, more = await _next(request, limits)
        total += len(chunk)
        if total > limit:
            raise TooLarge(f"The request is larger than {limit} bytes.")
        _refuse_trickle(total, time.monotonic() - began, limits)
        if chunk:
            yield chunk


async def json_body(request: Request, kind: type[T], limits: LimitSettings) -> T:
    """Read a JSON body of a kind, of MAX_JSON bytes at the most. Raises InvalidRequest."""
    body = b"".join([chunk async for chunk in arriving(request, limits, limit=MAX_JSON)])
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is not the documented JSON: {error}.") from error


async def _next(request: Request, limits: LimitSettings) -> tuple[bytes, bool]:
    try:
        async with asyncio.timeout(limits.idle_timeout.total_seconds()):
            message = await request.receive()
    except TimeoutError as error:
        raise RequestTimeout from error
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message.get("body", b""), message.get("more_body", False)


def _refuse_declared(request: Request, limit: int) -> None:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise TooLarge(f"The request is larger than {limit} bytes.")


def _refuse_trickle(total: int, seconds: float, limits: LimitSettings) -> None:
    if seconds > limits.body_timeout.total_seconds():
        raise RequestTimeout("The upload took too long: send it again over a faster line.")
    if seconds > limits.idle_timeout.total_seconds() and total < seconds * limits.min_rate:
        raise RequestTimeout("The upload comes too slowly: send it again over a faster line.")
