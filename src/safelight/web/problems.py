"""Errors as responses: RFC 9457 ``application/problem+json`` with a stable ``code``."""

import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Protocol

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from safelight import errors
from safelight.web.error_log import log_unexpected
from safelight.web.http.accept import accepts_html
from safelight.web.http.body import ClientGone
from safelight.web.http.security_headers import add_security_headers

_log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_MAX_CAUSE = 1_000
"""Characters of an engine's error in the log."""


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
    if isinstance(error, errors.Unavailable):
        _log.warning("%s: %s", error.code, _first_line(error.__cause__))
    if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log_unexpected(error)
        return internal_error()
    return make_problem(error.status, error.code, str(error), headers_of(error))


def _first_line(cause: BaseException | None) -> str:
    """Return the first line of an engine's error, without its library's hints."""
    first, *_ = str(cause).splitlines() or [""]
    return f"{type(cause).__name__}: {first[:_MAX_CAUSE]}" if cause else "unknown cause"


class ErrorPage(Protocol):
    """Renders a page that shows an error."""

    def __call__(
        self,
        request: Request,
        error: errors.SafelightError,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Return the page, with the error's status."""
        ...


def install(app: FastAPI, render_page: ErrorPage) -> None:
    """Register the exception handlers of an app. Browsers get a page for an unknown address."""
    for kind, handler in HANDLERS.items():
        app.exception_handler(kind)(handler)

    async def handle_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code not in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
            text = str(error.detail)
            return make_problem(error.status_code, "invalid_request", text, error.headers)
        reason = (
            errors.NotFound("There is nothing at this address.")
            if error.status_code == HTTPStatus.NOT_FOUND
            else errors.MethodNotAllowed()
        )
        if accepts_html(request.headers):
            return render_page(request, reason, headers=error.headers)
        return make_problem(error.status_code, reason.code, str(reason), error.headers)

    app.exception_handler(HTTPException)(handle_http)
    app.exception_handler(Exception)(_handle_unexpected)


def add_error_handlers(app: FastAPI) -> None:
    """Answer the library's errors, raised by the app's own endpoints, as Safelight's API does.

    The response is an RFC 9457 ``application/problem+json`` with the error's `status`, `code` and
    message; one of 500 is logged, and has no message. Call it once, when you make the app.
    `photo_router` doesn't need it, and the app's other exceptions are not affected.
    """
    app.exception_handler(errors.SafelightError)(_handle_safelight)


async def _handle_safelight(_request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.SafelightError)
    return problem_response(error)


async def _handle_validation(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"][1:])
    return problem_response(errors.InvalidRequest(f"{where or 'The request'}: {first['msg']}."))


async def _answer_gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # the client won't read it; the log shows the status


HANDLERS: Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    errors.SafelightError: _handle_safelight,
    RequestValidationError: _handle_validation,
    ClientGone: _answer_gone,
}
"""The handlers of errors that any call of the API can raise."""


async def _handle_unexpected(request: Request, _error: Exception) -> Response:
    """Answer where even the middleware has failed."""
    response = internal_error()
    add_security_headers(response.headers, request.scope)
    return response


def internal_error() -> Response:
    """Return the response to an unexpected error."""
    return make_problem(500, "error", errors.SafelightError.text)
