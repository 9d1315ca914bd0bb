"""Turn a server's error responses into the errors of `safelight.errors`."""

import json
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import Final

import httpx

from safelight import errors
from safelight.client.settings import ClientSettings
from safelight.errors import OperatorError, SafelightError, Unavailable

_BY_STATUS: Final[dict[int, type[SafelightError]]] = {
    HTTPStatus.UNAUTHORIZED: errors.Unauthenticated,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: errors.TooLarge,
    HTTPStatus.SERVICE_UNAVAILABLE: Unavailable,
}
"""For responses without a known `code`, from a proxy or a newer server."""


def error_from_response(response: httpx.Response, settings: ClientSettings) -> SafelightError:
    """Return the error that a response reports."""
    problem = _parse_problem(response)
    detail = problem.get("detail")
    error_type = _error_types().get(problem.get("code", "")) or _BY_STATUS.get(response.status_code)
    if error_type is None:
        return _unknown_error(response, detail, settings)
    if error_type is errors.Unauthenticated:
        return error_type(_token_advice(settings))
    if error_type is errors.UnknownHost:
        return error_type(f"{detail} (The server at {settings.url} reports this.)")
    if error_type is errors.TooLarge and not detail:
        return error_type("A proxy before the server refuses files of this size: raise its limit.")
    if issubclass(error_type, Unavailable | errors.TooManyAttempts):
        message = detail or f"{settings.url} is busy."
        return error_type(message, retry_after=_retry_after(response))
    error = error_type(detail)
    if isinstance(error, errors.TooManyUploads):
        error.retry_after = _retry_after(response)
    return error


def error_from_problem(problem: dict[str, str]) -> SafelightError:
    """Return the error that a server reports within a streamed response."""
    error_type = _error_types().get(problem.get("code", ""), errors.Invalid)
    return error_type(problem.get("detail"))


def not_safelight(settings: ClientSettings) -> OperatorError:
    """Return the error for a response that Safelight would not send."""
    return OperatorError(f"{settings.url} is not a Safelight server: correct SAFELIGHT_URL.")


def _unknown_error(
    response: httpx.Response, detail: str | None, settings: ClientSettings
) -> SafelightError:
    status = response.status_code
    if detail and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return errors.Invalid(detail)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return OperatorError(
            f"{settings.url} answers {status}: see the log of the server, or of its proxy."
        )
    if response.has_redirect_location:
        return OperatorError(
            f"{settings.url} redirects to {response.headers['location']}: set SAFELIGHT_URL to the"
            " server's own address."
        )
    return not_safelight(settings)


def _parse_problem(response: httpx.Response) -> dict[str, str]:
    """Return the `code` and `detail` of an RFC 9457 problem; nothing for other bodies."""
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(body, dict):
        return {}
    problem = {name: body[name] for name in ("code", "detail") if isinstance(body.get(name), str)}
    return problem if len(problem) == len(("code", "detail")) else {}


def _error_types() -> dict[str, type[SafelightError]]:
    """Return the errors that a server can report, by code."""
    return {kind.code: kind for kind in _subclasses(SafelightError) if "code" in vars(kind)}


def _subclasses(kind: type[SafelightError]) -> Iterator[type[SafelightError]]:
    for child in kind.__subclasses__():
        if child is not OperatorError:
            yield child
            yield from _subclasses(child)


def _token_advice(settings: ClientSettings) -> str:
    if settings.token is None:
        return (
            f"{settings.url} needs a token: set SAFELIGHT_TOKEN, or set SAFELIGHT_DATA_DIR to the"
            " server's data directory."
        )
    return (
        f"{settings.url} rejects the token: set SAFELIGHT_TOKEN to the output of 'safelight token"
        " show' on the server."
    )


def _retry_after(response: httpx.Response) -> timedelta:
    """Parse Retry-After (RFC 9110, 10.2.3) in seconds; 5 seconds if it is anything else."""
    value = response.headers.get("retry-after", "")
    return timedelta(seconds=int(value) if value.isdecimal() and len(value) < len("99999") else 5)
