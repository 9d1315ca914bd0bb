"""Describe the requests and responses that FastAPI doesn't read or write itself."""

from functools import cache
from typing import Any

import msgspec

from safelight import errors
from safelight.library.captions import MAX_DESCRIPTION, MAX_TITLE
from safelight.web.api.albums.schemas import (
    AlbumChanges,
    AlbumMove,
    AlbumPhotos,
    AlbumView,
    NewAlbum,
)
from safelight.web.api.changes.schemas import ChangesView
from safelight.web.api.deletion.schemas import EmptiedView, TrashView
from safelight.web.api.monitoring.schemas import ReconcileLineView
from safelight.web.api.photo_parts import PartsPageView
from safelight.web.api.schemas import (
    BulkChanges,
    BulkResultView,
    DownloadRequest,
    DownloadView,
    ExistingRequest,
    JobBatchView,
    JobsView,
    MonthView,
    PartsView,
    PermitView,
    PhotoChanges,
    PhotoView,
    PresetView,
    PrunedBatchView,
    PutView,
    SignRequest,
    UploadRequest,
)
from safelight.web.api.sessions.schemas import SessionView, SignedOutView
from safelight.web.problems import MEDIA_TYPE

_REF = "#/components/schemas/{name}"

_TEXTS = {
    "title": {"type": "string", "maxLength": MAX_TITLE},
    "description": {"type": "string", "maxLength": MAX_DESCRIPTION},
}

FORM_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["photo"],
                    "properties": {
                        "photo": {"type": "string", "format": "binary"},
                        **_TEXTS,
                        "modified_at": {"type": "string", "format": "date-time"},
                        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                    },
                }
            }
        },
    }
}

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
    },
}


_HEADERS: dict[str, dict[str, Any]] = {
    "Content-Disposition": {"description": "The file name"},
    "Content-Range": {"description": "The first byte, the last, and the size of the whole"},
    "ETag": {"description": "Changes with the response"},
    "Link": {"description": "The URL of the next page, with `rel=next`; absent on the last page"},
    "Location": {"description": "The URL of the photo"},
    "Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 1}},
    "WWW-Authenticate": {"description": "`Bearer`"},
}
_OPTIONAL = {"Link"}
_WITH_STATUS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}


@cache
def components() -> dict[str, Any]:
    """Return the schemas that requests and responses refer to."""
    _, schemas = msgspec.json.schema_components(
        [
            *(PhotoView, PartsPageView, MonthView, PresetView, SessionView, SignedOutView),
            *(ChangesView, EmptiedView, TrashView),
            *(JobsView, JobBatchView, PrunedBatchView),
            *(AlbumView, NewAlbum, AlbumChanges, AlbumPhotos, AlbumMove),
            *(PermitView, PutView, PartsView),
            *(UploadRequest, ExistingRequest, SignRequest, ReconcileLineView),
            *(PhotoChanges, BulkChanges, BulkResultView, DownloadRequest, DownloadView),
        ],
        ref_template=_REF,
    )
    return {**schemas, "Problem": PROBLEM}


def inline(described: Any) -> Any:
    """Return a description with the schemas that it refers to in their places."""
    if isinstance(described, list):
        return [inline(each) for each in described]
    if not isinstance(described, dict):
        return described
    name = str(described.get("$ref", "")).removeprefix(_REF.format(name=""))
    if name in components():
        return inline(components()[name])
    return {key: inline(value) for key, value in described.items()}


def with_headers(described: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the description of a response with these headers added."""
    headers = {
        name: {"required": name not in _OPTIONAL, "schema": {"type": "string"}, **_HEADERS[name]}
        for name in names
    }
    return {**described, "headers": headers}


def not_modified() -> dict[str, Any]:
    """Describe the 304 for a client that already has the list."""
    return with_headers({"description": "Not changed since the ETag in If-None-Match"}, "ETag")


def json_request(kind: str) -> dict[str, Any]:
    """Describe a JSON request body with the schema of this name."""
    schema = {"$ref": f"#/components/schemas/{kind}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def response(
    description: str, *bodies: object, media_type: str = "application/json"
) -> dict[str, Any]:
    """Describe a response whose body has one of these types; a dict is a schema itself."""
    schemas = [body if isinstance(body, dict) else _schema_of(body) for body in bodies]
    schema = schemas[0] if len(schemas) == 1 else {"oneOf": schemas}
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _schema_of(body: object) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([body], ref_template=_REF)
    return schema


def problems(*kinds: type[errors.SafelightError]) -> dict[int | str, dict[str, Any]]:
    """Describe the responses to these errors, with their codes."""
    codes: dict[int, list[str]] = {}
    for kind in kinds:
        codes.setdefault(kind.status, []).append(kind.code)
    schema = {"$ref": "#/components/schemas/Problem"}
    answers: dict[int | str, dict[str, Any]] = {}
    for status, found in codes.items():
        description = " or ".join(f"`{code}`" for code in found)
        answer = {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}
        names = _WITH_STATUS.get(status, ())
        answers[status] = with_headers(answer, *names) if names else answer
    return answers
