"""Read request bodies within limits of size and time."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import msgspec
from fastapi import Request

from safelight.errors import (
    ChecksumMismatch,
    InvalidRequest,
    RequestTimeout,
    TooLarge,
    UnsupportedType,
    format_size,
)
from safelight.library.spool import SpooledUpload
from safelight.models import Caption
from safelight.settings import LimitSettings
from safelight.web.http.multipart import UploadForm

T = TypeVar("T")

MAX_JSON = 64 * 1024


class ClientGone(Exception):
    """The client closed the connection before its body was complete."""


async def read_body(
    request: Request,
    limits: LimitSettings,
    write: Callable[[bytes], object],
    *,
    limit: int,
    too_large: Callable[[], TooLarge] | None = None,
) -> None:
    """Pass the body to `write`, in chunks.

    Raise TooLarge, or what `too_large` returns, at the first byte over `limit` (immediately if the
    Content-Length is over it), and RequestTimeout if the body stalls or is slower than
    `limits.min_rate`.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise too_large() if too_large else _too_large(limit)
    idle = limits.idle_timeout.total_seconds()
    longest = limits.body_timeout.total_seconds()
    started_at = time.monotonic()
    total = 0
    more = True
    while more:
        try:
            async with asyncio.timeout(idle):
                message = await request.receive()
        except TimeoutError as error:
            raise RequestTimeout from error
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        total += len(chunk)
        if total > limit:
            raise too_large() if too_large else _too_large(limit)
        seconds = time.monotonic() - started_at
        if seconds > longest:
            raise RequestTimeout(
                f"The upload took too long. The limit is {longest:g} seconds. Try again with a"
                " faster connection."
            )
        if seconds > idle and total < seconds * limits.min_rate:
            raise RequestTimeout(
                f"The upload is too slow. The minimum is {limits.min_rate} bytes per second. Try"
                " again with a faster connection."
            )
        if chunk:
            write(chunk)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The request is too large. The limit is {format_size(limit)}.")


async def read_json(
    request: Request, kind: type[T], limits: LimitSettings, *, limit: int = MAX_JSON
) -> T:
    """Read a JSON body of up to `limit` bytes. Raise InvalidRequest if it is not of this type.

    Raise UnsupportedType unless the Content-Type is JSON: pages of other sites can send other types
    without asking (CORS preflight).
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if media_type.lower() != "application/json":
        raise UnsupportedType("Send JSON, with 'Content-Type: application/json'.")
    body = bytearray()
    await read_body(request, limits, body.extend, limit=limit)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body does not match the documented JSON: {error}.") from error


async def read_upload_form(
    request: Request, limits: LimitSettings, photo: SpooledUpload
) -> tuple[Caption, datetime | None]:
    """Read the request's form: write its photo, and return its caption and the file's time.

    Raise InvalidRequest if the body is not an upload form, TooLarge at the first byte over a
    limit, RequestTimeout if it stalls, Busy or StorageFull if the spool has no room,
    ChecksumMismatch if the form has the SHA-256 of other bytes.
    """
    form = UploadForm(request.headers.get("content-type"), photo, limits)
    limit = limits.max_form_bytes + limits.max_form_overhead
    await read_body(request, limits, form.write, limit=limit, too_large=form.too_large)
    caption, modified_at, sha256 = form.finish()
    if sha256 and sha256 != await photo.sha256():
        raise ChecksumMismatch
    return caption, modified_at
