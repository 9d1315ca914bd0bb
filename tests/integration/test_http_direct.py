"""Direct uploads in one request: reservation, the store's checks, completion."""

import hashlib
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import keys
from safelight.catalog.tables import uploads
from safelight.library.uploads.upload_cleanup import UploadCleanup
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
JSON = {"Content-Type": "application/json"}
_TWO = (pictures.jpeg(110, 90), pictures.jpeg(120, 90))


def test_completed_upload_returns_the_same_json_as_a_form_upload(
    app_server: AppServer, client: httpx.Client
) -> None:
    data = pictures.jpeg(200, 100, exif=pictures.exif(6, "2024:05:06 07:08:09", "+02:00"))
    upload = reserve_and_send(
        client, data, title="A cat", description="On\na mat", sha256=digest(data)
    )
    answer = complete(client, upload)
    assert answer.status_code == 201, answer.text
    photo = answer.json()
    assert answer.headers["Location"] == f"/api/photos/{photo['id']}"
    assert client.get(answer.headers["Location"]).json() == photo
    assert (photo["title"], photo["description"]) == ("A cat", "On\na mat")
    assert (photo["filename"], photo["sha256"]) == ("cat.jpg", digest(data))
    assert (photo["size"], photo["width"], photo["height"]) == (len(data), 100, 200)
    assert photo["taken_at"] == "2024-05-06T07:08:09+02:00"
    assert len(photo["renditions"]) == 1
    assert httpx.get(photo["original_url"]).content == data
    assert not has_objects(app_server, upload)


def test_existing_photos_are_found_by_their_checksums(
    app_server: AppServer, client: httpx.Client
) -> None:
    kept, deleted = (complete(client, reserve_and_send(client, data)).json() for data in _TWO)
    client.delete(f"/api/photos/{deleted['id']}")
    asked = {"sha256": [*map(digest, _TWO), "0" * 64]}
    found = client.post("/api/uploads/existing", json=asked)
    assert (found.status_code, found.json()) == (200, [kept])
    with app_server.site().client() as other_client:
        assert other_client.post("/api/uploads/existing", json=asked).json() == []


@pytest.mark.parametrize("asked", [[], ["0" * 63], ["A" * 64], ["0" * 64] * 501, None])
def test_invalid_checksums_to_look_for_are_refused(client: httpx.Client, asked: object) -> None:
    answer = client.post("/api/uploads/existing", json={"sha256": asked})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_form_with_the_checksum_of_other_bytes_is_refused(client: httpx.Client) -> None:
    def send(sha256: str) -> httpx.Response:
        files = {"photo": ("a.jpg", _TWO[0])}
        return client.post("/api/photos", files=files, data={"sha256": sha256})

    answer = send(digest(_TWO[1]))
    assert (answer.status_code, answer.json()["code"]) == (422, "checksum_mismatch")
    assert send("x").json()["code"] == "invalid_request"
    assert client.get("/api/photos").json() == []
    assert send(digest(_TWO[0])).status_code == 201


def test_reservation_contains_the_request_to_send_and_its_expiry(client: httpx.Client) -> None:
    data = pictures.jpeg()
    upload = reserve(client, data, sha256=digest(data), content_type="Image/JPEG; q=1").json()
    assert upload["method"] == "PUT"
    assert set(upload["headers"]) == {"Content-Type", "x-amz-checksum-sha256"}
    assert upload["headers"]["Content-Type"] == "image/jpeg"
    lasts = datetime.fromisoformat(upload["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < lasts <= timedelta(minutes=15)
    url = httpx.URL(upload["url"])
    assert url.path.endswith(f"/incoming/{upload['id']}")
    signed = set(url.params["X-Amz-SignedHeaders"].split(";"))
    assert signed == {"content-length", "content-type", "host", "x-amz-checksum-sha256"}


def test_known_checksum_returns_the_existing_photo(
    app_server: AppServer, client: httpx.Client
) -> None:
    data = pictures.jpeg(200, 150)
    first = complete(client, reserve_and_send(client, data, title="First"))
    again = reserve(client, data, sha256=digest(data), title="Second")
    assert again.status_code == 200
    assert again.json() == first.json()
    assert again.headers["Location"] == first.headers["Location"]
    with app_server.site().client() as other_client:
        assert reserve(other_client, data, sha256=digest(data)).status_code == 201


def test_every_name_of_a_content_type_is_accepted(client: httpx.Client) -> None:
    named = ["image/jpeg", "image/jpg", "image/png", "image/gif", "image/webp", "image/avif"]
    for name in (*named, "image/heic", "image/heif", "IMAGE/PNG;charset=x"):
        assert reserve(client, b"x", content_type=name).status_code == 201, name


@pytest.mark.parametrize(
    ("declared", "sent"),
    [
        ("", "application/octet-stream"),
        (" ", "application/octet-stream"),
        ("*/*", "application/octet-stream"),
        ("image/*", "application/octet-stream"),
        ("application/octet-stream", "application/octet-stream"),
        ("image/jpg", "image/jpg"),
        ("image/pjpeg", "image/pjpeg"),
        ("image/x-png", "image/x-png"),
        ("image/heic-sequence", "image/heic-sequence"),
        ("image/avif-sequence", "image/avif-sequence"),
        (' Image/PJPEG ; q=1; x="a" ', "image/pjpeg"),
    ],
)
@pytest.mark.parametrize("multipart", [False, True])
def test_bytes_decide_whatever_type_is_declared(
    client: httpx.Client, declared: str, sent: str, *, multipart: bool
) -> None:
    data = pictures.png_with(pictures.png_chunk(b"saFe", f"{declared}{multipart}".encode()))
    if multipart:
        parts = MultipartUpload.reserve(client, data, content_type=declared, multipart=True)
        assert parts.sign("create")["headers"]["Content-Type"] == sent
        parts.create()
        parts.part(1)
        parts.assemble()
        upload = parts.upload
    else:
        upload = reserve_and_send(client, data, content_type=declared)
        assert upload["headers"]["Content-Type"] == sent
    answer = complete(client, upload)
    assert (answer.status_code, answer.json()["content_type"]) == (201, "image/png")


@pytest.mark.parametrize("declared", ["", "application/octet-stream", "image/heic-sequence"])
def test_other_bytes_are_refused_whatever_type_is_declared(
    client: httpx.Client, declared: str
) -> None:
    answer = complete(client, reserve_and_send(client, pictures.HTML, content_type=declared))
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_type")


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"content_type": "text/html"}, 415, "unsupported_type"),
        ({"content_type": "image/svg+xml"}, 415, "unsupported_type"),
        ({"content_type": "image/tiff"}, 415, "unsupported_type"),
        ({"content_type": "video/mp4"}, 415, "unsupported_type"),
        ({"content_type": "jpeg"}, 415, "unsupported_type"),
        ({"content_type": "\0"}, 415, "unsupported_type"),
        ({"content_type": "image/jpeg\r\nx: y"}, 415, "unsupported_type"),
        ({"size": 0}, 422, "empty_file"),
        ({"size": -1}, 422, "invalid_request"),
        ({"size": 200 * MiB + 1}, 413, "too_large"),
        ({"size": 10**30}, 413, "too_large"),
        ({"size": 10**400}, 413, "too_large"),
    ],
)
def test_unacceptable_upload_is_refused_before_it_is_sent(
    client: httpx.Client, fields: dict[str, Any], status: int, code: str
) -> None:
    answer = reserve(client, b"x", **fields)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"size": "5"}, "size"),
        ({"size": 1.5}, "size"),
        ({"size": True}, "size"),
        ({"sha256": "A" * 64}, "sha256"),
        ({"sha256": "a" * 63}, "sha256"),
        ({"sha256": "a" * 64 + "\n"}, "sha256"),
        ({"filename": None}, "filename"),
        ({"content_type": 7}, "content_type"),
        ({"title": "t" * 201}, "title"),
        ({"title": "a\0b"}, "title"),
        ({"description": "d" * 5_001}, "description"),
        ({"multipart": "yes"}, "multipart"),
        ({"owner": "another"}, "owner"),
    ],
)
def test_invalid_field_is_named_in_the_error(
    client: httpx.Client, fields: dict[str, Any], named: str
) -> None:
    answer = reserve(client, b"x", **fields)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert named in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"{}", b'{"size":1}'])
def test_invalid_reservation_body_is_refused(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/api/uploads", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_endless_body_is_refused(client: httpx.Client) -> None:
    answer = client.post("/api/uploads", content=b" " * 100_000, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    "wrong", ["shorter", "longer", "type", "bytes", "key", "method", "expired"]
)
def test_store_accepts_only_the_signed_request(
    app_server: AppServer, site: Site, client: httpx.Client, wrong: str
) -> None:
    data = pictures.jpeg(64, 48)
    upload = reserve(client, data, sha256=digest(data)).json()
    other = reserve(client, data).json()
    permit, body = dict(upload), data
    if wrong == "shorter":
        body = data[:-1]
    elif wrong == "longer":
        body = data + b"x"
    elif wrong == "bytes":
        body = bytes(len(data))
    elif wrong == "type":
        permit["headers"] = upload["headers"] | {"Content-Type": "text/html"}
    elif wrong == "key":
        permit["url"] = upload["url"].replace(upload["id"], other["id"])
    elif wrong == "method":
        permit["method"] = "GET"
    else:
        permit["url"] = _sign_expired_url(app_server, site.owner, upload["id"])
    answer = send(permit, None if wrong == "method" else body)
    assert answer.status_code in {400, 403}, answer.text
    assert not has_objects(app_server, upload)
    assert not has_objects(app_server, other)
    assert (complete(client, upload).status_code, send(upload, data).status_code) == (409, 200)
    assert complete(client, upload).status_code == 201


def _sign_expired_url(app_server: AppServer, owner: str, name: str) -> str:
    signer = copy(app_server.library.backends.upload_signer)
    signer._clock = lambda: datetime.now(UTC) - timedelta(minutes=20)
    return signer.put(
        app_server.do(app_server.library.backends.catalog.uploads.find(owner, name))
    ).url


@pytest.mark.parametrize("data", [pictures.HTML, pictures.SVG, pictures.PDF])
def test_non_photo_is_refused_whatever_type_was_declared(
    app_server: AppServer, client: httpx.Client, data: bytes
) -> None:
    upload = reserve_and_send(client, data)
    answer = complete(client, upload)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_type")
    assert not has_objects(app_server, upload)
    assert complete(client, upload).status_code == 404
    assert client.get("/api/photos").json() == []


def test_content_type_is_detected_and_not_taken_from_the_declaration(client: httpx.Client) -> None:
    answer = complete(client, reserve_and_send(client, pictures.png()))
    assert (answer.status_code, answer.json()["content_type"]) == (201, "image/png")


def test_damaged_photo_is_refused_and_deleted(app_server: AppServer, client: httpx.Client) -> None:
    upload = reserve_and_send(client, pictures.truncate(pictures.jpeg(), 50))
    answer = complete(client, upload)
    assert (answer.status_code, answer.json()["code"]) == (422, "corrupt_image")
    assert not has_objects(app_server, upload)


def test_wrong_checksum_is_refused_even_if_the_store_accepted_it(
    app_server: AppServer, site: Site, client: httpx.Client
) -> None:
    declared, other = pictures.jpeg(64, 48), pictures.jpeg(48, 64)
    upload = reserve(client, other, sha256=digest(declared)).json()
    _put_unchecked(app_server, upload, other)
    answer = complete(client, upload)
    assert (answer.status_code, answer.json()["code"]) == (422, "checksum_mismatch")
    assert not has_objects(app_server, upload)
    assert complete(client, upload).status_code == 404
    assert app_server.rows(site.owner) == []


@pytest.mark.parametrize(("more", "status"), [(-1, 409), (1, 413)])
def test_wrong_length_is_refused_even_if_the_store_accepted_it(
    app_server: AppServer, client: httpx.Client, more: int, status: int
) -> None:
    data = pictures.jpeg(64, 48)
    upload = reserve(client, data).json()
    _put_unchecked(app_server, upload, data[:-1] if more < 0 else data + b"x")
    answer = complete(client, upload)
    assert answer.status_code == status
    assert has_objects(app_server, upload) == (status == 409)  # the rest may still be sent
    if status == 409:
        assert answer.json()["code"] == "upload_incomplete"
        assert send(upload, data).status_code == 200
        assert complete(client, upload).status_code == 201


def _put_unchecked(app_server: AppServer, upload: dict[str, Any], data: bytes) -> None:
    """Put an object as if the store enforced nothing."""
    put = app_server.library.backends.bucket._store.put_async
    app_server.do(_await(put(keys.incoming(upload["id"]), data)))


async def _await(work: Awaitable[object]) -> None:
    await work


def test_completing_an_unsent_upload_is_upload_incomplete(client: httpx.Client) -> None:
    answer = complete(client, reserve(client, b"x").json())
    assert (answer.status_code, answer.json()["code"]) == (409, "upload_incomplete")


def test_completing_twice_returns_the_same_photo(client: httpx.Client) -> None:
    upload = reserve_and_send(client, pictures.jpeg(65, 48))
    first, again = complete(client, upload), complete(client, upload)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert again.headers["Location"] == first.headers["Location"]


def test_completing_again_after_the_photo_was_deleted_is_not_found(client: httpx.Client) -> None:
    upload = reserve_and_send(client, pictures.jpeg(66, 48))
    assert (
        client.delete(f"{complete(client, upload).headers['Location']}?permanent=true").status_code
        == 204
    )
    assert complete(client, upload).status_code == 404


def test_eight_concurrent_completions_make_one_photo(
    app_server: AppServer, site: Site, client: httpx.Client
) -> None:
    upload = reserve_and_send(client, pictures.jpeg(640, 480))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: complete(client, upload), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    app_server.do(app_server.library.components.ingest.wait_for_undo())
    left = [status for _, status, _ in app_server.rows(site.owner) if status != "deleted"]
    assert left == ["ready"]
    assert not has_objects(app_server, upload)


def test_two_uploads_of_the_same_bytes_make_one_photo(
    app_server: AppServer, client: httpx.Client
) -> None:
    data = pictures.jpeg(320, 200)
    uploads = [reserve_and_send(client, data) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda upload: complete(client, upload), uploads))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert [complete(client, upload).status_code for upload in uploads] == [200] * 4
    assert not any(has_objects(app_server, upload) for upload in uploads)


def test_put_after_completion_changes_nothing_and_is_deleted(
    app_server: AppServer, client: httpx.Client
) -> None:
    first = pictures.jpeg(100, 80)
    upload = reserve_and_send(client, first)
    photo = complete(client, upload).json()
    assert send(upload, bytes(len(first))).status_code == 200
    again = complete(client, upload)
    assert (again.status_code, again.json()["id"]) == (200, photo["id"])
    assert httpx.get(again.json()["original_url"]).content == first
    assert has_objects(app_server, upload)
    app_server.do(_clean_up(app_server, later=timedelta(hours=26)))
    assert not has_objects(app_server, upload)


async def _clean_up(app_server: AppServer, *, later: timedelta) -> None:
    """Run the minutely cleanup as if it were later."""
    parts = app_server.library.backends
    then = datetime.now(UTC) + later
    incoming = UploadCleanup(
        parts.catalog.uploads, parts.bucket, parts.multipart, clock=lambda: then
    )
    await incoming.run()


def test_puts_racing_with_completions_make_one_photo_of_the_checked_bytes(
    app_server: AppServer, site: Site, client: httpx.Client
) -> None:
    shown = [pictures.png_with(pictures.png_chunk(b"saFe", bytes([n]) * 50_000)) for n in range(8)]
    upload = reserve_and_send(client, shown[0])
    with ThreadPoolExecutor(16) as pool:
        puts = [pool.submit(send, upload, data) for data in shown * 4]
        answers = [
            each.result() for each in [pool.submit(complete, client, upload) for _ in range(8)]
        ]
        assert all(put.result().status_code == 200 for put in puts)
    assert {answer.status_code for answer in answers} <= {200, 201, 503}, answers
    photos = {answer.json()["id"]: answer.json() for answer in answers if answer.status_code < 300}
    (photo,) = photos.values()
    stored = httpx.get(photo["original_url"]).content
    assert stored in shown
    assert hashlib.sha256(stored).hexdigest() == photo["sha256"]
    app_server.do(app_server.library.components.ingest.wait_for_undo())
    left = [status for _, status, _ in app_server.rows(site.owner) if status != "deleted"]
    assert left == ["ready"]


def test_aborted_upload_leaves_nothing_and_is_not_found(
    app_server: AppServer, client: httpx.Client
) -> None:
    upload = reserve_and_send(client, pictures.jpeg(67, 48))
    assert client.delete(f"/api/uploads/{upload['id']}").status_code == 204
    assert not has_objects(app_server, upload)
    assert client.delete(f"/api/uploads/{upload['id']}").status_code == 404
    assert complete(client, upload).status_code == 404


def test_upload_of_another_owner_is_not_found(app_server: AppServer, client: httpx.Client) -> None:
    upload = reserve_and_send(client, pictures.jpeg(68, 48), multipart=False)
    step = {"operation": "create"}
    with app_server.site().client() as other_client:
        assert complete(other_client, upload).json()["code"] == "not_found"
        assert other_client.delete(f"/api/uploads/{upload['id']}").status_code == 404
        assert other_client.post(f"/api/uploads/{upload['id']}/sign", json=step).status_code == 404
    assert complete(client, upload).status_code == 201


@pytest.mark.parametrize("id_", ["0" * 32, "x", "..", "A" * 32, "%00", "1", "é" * 32])
def test_malformed_upload_id_is_not_found(client: httpx.Client, id_: str) -> None:
    upload = {"id": id_}
    assert complete(client, upload).status_code == 404
    assert client.delete(f"/api/uploads/{id_}").status_code == 404
    signed = client.post(f"/api/uploads/{id_}/sign", json={"operation": "create"})
    assert signed.status_code == 404


def test_expired_upload_is_not_found_and_is_deleted(
    app_server: AppServer, site: Site, client: httpx.Client
) -> None:
    upload = reserve_and_send(client, pictures.jpeg(69, 48))
    app_server.do(_expire_uploads(app_server, site.owner))
    assert complete(client, upload).status_code == 404
    assert client.delete(f"/api/uploads/{upload['id']}").status_code == 404
    app_server.do(_clean_up(app_server, later=timedelta(0)))
    assert not has_objects(app_server, upload)
    assert _rows(app_server, site.owner) == ["aborted"]
    app_server.do(_clean_up(app_server, later=timedelta(hours=2)))
    assert _rows(app_server, site.owner) == []


async def _expire_uploads(app_server: AppServer, owner: str) -> None:
    """Expire an owner's uploads."""
    now = app_server.library.now()
    over = update(uploads).where(uploads.c.owner == owner).values(expires_at=now)
    await app_server.library.backends.catalog.transaction(
        lambda connection: connection.execute(over)
    )


def _rows(app_server: AppServer, owner: str) -> list[str]:
    query = select(uploads.c.status).where(uploads.c.owner == owner)

    async def read(connection: AsyncConnection) -> list[str]:
        return list((await connection.execute(query)).scalars())

    return app_server.do(app_server.library.backends.catalog.read(read))
