"""What the OpenAPI document says of bodies that FastAPI doesn't read itself."""

from typing import Any

import msgspec

from safelight import errors
from safelight.library.captions import MAX_DESCRIPTION, MAX_TITLE
from safelight.web.problems import MEDIA_TYPE, STATUSES
from safelight.web.told import ToldView
from safelight.web.views import (
    JobsView,
    PartsView,
    PermitView,
    PhotoView,
    PutView,
    SessionView,
    SignRequest,
    UndevelopedView,
    UploadRequest,
)

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

PATCH_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object", "properties": _TEXTS, "additionalProperties": False}
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


def components() -> dict[str, Any]:
    """Give the schemas that answers refer to."""
    _, schemas = msgspec.json.schema_components(
        [
            *(PhotoView, SessionView, JobsView, UndevelopedView, PermitView, PutView, PartsView),
            *(UploadRequest, SignRequest, ToldView),
        ],
        ref_template="#/components/schemas/{name}",
    )
    return {**schemas, "Problem": PROBLEM}


def photo_answer(description: str) -> dict[str, Any]:
    """Describe an answer that is a photo."""
    return _json(description, {"$ref": "#/components/schemas/PhotoView"})


def photos_answer(description: str) -> dict[str, Any]:
    """Describe an answer that is an array of photos."""
    return _json(
        description, {"type": "array", "items": {"$ref": "#/components/schemas/PhotoView"}}
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
    return {
        status: {
            "description": " or ".join(f"`{code}`" for code in found),
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status, found in codes.items()
    }


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
