"""What the OpenAPI document says of bodies that FastAPI doesn't read itself."""

from typing import Any

import msgspec

from safelight import errors
from safelight.library.captions import MAX_DESCRIPTION, MAX_TITLE
from safelight.web.problems import MEDIA_TYPE, STATUSES
from safelight.web.shapes import (
    JobsView,
    MonthView,
    PartsView,
    PermitView,
    PhotoView,
    PutView,
    SessionView,
    SignRequest,
    UndevelopedView,
    UploadRequest,
)
from safelight.web.told import ToldView

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
                    "properties": {"photo": {"type": "string", "format": "binary"}, **_TEXTS},
                }
            }
        },
    }
}

_CHANGES = {name: {**text, "type": ["string", "null"]} for name, text in _TEXTS.items()}
"""Null changes nothing."""

PATCH_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object", "properties": _CHANGES, "additionalProperties": False}
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
    "ETag": {"description": "Changes whenever the answer does"},
    "Link": {"description": "Where the next page is, with `rel=next`; not on the last one"},
    "Location": {"description": "The address"},
    "Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 1}},
    "WWW-Authenticate": {"description": "`Bearer`"},
}
_NOT_ALWAYS = {"Link"}
_WITH_STATUS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}


def components() -> dict[str, Any]:
    """Give the schemas that answers refer to."""
    _, schemas = msgspec.json.schema_components(
        [
            *(PhotoView, MonthView, SessionView, JobsView, UndevelopedView),
            *(PermitView, PutView, PartsView),
            *(UploadRequest, SignRequest, ToldView),
        ],
        ref_template="#/components/schemas/{name}",
    )
    return {**schemas, "Problem": PROBLEM}


def with_headers(answer: dict[str, Any], *names: str) -> dict[str, Any]:
    """Describe an answer that has these headers, too."""
    headers = {
        name: {"required": name not in _NOT_ALWAYS, "schema": {"type": "string"}, **_HEADERS[name]}
        for name in names
    }
    return {**answer, "headers": headers}


def unchanged_answer() -> dict[str, Any]:
    """Describe the answer to who has a list already."""
    unchanged = {"description": "Nothing has changed since the ETag in If-None-Match"}
    return with_headers(unchanged, "ETag")


def photo_answer(description: str) -> dict[str, Any]:
    """Describe an answer that is a photo."""
    return _json(description, {"$ref": "#/components/schemas/PhotoView"})


def placed_answer(description: str) -> dict[str, Any]:
    """Describe an answer that is a photo, and tells its address."""
    return with_headers(photo_answer(description), "Location")


def photos_answer(description: str) -> dict[str, Any]:
    """Describe an answer that is an array of photos."""
    return _json(
        description, {"type": "array", "items": {"$ref": "#/components/schemas/PhotoView"}}
    )


def months_answer(description: str) -> dict[str, Any]:
    """Describe an answer that is an array of months."""
    return _json(
        description, {"type": "array", "items": {"$ref": "#/components/schemas/MonthView"}}
    )


def json_request(kind: str) -> dict[str, Any]:
    """Describe a JSON body that one of the components is."""
    schema = {"$ref": f"#/components/schemas/{kind}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def upload_answer(description: str) -> dict[str, Any]:
    """Describe an answer that is an upload, in one request or in parts."""
    kinds = [{"$ref": f"#/components/schemas/{kind}"} for kind in ("PutView", "PartsView")]
    return _json(description, {"oneOf": kinds})


def permit_answer(description: str) -> dict[str, Any]:
    """Describe an answer that is a signed request."""
    return _json(description, {"$ref": "#/components/schemas/PermitView"})


def sessions_answer(description: str) -> dict[str, Any]:
    """Describe an answer that is an array of sessions."""
    return _json(
        description, {"type": "array", "items": {"$ref": "#/components/schemas/SessionView"}}
    )


def jobs_answer(description: str) -> dict[str, Any]:
    """Describe an answer that tells of jobs."""
    return _json(description, {"$ref": "#/components/schemas/JobsView"})


def undeveloped_answer(description: str) -> dict[str, Any]:
    """Describe an answer that tells of photos that lacked renditions."""
    return _json(description, {"$ref": "#/components/schemas/UndevelopedView"})


def ids_answer(description: str) -> dict[str, Any]:
    """Describe an answer that is an array of ids."""
    return _json(description, {"type": "array", "items": {"type": "integer"}})


def fine_answer(description: str) -> dict[str, Any]:
    """Describe the answer that all is well."""
    status = {"type": "string", "const": "ok"}
    return _json(
        description, {"type": "object", "required": ["status"], "properties": {"status": status}}
    )


def told_answer(description: str) -> dict[str, Any]:
    """Describe an answer of JSON lines that tell how a comparison goes."""
    schema = {"$ref": "#/components/schemas/ToldView"}
    return {"description": description, "content": {"application/x-ndjson": {"schema": schema}}}


def problems(*kinds: type[errors.SafelightError]) -> dict[int | str, dict[str, Any]]:
    """Describe the answers to these errors, with their codes."""
    codes: dict[int, list[str]] = {}
    for kind in kinds:
        codes.setdefault(STATUSES[kind], []).append(kind.code)
    schema = {"$ref": "#/components/schemas/Problem"}
    answers: dict[int | str, dict[str, Any]] = {}
    for status, found in codes.items():
        description = " or ".join(f"`{code}`" for code in found)
        answer = {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}
        names = _WITH_STATUS.get(status, ())
        answers[status] = with_headers(answer, *names) if names else answer
    return answers


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
