"""Direct uploads in parts: created, sent, resumed, completed, aborted."""

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from safelight.catalog.tables import uploads
from support import pictures
from support.app_server import AppServer, Site
from support.direct_uploads import (
    MultipartUpload,
    complete,
    digest,
    has_objects,
    reserve,
    reserve_and_send,
    send,
)

MiB = 1024 * 1024
PART = 8 * MiB


def _png_of(size: int) -> bytes:
    """Make a valid PNG of exactly that size."""
    return pictures.png_with(
        pictures.png_chunk(b"saFe", bytes(size - len(pictures.png_with(b"")) - 12))
    )


@pytest.fixture(scope="module")
def large() -> bytes:
    return _png_of(2 * PART + 12_345)


@pytest.mark.parametrize(
    ("size", "multipart", "parts"),
    [
        (16 * MiB, False, None),
        (16 * MiB + 1, False, 3),
        (200 * MiB, False, 25),
        (1, True, 1),
        (PART, True, 1),
        (PART + 1, True, 2),
    ],
)
def test_large_or_requested_uploads_are_multipart(
    client: httpx.Client,
    size: int,
    multipart: bool,  # noqa: FBT001  a parameter of pytest's
    parts: int | None,
) -> None:
    upload = reserve(client, b"", size=size, multipart=multipart).json()
    assert upload.get("parts") == parts
    assert set(upload) == (
        {"id", "method", "url", "headers", "expires_at"}
        if parts is None
        else {"id", "part_size", "parts", "expires_at"}
    )


def test_parts_in_any_order_become_the_photo(
    app_server: AppServer, client: httpx.Client, large: bytes
) -> None:
    upload = MultipartUpload.reserve(client, large, sha256=digest(large), title="Large")
    upload.create()
    for number in (3, 1, 2):
        upload.part(number)
    upload.assemble()
    answer = complete(client, upload.upload)
    assert answer.status_code == 201, answer.text
    photo = answer.json()
    assert (photo["sha256"], photo["title"]) == (digest(large), "Large")
    assert httpx.get(photo["original_url"]).content == large
    assert not has_objects(app_server, upload.upload)


def test_upload_is_resumed_with_the_missing_parts(client: httpx.Client, large: bytes) -> None:
    upload = MultipartUpload.reserve(client, large, filename="other.png")
    upload.create()
    tag = upload.part(2)
    assert upload.uploaded_parts() == {2: tag}
    assert complete(client, upload.upload).json()["code"] == "upload_incomplete"
    for number in {1, 2, 3} - set(upload.uploaded_parts()):
        upload.part(number)
    assert sorted(upload.uploaded_parts()) == [1, 2, 3]
    assert complete(client, upload.upload).json()["code"] == "upload_incomplete"
    upload.assemble()
    assert complete(client, upload.upload).status_code in {200, 201}


def test_part_with_wrong_length_or_number_is_refused(client: httpx.Client) -> None:
    upload = MultipartUpload.reserve(client, _png_of(5 * MiB), multipart=True)
    upload.create()
    permit = upload.sign("part", part_number=1)
    assert permit["headers"] == {}
    for wrong in (upload.data[:-1], upload.data + b"x", b""):
        assert send(permit, wrong).status_code == 403
    other = permit | {"url": permit["url"].replace("partNumber=1", "partNumber=2")}
    assert send(other, upload.data).status_code == 403
    assert upload.uploaded_parts() == {}
    assert send(permit, upload.data).status_code == 200


def test_missing_part_is_upload_incomplete(
    app_server: AppServer, client: httpx.Client, large: bytes
) -> None:
    upload = MultipartUpload.reserve(client, large, filename="gap.png")
    upload.create()
    upload.part(1)
    upload.part(2)
    upload.assemble()
    answer = complete(client, upload.upload)
    assert (answer.status_code, answer.json()["code"]) == (409, "upload_incomplete")
    assert client.delete(f"/api/uploads/{upload.upload['id']}").status_code == 204
    assert not has_objects(app_server, upload.upload)


@pytest.mark.parametrize("assembled", [False, True])
def test_aborted_upload_leaves_no_parts(
    app_server: AppServer,
    client: httpx.Client,
    large: bytes,
    assembled: bool,  # noqa: FBT001  a parameter of pytest's
) -> None:
    upload = MultipartUpload.reserve(client, large, filename="aborted.png")
    upload.create()
    upload.part(1)
    first = upload.upload_id
    upload.create()
    upload.part(3)
    if assembled:
        upload.assemble()
    assert has_objects(app_server, upload.upload)
    assert client.delete(f"/api/uploads/{upload.upload['id']}").status_code == 204
    assert not has_objects(app_server, upload.upload)
    assert first != upload.upload_id


def test_client_can_abort_the_multipart_upload_itself(
    app_server: AppServer, client: httpx.Client, large: bytes
) -> None:
    upload = MultipartUpload.reserve(client, large, filename="dropped.png")
    upload.create()
    upload.part(1)
    assert send(upload.sign("abort")).status_code == 204
    assert not has_objects(app_server, upload.upload)
    upload.create()
    assert upload.uploaded_parts() == {}


def test_completion_aborts_a_second_multipart_upload(
    app_server: AppServer, client: httpx.Client
) -> None:
    upload = MultipartUpload.reserve(client, _png_of(5 * MiB + 7), multipart=True)
    upload.create()
    upload.part(1)
    upload.create()
    upload.part(1)
    upload.assemble()
    assert complete(client, upload.upload).status_code == 201
    assert not has_objects(app_server, upload.upload)


def test_each_step_is_signed_for_the_uploads_own_key(client: httpx.Client, large: bytes) -> None:
    upload = MultipartUpload.reserve(client, large, filename="keys.png")
    upload.upload_id = "an-id"
    steps: list[tuple[str, dict[str, Any], str, set[str], set[str]]] = [
        ("create", {}, "POST", {"content-type"}, {"uploads"}),
        ("part", {"part_number": 3}, "PUT", {"content-length"}, {"partNumber", "uploadId"}),
        ("list", {}, "GET", set(), {"uploadId"}),
        ("complete", {}, "POST", set(), {"uploadId"}),
        ("abort", {}, "DELETE", set(), {"uploadId"}),
    ]
    for operation, more, method, signed, query in steps:
        permit = upload.sign(operation, **more)
        url = httpx.URL(permit["url"])
        assert permit["method"] == method
        assert url.path.endswith(f"/incoming/{upload.upload['id']}")
        assert set(url.params["X-Amz-SignedHeaders"].split(";")) == signed | {"host"}
        assert {name for name in url.params if not name.startswith("X-Amz-")} == query


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"operation": "delete"},
        {"operation": "part", "part_number": 1},
        {"operation": "part", "upload_id": "x"},
        {"operation": "part", "upload_id": "x", "part_number": 0},
        {"operation": "part", "upload_id": "x", "part_number": 4},
        {"operation": "part", "upload_id": "x", "part_number": "1"},
        {"operation": "part", "upload_id": "x\ny", "part_number": 1},
        {"operation": "part", "upload_id": "é", "part_number": 1},
        {"operation": "abort", "upload_id": "an-id/../../photos"},
        {"operation": "abort", "upload_id": ".."},
        {"operation": "list"},
        {"operation": "list", "upload_id": ""},
        {"operation": "list", "upload_id": "x" * 1025},
        {"operation": "list", "upload_id": "x", "part_number": 1},
        {"operation": "create", "upload_id": "x"},
        {"operation": "create", "key": "photos/x"},
    ],
)
def test_invalid_step_is_refused(client: httpx.Client, large: bytes, body: dict[str, Any]) -> None:
    upload = MultipartUpload.reserve(client, large).upload
    answer = client.post(f"/api/uploads/{upload['id']}/sign", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("state", ["in one request", "completed", "aborted"])
def test_single_request_upload_gets_no_multipart_signatures(
    client: httpx.Client, state: str
) -> None:
    data = _png_of(100_000 + len(state))
    if state == "in one request":
        upload, status = reserve_and_send(client, data), 422
    else:
        upload, status = reserve(client, data, multipart=True).json(), 404
        if state == "completed":
            parts = MultipartUpload(client, data, upload)
            parts.create()
            parts.part(1)
            parts.assemble()
            assert complete(client, upload).status_code == 201
        else:
            assert client.delete(f"/api/uploads/{upload['id']}").status_code == 204
    answer = client.post(f"/api/uploads/{upload['id']}/sign", json={"operation": "create"})
    assert answer.status_code == status


def test_no_signature_outlives_the_reservation(app_server: AppServer, site: Site) -> None:
    with site.client() as client:
        upload = MultipartUpload.reserve(client, b"x", multipart=True)
        app_server.do(_expire_in_a_minute(app_server, upload.upload["id"]))
        permit = upload.sign("create")
    (seconds,) = re.findall(r"X-Amz-Expires=(\d+)", permit["url"])
    assert int(seconds) <= 60


async def _expire_in_a_minute(app_server: AppServer, name: str) -> None:
    soon = app_server.library.now() + timedelta(seconds=60)
    over = update(uploads).where(uploads.c.name == name).values(expires_at=soon)
    await app_server.library.backends.catalog.transaction(
        lambda connection: connection.execute(over)
    )
