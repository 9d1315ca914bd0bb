"""Errors as answers: RFC 9457 ``application/problem+json`` with a stable ``code``."""

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from safelight import errors

_log = logging.getLogger(__name__)

STATUSES: Mapping[type[errors.SafelightError], int] = {
    errors.UnknownHost: 400,
    errors.Unauthenticated: 401,
    errors.ForbiddenOrigin: 403,
    errors.NotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.RequestTimeout: 408,
    errors.UploadIncomplete: 409,
    errors.TooLarge: 413,
    errors.UnsupportedType: 415,
    errors.CorruptImage: 422,
    errors.TooManyPixels: 422,
    errors.TooManyFrames: 422,
    errors.EmptyFile: 422,
    errors.ChecksumMismatch: 422,
    errors.InvalidRequest: 422,
    errors.TooManyAttempts: 429,
    errors.TooManyUploads: 429,
    errors.Busy: 503,
    errors.StorageUnavailable: 503,
    errors.CatalogUnavailable: 503,
    errors.StorageFull: 503,
}
"""What every error that a visitor can meet is answered with; the others are a 500."""

MEDIA_TYPE = "application/problem+json"


def status_of(error: errors.SafelightError) -> int:
    """Tell the HTTP status of an error."""
    return STATUSES.get(type(error), 500)


def headers_of(error: errors.SafelightError) -> dict[str, str]:
    """Tell the headers that go with an error's answer."""
    if error.retry_after is not None:
        return {"Retry-After": str(max(1, math.ceil(error.retry_after.total_seconds())))}
    if isinstance(error, errors.Unauthenticated):
        return {"WWW-Authenticate": 'Bearer realm="safelight"'}
    return {}


def problem(
    status: int, code: str, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Make the answer."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def answer(error: errors.SafelightError) -> Response:
    """Answer an error of ours; what is not for the public goes to the log."""
    status = status_of(error)
    if isinstance(error, errors.Unavailable):
        _log.warning("%s: %s", error.code, _in_a_line(error.__cause__))
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("unexpected %s", error.code, exc_info=error)
        return unexpected()
    return problem(status, error.code, str(error), headers_of(error))


def _in_a_line(cause: BaseException | None) -> str:
    """Say what an engine said, without what its library adds for those who debug that."""
    first, *_ = str(cause).splitlines() or [""]
    return f"{type(cause).__name__}: {first}" if cause else "no cause known"


def install(app: FastAPI) -> None:
    """Let an app answer with problems; without it a router's errors would be plain 500s."""
    app.add_exception_handler(errors.SafelightError, _ours)
    app.add_exception_handler(HTTPException, _starlettes)
    app.add_exception_handler(RequestValidationError, _fastapis)
    app.add_exception_handler(Exception, _anything)


async def _ours(_request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.SafelightError)  # noqa: S101  that is what it's installed for
    return answer(error)


async def _starlettes(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  that is what it's installed for
    if error.status_code == HTTPStatus.NOT_FOUND:
        return answer(errors.NotFound("There is nothing at this address."))
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return problem(405, "method_not_allowed", errors.MethodNotAllowed.text, error.headers)
    return problem(error.status_code, "invalid_request", str(error.detail), error.headers)


async def _fastapis(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  that is what it's installed for
    return invalid(error)


def invalid(error: RequestValidationError) -> Response:
    """Answer what FastAPI found wrong with a request."""
    first = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"][1:])
    return answer(errors.InvalidRequest(f"{where or 'The request'}: {first['msg']}."))


async def _anything(_request: Request, _error: Exception) -> Response:
    return unexpected()


def unexpected() -> Response:
    """Answer what was not foreseen."""
    return problem(500, "error", errors.SafelightError.text)
