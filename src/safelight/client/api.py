"""A client of a server's HTTP API.

An error response is raised as the error in `safelight.errors` that has its `code`. A failed
connection is an OperatorError with advice.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, BinaryIO, Final, Self, cast
from urllib.parse import quote

import httpx
import msgspec

import safelight
from safelight.client.errors import error_from_problem, error_from_response, not_safelight
from safelight.client.http import error_from_transport, open_http_client
from safelight.client.reservation import ReservedUpload, StoreRequest, parse_reservation
from safelight.client.responses import (
    BulkOutcome,
    EnqueuedBatch,
    JobCounts,
    JobFields,
    PhotoFields,
    PruneCounts,
    SessionFields,
)
from safelight.client.settings import ClientSettings
from safelight.errors import InvalidRequest, NotFound, SafelightError, Unavailable

_PHOTOS: Final = "api/photos"
_UPLOADS: Final = "api/uploads"
_SESSIONS: Final = "api/sessions"
_JOBS: Final = "api/jobs"
_MISSING_RENDITIONS: Final = "api/renditions/missing"
_PRUNE: Final = "api/renditions/prune"
_REINSPECTIONS: Final = "api/reinspections"
_RECONCILE: Final = "api/reconcile"
_NOT_ROUTED: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})
_PAGE_SIZE: Final = 100

Photo = dict[str, Any]
"""A photo as the API returns it. The fields of `PhotoFields` have been checked."""


class DirectUploadsUnsupported(Exception):
    """The server is too old for direct uploads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgress:
    """The number of photos left to render, and of failed jobs."""

    left: int
    failed: int


class Client:
    """An API client, as a context manager that closes its connections. Threads may share it.

    Every method may raise Unauthenticated, Unavailable or OperatorError.
    """

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        headers = {"User-Agent": f"safelight/{safelight.__version__}"}
        if settings.token:
            headers["Authorization"] = f"Bearer {settings.token}"
        self._http = open_http_client(settings, headers)

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
        """Yield pages of photos, newest first, up to `limit` photos."""
        left = limit
        page_size = _PAGE_SIZE if left is None else min(left, _PAGE_SIZE)
        query: str | None = f"order={order}&limit={page_size}"
        while query and left != 0:
            response = self._request("GET", f"{_PHOTOS}?{query}")
            photos: list[Photo] = self._decode(response.content, list[PhotoFields])[:left]
            left = None if left is None else left - len(photos)
            yield photos
            query = _next_query(response)

    def photo(self, id_: str) -> Photo:
        """Return a photo. Raises NotFound."""
        return self._decode_photo(self._request("GET", _path(_PHOTOS, id_)))

    def delete(self, id_: str) -> None:
        """Delete a photo. Raises NotFound."""
        self._request("DELETE", _path(_PHOTOS, id_))

    def edit(self, ids: Sequence[str], **changes: object) -> BulkOutcome:
        """Change up to 500 photos; `changes` is the body of the request. Raises Invalid."""
        response = self._request("PATCH", f"{_PHOTOS}?ids={','.join(ids)}", json=changes)
        self._decode(response.content, BulkOutcome)
        return msgspec.json.decode(response.content, type=BulkOutcome)

    def add(
        self,
        file: BinaryIO,
        filename: str,
        *,
        title: str,
        description: str,
        modified_at: str | None,
    ) -> tuple[Photo, bool]:
        """Upload a photo through the server; return it, and whether it is new.

        The file is read while it is sent. Raises Invalid, RequestTimeout, and errors from reading
        the file.
        """
        response = self._request(
            "POST",
            _PHOTOS,
            data={"title": title, "description": description, "modified_at": modified_at or ""},
            files={"photo": (filename, file, "application/octet-stream")},
        )
        return self._decode_photo(response), response.status_code == HTTPStatus.CREATED

    def reserve(self, **declared: object) -> ReservedUpload | Photo:
        """Reserve a direct upload, or return the existing photo with the same bytes.

        `declared` is the body of ``POST /api/uploads``. Raises Invalid, TooManyUploads or
        DirectUploadsUnsupported.
        """
        try:
            response = self._request("POST", _UPLOADS, json=declared)
        except InvalidRequest:  # servers of version 0.1 refuse a field that they don't know
            if declared.pop("modified_at", None) is None:
                raise
            response = self._request("POST", _UPLOADS, json=declared)
        if response.status_code == HTTPStatus.OK:
            return self._decode_photo(response)
        try:
            return parse_reservation(msgspec.json.decode(response.content))
        except (ValueError, RecursionError) as error:
            raise not_safelight(self._settings) from error

    def sign(self, upload: ReservedUpload, operation: str, **step: object) -> StoreRequest:
        """Return the presigned request for a step of a multipart upload. Raises NotFound."""
        response = self._request(
            "POST", f"{_UPLOADS}/{upload.id}/sign", json={"operation": operation, **step}
        )
        return msgspec.convert(self._decode(response.content, StoreRequest), StoreRequest)

    def complete(self, upload: ReservedUpload) -> tuple[Photo, bool]:
        """Complete a direct upload; return the photo, and whether it is new.

        Raises Invalid, NotFound or UploadIncomplete.
        """
        response = self._request("POST", f"{_UPLOADS}/{upload.id}/complete")
        return self._decode_photo(response), response.status_code == HTTPStatus.CREATED

    def abort(self, upload: ReservedUpload) -> None:
        """Abort a direct upload, and delete what was sent. Raises NotFound."""
        self._request("DELETE", f"{_UPLOADS}/{upload.id}")

    def sessions(self) -> list[dict[str, Any]]:
        """List the sessions of signed-in browsers, last used first."""
        content = self._request("GET", _SESSIONS).content
        sessions: list[dict[str, Any]] = self._decode(content, list[SessionFields])
        return sessions

    def end_session(self, id_: str) -> None:
        """Sign out a browser. Raises NotFound."""
        self._request("DELETE", _path(_SESSIONS, id_))

    def jobs(self) -> dict[str, Any]:
        """Return the number of jobs in each state, and the oldest jobs."""
        jobs: dict[str, Any] = self._decode(self._request("GET", _JOBS).content, JobFields)
        return jobs

    def render_missing(self, *, demanded: bool = False) -> int:
        """Enqueue missing renditions, and return the number of photos that lack some."""
        query = "&demanded=true" if demanded else ""
        return self._sum_batches(_MISSING_RENDITIONS, EnqueuedBatch, query)["photos"]

    def reinspect(self) -> int:
        """Enqueue photos that an earlier version inspected, and return their number."""
        return self._sum_batches(_REINSPECTIONS, EnqueuedBatch)["photos"]

    def prune_renditions(self, *, apply: bool) -> Counter[str]:
        """Remove or count the renditions that no preset names; return the sum of all batches."""
        return self._sum_batches(_PRUNE, PruneCounts, f"&apply={str(apply).lower()}")

    def _sum_batches(self, path: str, kind: object, query: str = "") -> Counter[str]:
        counts, after = Counter[str](), cast("int | None", 0)
        while after is not None:
            response = self._request("POST", f"{path}?after={after}{query}")
            batch = self._decode(response.content, kind)
            after = batch.pop("next")
            counts.update(batch)
        return counts

    def rendition_link(self, id_: str, name: str) -> str:
        """Return the link to a rendition, which is made if it is missing. Raises NotFound."""
        path = f"{_path(_PHOTOS, id_)}/{quote(name, safe='')}"
        return str(self._request("GET", path).headers["Location"])

    def job_progress(self, task: str) -> JobProgress:
        """Return the progress of the jobs of a task."""
        counts = self._decode(self._request("GET", f"{_JOBS}?task={task}").content, JobCounts)
        left = counts["waiting"] + counts["late"] + counts["running"]
        return JobProgress(left=left, failed=counts["failed"])

    def retry_jobs(self) -> list[int]:
        """Retry all failed jobs, and return their ids."""
        ids: list[int] = self._decode(self._request("POST", f"{_JOBS}/retry").content, list[int])
        return ids

    def retry_job(self, id_: str) -> None:
        """Retry a failed job. Raises NotFound."""
        self._request("POST", f"{_path(_JOBS, id_)}/retry")

    def reconcile(self, options: dict[str, str]) -> Iterator[dict[str, Any]]:
        """Compare rows with objects, and yield the server's messages as they arrive.

        Raises Unavailable, also if the server stops early.
        """
        # Without compression, which would hold lines back.
        headers = {"Accept-Encoding": "identity"}
        with self._stream(_RECONCILE, params=options, headers=headers) as response:
            is_done = False
            for line in response.iter_lines():
                message: dict[str, Any] = self._decode(line, dict[str, Any])
                if problem := message.get("error"):
                    raise error_from_problem(problem)
                is_done = bool(message.get("tally", {}).get("done"))
                yield message
        if not is_done:
            raise Unavailable(f"{self._settings.url} stopped early: run the command again.")

    @contextmanager
    def _stream(self, path: str, **options: Any) -> Iterator[httpx.Response]:
        try:
            with self._http.stream("POST", path, **options) as response:
                if not response.is_success:
                    response.read()
                    raise error_from_response(response, self._settings)
                yield response
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._convert_error(error) from error

    def _request(self, method: str, path: str, **body: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._convert_error(error) from error
        if response.is_success or response.status_code == HTTPStatus.TEMPORARY_REDIRECT:
            return response
        if response.status_code == HTTPStatus.NOT_FOUND and path.partition("?")[0] == _PHOTOS:
            raise not_safelight(self._settings)
        if path == _UPLOADS and response.status_code in _NOT_ROUTED:
            raise DirectUploadsUnsupported
        raise error_from_response(response, self._settings)

    def _convert_error(self, error: httpx.HTTPError | httpx.InvalidURL) -> SafelightError:
        if isinstance(error, httpx.InvalidURL):  # from a redirect or a Location header
            return not_safelight(self._settings)
        return error_from_transport(error, self._settings)

    def _decode_photo(self, response: httpx.Response) -> Photo:
        photo: Photo = self._decode(response.content, PhotoFields)
        return photo

    def _decode(self, content: bytes | str, kind: object) -> Any:
        """Decode JSON and check that it has the fields of `kind`. Raises OperatorError."""
        try:
            body = msgspec.json.decode(content)
            msgspec.convert(body, kind)
        except (ValueError, RecursionError) as error:
            raise not_safelight(self._settings) from error
        return body


def _path(collection: str, id_: str) -> str:
    """Return the path of a resource. Raises NotFound if the id isn't a whole number."""
    if not (id_.isascii() and id_.isdecimal()):
        raise NotFound
    return f"{collection}/{id_}"


def _next_query(response: httpx.Response) -> str | None:
    """Return only the query of the next page's link, so the token never goes to another host."""
    url = response.links.get("next", {}).get("url", "")
    return url.partition("?")[2].partition("#")[0] or None
