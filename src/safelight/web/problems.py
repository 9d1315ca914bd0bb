"""Errors as responses: RFC 9457 ``application/problem+json`` with a stable ``code``."""

import logging
import math
from collections.abc import Awaitable, Callable, Mapping
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
"""The status of each error that a client can get; all others are a 500."""

MEDIA_TYPE = "application/problem+json"


def status_of(error: errors.SafelightError) -> int:
    """Return the HTTP status of an error."""
    return STATUSES.get(type(error), 500)


def headers_of(error: errors.SafelightError) -> dict[str, str]:
    """Return the headers of an error's response."""
    if error.retry_after is not None:
        return {"Retry-After": str(max(1, math.ceil(error.retry_after.total_seconds())))}
    if isinstance(error, errors.Unauthenticated):
        return {"WWW-Authenticate": 'Bearer realm="safelight"'}
    return {}


def make_problem(
    status: int, code: str, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Make a problem response."""
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


def problem_response(error: errors.SafelightError) -> Response:
    """Return the response to an error, and log what clients must not see."""
    status = status_of(error)
    if isinstance(error, errors.Unavailable):
        _log.warning("%s: %s", error.code, _first_line(error.__cause__))
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("unexpected %s", error.code, exc_info=error)
        return internal_error()
    return make_problem(status, error.code, str(error), headers_of(error))


def _first_line(cause: BaseException | None) -> str:
    """Return the first line of an engine's error, without its library's hints."""
    first, *_ = str(cause).splitlines() or [""]
    return f"{type(cause).__name__}: {first}" if cause else "unknown cause"


def install(app: FastAPI) -> None:
    """Register the exception handlers of an app."""
    for kind, handler in HANDLERS.items():
        app.exception_handler(kind)(handler)
    app.exception_handler(HTTPException)(_handle_http)
    app.exception_handler(Exception)(_handle_unexpected)


async def _handle_safelight(_request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.SafelightError)
    return problem_response(error)


async def _handle_validation(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"][1:])
    return problem_response(errors.InvalidRequest(f"{where or 'The request'}: {first['msg']}."))


HANDLERS: Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    errors.SafelightError: _handle_safelight,
    RequestValidationError: _handle_validation,
}
"""The handlers of errors that any call of the API can raise."""


async def _handle_http(_request: Request, error: HTTPException) -> Response:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return problem_response(errors.NotFound("There is nothing at this address."))
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return make_problem(405, "method_not_allowed", errors.MethodNotAllowed.text, error.headers)
    return make_problem(error.status_code, "invalid_request", str(error.detail), error.headers)


async def _handle_unexpected(_request: Request, _error: Exception) -> Response:
    return internal_error()


def internal_error() -> Response:
    """Return the response to an unexpected error."""
    return make_problem(500, "error", errors.SafelightError.text)
