"""Parse the server's response to a reserved direct upload."""

import re

import msgspec

_is_path_segment = re.compile(r"[0-9A-Za-z_-]+").fullmatch


class StoreRequest(msgspec.Struct):
    """A presigned request to the photo store; send exactly these headers."""

    method: str
    url: str
    headers: dict[str, str]


class ReservedUpload(msgspec.Struct):
    """A reserved upload: sent whole by `request`, or in parts if that is None.

    All parts but the last have `part_size` bytes.
    """

    id: str
    request: StoreRequest | None
    parts: int = 0
    part_size: int = 0


class _SingleUpload(StoreRequest):
    id: str


class _MultipartUpload(msgspec.Struct):
    id: str
    part_size: int
    parts: int


def parse_reservation(body: object) -> ReservedUpload:
    """Parse the response of ``POST /api/uploads``. Raises ValueError."""
    id_ = body.get("id") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(id_, str) or not _is_path_segment(id_):
        raise ValueError("the id is missing, or can't be part of a path")
    if "part_size" in body:
        multipart = msgspec.convert(body, _MultipartUpload)
        if multipart.parts < 1 or multipart.part_size < 1:
            raise ValueError("there are no parts")
        return ReservedUpload(
            id=multipart.id, request=None, parts=multipart.parts, part_size=multipart.part_size
        )
    single = msgspec.convert(body, _SingleUpload)
    request = StoreRequest(method=single.method, url=single.url, headers=single.headers)
    return ReservedUpload(id=single.id, request=request)
