"""What the server's answers mean that aren't what was asked for."""

import json
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus

import httpx

from safelight import errors
from safelight.cli.client_settings import ClientSettings
from safelight.errors import OperatorError, SafelightError, Unavailable

_BY_STATUS: dict[int, type[SafelightError]] = {
    HTTPStatus.UNAUTHORIZED: errors.Unauthenticated,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: errors.TooLarge,
    HTTPStatus.SERVICE_UNAVAILABLE: Unavailable,
}
"""What is meant by one who doesn't know our codes: a proxy, or a server newer than we are."""


def refusal(answer: httpx.Response, settings: ClientSettings) -> SafelightError:
    """Make the error that the answer means."""
    told = _problem(answer)
    detail = told.get("detail")
    kind = _kinds().get(told.get("code", "")) or _BY_STATUS.get(answer.status_code)
    if kind is None:
        return _unknown(answer, detail, settings)
    if kind is errors.Unauthenticated:
        return kind(_wrong_token(settings))
    if kind is errors.UnknownHost:
        return kind(f"{detail} That is for the server at {settings.url}.")
    if issubclass(kind, Unavailable | errors.TooManyAttempts):
        return kind(detail or f"{settings.url} is busy.", retry_after=_retry_after(answer))
    error = kind(detail)
    if isinstance(error, errors.TooManyUploads):
        error.retry_after = _retry_after(answer)
    return error


def problem_of(told: dict[str, str]) -> SafelightError:
    """Make the error that a server means in the midst of its answer, by `code` and `detail`."""
    kind = _kinds().get(told.get("code", ""), errors.Invalid)
    return kind(told.get("detail"))


def foreign(settings: ClientSettings) -> OperatorError:
    """Make the error of an answer that no Safelight gives."""
    return OperatorError(
        f"What answers at {settings.url} is not a Safelight server: correct SAFELIGHT_URL."
    )


def _unknown(
    answer: httpx.Response, detail: str | None, settings: ClientSettings
) -> SafelightError:
    status = answer.status_code
    if detail and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return errors.Invalid(detail)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return OperatorError(
            f"{settings.url} answers {status}: look at the log of the server, or of the proxy"
            " before it."
        )
    if answer.has_redirect_location:
        return OperatorError(
            f"{settings.url} sends us on to {answer.headers['location']}: set SAFELIGHT_URL to"
            " where the server is."
        )
    return foreign(settings)


def _problem(answer: httpx.Response) -> dict[str, str]:
    """Read the RFC 9457 problem; nothing if it is none of ours."""
    try:
        told = json.loads(answer.content)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(told, dict):
        return {}
    ours = {name: told[name] for name in ("code", "detail") if isinstance(told.get(name), str)}
    return ours if len(ours) == len(("code", "detail")) else {}


def _kinds() -> dict[str, type[SafelightError]]:
    """List the errors that a server can mean, by their codes."""
    return {kind.code: kind for kind in _tree(SafelightError) if "code" in vars(kind)}


def _tree(kind: type[SafelightError]) -> Iterator[type[SafelightError]]:
    for child in kind.__subclasses__():
        if child is not OperatorError:
            yield child
            yield from _tree(child)


def _wrong_token(settings: ClientSettings) -> str:
    if settings.token is None:
        return (
            f"{settings.url} wants a token: set SAFELIGHT_TOKEN, or SAFELIGHT_DATA_DIR to the"
            " server's data directory."
        )
    return (
        f"{settings.url} refuses the token: set SAFELIGHT_TOKEN to what 'safelight token show'"
        " prints where the server runs."
    )


def _retry_after(answer: httpx.Response) -> timedelta:
    """Read Retry-After (RFC 9110, 10.2.3) if it is in seconds, as ours is."""
    told = answer.headers.get("retry-after", "")
    return timedelta(seconds=int(told) if told.isdecimal() and len(told) < len("99999") else 5)
