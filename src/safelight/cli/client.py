"""The HTTP API of a running server, as the commands use it.

What the server refuses is raised as the error of the tree in safelight.errors that it means by
its `code`. What keeps us from the server is an OperatorError that says what to do about it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, BinaryIO, Self

import httpx
import msgspec

import safelight
from safelight.cli.client_settings import ClientSettings
from safelight.cli.connection import connection, trouble
from safelight.cli.refusals import foreign, problem_of, refusal
from safelight.cli.reservation import Permit, Reservation, reservation
from safelight.errors import NotFound, Unavailable

_PHOTOS = "api/photos"
_UPLOADS = "api/uploads"
_SESSIONS = "api/sessions"
_JOBS = "api/jobs"
_MISSING = "api/renditions/missing"
_UNKNOWN = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})
_RECONCILE = "api/reconcile"
_PAGE = 100
"""Photos that are asked for at once."""

Photo = dict[str, Any]
"""A photo as the API gives it; what the commands can't do without is there, and checked."""


class _Rendition(msgspec.Struct):
    name: str
    url: str


class _Session(msgspec.Struct):
    id: int


class _Jobs(msgspec.Struct):
    oldest: list[dict[str, Any]]


class _Counts(msgspec.Struct):
    waiting: int
    late: int
    running: int
    failed: int


class _Undeveloped(msgspec.Struct):
    photos: int
    next: int | None


class _Photo(msgspec.Struct):
    id: int
    photo_url: str
    original_url: str
    renditions: list[_Rendition]


class NoDirectUploads(Exception):
    """The server knows no direct uploads; it is older than they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renderings:
    """How many photos are still to be rendered, and of how many that failed."""

    left: int
    failed: int


class Client:
    """A server's photos, over connections that end with the ``with`` block. Threads may share it.

    Every method may raise Unauthenticated, Unavailable, OperatorError.
    """

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        headers = {"User-Agent": f"safelight/{safelight.__version__}"}
        if settings.token:
            headers["Authorization"] = f"Bearer {settings.token}"
        self._http = connection(settings, headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def pages(self, *, order: str, limit: int | None) -> Iterator[list[Photo]]:
        """Give the photos, newest first, a page at a time; at most `limit` in all."""
        left = limit
        query: str | None = f"order={order}&limit={_PAGE if left is None else min(left, _PAGE)}"
        while query and left != 0:
            answer = self._ask("GET", f"{_PHOTOS}?{query}")
            photos = self._array(answer)[:left]
            left = None if left is None else left - len(photos)
            yield photos
            query = _next(answer)

    def photo(self, id_: str) -> Photo:
        """Give one photo. Raises NotFound."""
        return self._object(self._ask("GET", _place(id_)))

    def delete(self, id_: str) -> None:
        """Delete a photo. Raises NotFound."""
        self._ask("DELETE", _place(id_))

    def add(
        self, file: BinaryIO, filename: str, *, title: str, description: str
    ) -> tuple[Photo, bool]:
        """Add a photo; gives it, and whether it's new rather than there already.

        The file is read while it is sent, from where it stands. Raises Invalid, RequestTimeout
        and whatever reading the file does.
        """
        answer = self._ask(
            "POST",
            _PHOTOS,
            data={"title": title, "description": description},
            files={"photo": (filename, file, "application/octet-stream")},
        )
        return self._object(answer), answer.status_code == HTTPStatus.CREATED

    def reserve(self, **declared: object) -> Reservation | Photo:
        """Reserve a direct upload, or give the photo that has these bytes already.

        `declared` is what the API takes. Raises Invalid, TooManyUploads, NoDirectUploads.
        """
        answer = self._ask("POST", _UPLOADS, json=declared)
        if answer.status_code == HTTPStatus.OK:
            return self._object(answer)
        try:
            return reservation(msgspec.json.decode(answer.content))
        except (ValueError, RecursionError) as error:
            raise foreign(self._settings) from error

    def sign(self, upload: Reservation, operation: str, **step: object) -> Permit:
        """Have a step of an upload in parts signed. Raises NotFound."""
        asked = {"operation": operation, **step}
        answer = self._ask("POST", f"{_UPLOADS}/{upload.id}/sign", json=asked)
        return msgspec.convert(self._checked(answer, Permit), Permit)

    def complete(self, upload: Reservation) -> tuple[Photo, bool]:
        """Have a photo made of what was sent; gives it, and whether it's new.

        Raises Invalid; NotFound, UploadIncomplete.
        """
        answer = self._ask("POST", f"{_UPLOADS}/{upload.id}/complete")
        return self._object(answer), answer.status_code == HTTPStatus.CREATED

    def abort(self, upload: Reservation) -> None:
        """Give an upload up, with all that was sent. Raises NotFound."""
        self._ask("DELETE", f"{_UPLOADS}/{upload.id}")

    def sessions(self) -> list[dict[str, Any]]:
        """List the browsers that are signed in, the last used first."""
        answer = self._ask("GET", _SESSIONS)
        sessions: list[dict[str, Any]] = self._checked(answer, list[_Session])
        return sessions

    def end_session(self, id_: str) -> None:
        """Sign a browser out. Raises NotFound."""
        self._ask("DELETE", _place(id_, under=_SESSIONS))

    def jobs(self) -> dict[str, Any]:
        """Tell how many jobs there are in each state, and the oldest of them."""
        jobs: dict[str, Any] = self._checked(self._ask("GET", _JOBS), _Jobs)
        return jobs

    def render_missing(self) -> int:
        """Have the renditions made that photos lack; gives the number of these photos."""
        photos: int = 0
        after: int | None = 0
        while after is not None:
            answer = self._ask("POST", f"{_MISSING}?after={after}")
            batch = self._checked(answer, _Undeveloped)
            photos += batch["photos"]
            after = batch["next"]
        return photos

    def renderings(self) -> Renderings:
        """Tell how far the making of renditions is."""
        told = self._checked(self._ask("GET", f"{_JOBS}?task=develop"), _Counts)
        left = told["waiting"] + told["late"] + told["running"]
        return Renderings(left=left, failed=told["failed"])

    def retry_jobs(self) -> list[int]:
        """Repeat all jobs that have failed; gives their ids."""
        ids: list[int] = self._checked(self._ask("POST", f"{_JOBS}/retry"), list[int])
        return ids

    def retry_job(self, id_: str) -> None:
        """Repeat a job that has failed. Raises NotFound."""
        self._ask("POST", f"{_place(id_, under=_JOBS)}/retry")

    def reconcile(self, asked: dict[str, str]) -> Iterator[dict[str, Any]]:
        """Compare rows with objects; gives what the server tells, line by line, as it does.

        Raises Unavailable also if the server breaks off.
        """
        # Not compressed: a line must not wait for others.
        with self._stream(
            _RECONCILE, params=asked, headers={"Accept-Encoding": "identity"}
        ) as told:
            done = False
            for line in told.iter_lines():
                found: dict[str, Any] = self._decoded(line, dict[str, Any])
                if problem := found.get("error"):
                    raise problem_of(problem)
                done = bool(found.get("tally", {}).get("done"))
                yield found
        if not done:
            raise Unavailable(f"{self._settings.url} broke off: do it again, that does no harm.")

    @contextmanager
    def _stream(self, path: str, **options: Any) -> Iterator[httpx.Response]:  # noqa: ANN401  httpx's own
        try:
            with self._http.stream("POST", path, **options) as answer:
                if not answer.is_success:
                    answer.read()
                    raise refusal(answer, self._settings)
                yield answer
        except httpx.HTTPError as error:
            raise trouble(error, self._settings) from error
        except httpx.InvalidURL as error:
            raise foreign(self._settings) from error

    def _ask(self, method: str, path: str, **body: Any) -> httpx.Response:  # noqa: ANN401  httpx's own
        try:
            answer = self._http.request(method, path, **body)
        except httpx.HTTPError as error:
            raise trouble(error, self._settings) from error
        except httpx.InvalidURL as error:
            raise foreign(self._settings) from error
        if answer.is_success:
            return answer
        if answer.status_code == HTTPStatus.NOT_FOUND and path.partition("?")[0] == _PHOTOS:
            raise foreign(self._settings)
        if path == _UPLOADS and answer.status_code in _UNKNOWN:
            raise NoDirectUploads
        raise refusal(answer, self._settings)

    def _array(self, answer: httpx.Response) -> list[Photo]:
        photos: list[Photo] = self._checked(answer, list[_Photo])
        return photos

    def _object(self, answer: httpx.Response) -> Photo:
        photo: Photo = self._checked(answer, _Photo)
        return photo

    def _checked(self, answer: httpx.Response, kind: object) -> Any:  # noqa: ANN401  whatever kind says
        return self._decoded(answer.content, kind)

    def _decoded(self, written: bytes | str, kind: object) -> Any:  # noqa: ANN401  whatever kind says
        try:
            told = msgspec.json.decode(written)
            msgspec.convert(told, kind)
        except (ValueError, RecursionError) as error:
            raise foreign(self._settings) from error
        return told


def _place(id_: str, *, under: str = _PHOTOS) -> str:
    """Tell the path of one by its id, a whole number. Raises NotFound for what can't be one."""
    if not (id_.isascii() and id_.isdecimal()):
        raise NotFound
    return f"{under}/{id_}"


def _next(answer: httpx.Response) -> str | None:
    """Take the query of the next page, and that alone: the token goes nowhere else."""
    address = answer.links.get("next", {}).get("url", "")
    return address.partition("?")[2].partition("#")[0] or None
