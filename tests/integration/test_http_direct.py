"""Direct uploads in one request: what is reserved, what the store lets in, what becomes a photo."""

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

import pictures
from integration.direct import complete, digest, lies, reserve, send, sent
from integration.served import House, Site
from safelight import keys
from safelight.library.incoming import Incoming
from safelight.tables import uploads

MiB = 1024 * 1024


def test_what_was_sent_is_answered_as_a_form_upload_is(
    a_house: House, client: httpx.Client
) -> None:
    data = pictures.jpeg(200, 100, exif=pictures.exif(6, "2024:05:06 07:08:09", "+02:00"))
    upload = sent(client, data, title="A cat", description="On\na mat", sha256=digest(data))
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
    assert not lies(a_house, upload)


def test_a_reservation_tells_what_to_send_and_until_when(client: httpx.Client) -> None:
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


def test_bytes_that_the_owner_has_are_not_sent_again(a_house: House, client: httpx.Client) -> None:
    data = pictures.jpeg(200, 150)
    first = complete(client, sent(client, data, title="First"))
    again = reserve(client, data, sha256=digest(data), title="Second")
    assert again.status_code == 200
    assert again.json() == first.json()
    assert again.headers["Location"] == first.headers["Location"]
    with a_house.site().client() as stranger:
        assert reserve(stranger, data, sha256=digest(data)).status_code == 201


def test_a_type_in_all_its_names_is_accepted(client: httpx.Client) -> None:
    named = ["image/jpeg", "image/jpg", "image/png", "image/gif", "image/webp", "image/avif"]
    for name in (*named, "image/heic", "image/heif", "IMAGE/PNG;charset=x"):
        assert reserve(client, b"x", content_type=name).status_code == 201, name


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"content_type": "text/html"}, 415, "unsupported_type"),
        ({"content_type": "image/svg+xml"}, 415, "unsupported_type"),
        ({"content_type": ""}, 415, "unsupported_type"),
        ({"content_type": "image/jpeg\r\nx: y"}, 415, "unsupported_type"),
        ({"size": 0}, 422, "empty_file"),
        ({"size": -1}, 422, "invalid_request"),
        ({"size": 50 * MiB + 1}, 413, "too_large"),
        ({"size": 10**30}, 413, "too_large"),
    ],
)
def test_what_could_not_be_taken_is_refused_before_it_is_sent(
    client: httpx.Client, asked: dict[str, Any], status: int, code: str
) -> None:
    answer = reserve(client, b"x", **asked)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("asked", "named"),
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
        ({"owner": "somebody"}, "owner"),
    ],
)
def test_a_wrong_field_is_named(client: httpx.Client, asked: dict[str, Any], named: str) -> None:
    answer = reserve(client, b"x", **asked)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert named in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"{}", b'{"size":1}'])
def test_a_body_that_is_no_reservation_is_refused(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/api/uploads", content=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_a_body_without_end_is_refused(client: httpx.Client) -> None:
    answer = client.post("/api/uploads", content=b" " * 100_000)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    "wrong", ["shorter", "longer", "type", "bytes", "key", "method", "expired"]
)
def test_the_store_lets_in_only_what_was_signed(
    a_house: House, site: Site, client: httpx.Client, wrong: str
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
        permit["url"] = _signed_long_ago(a_house, site.owner, upload["id"])
    answer = send(permit, None if wrong == "method" else body)
    assert answer.status_code in {400, 403}, answer.text
    assert not lies(a_house, upload)
    assert not lies(a_house, other)
    assert (complete(client, upload).status_code, send(upload, data).status_code) == (409, 200)
    assert complete(client, upload).status_code == 201


def _signed_long_ago(house: House, owner: str, name: str) -> str:
    permits = copy(house.library.parts.permits)
    permits._clock = lambda: datetime.now(UTC) - timedelta(minutes=20)
    return permits.put(house.do(house.library.parts.catalog.uploads.find(owner, name))).url


@pytest.mark.parametrize("data", [pictures.HTML, pictures.SVG, pictures.PDF])
def test_what_is_no_photo_is_refused_whatever_was_declared(
    a_house: House, client: httpx.Client, data: bytes
) -> None:
    upload = sent(client, data)
    answer = complete(client, upload)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_type")
    assert not lies(a_house, upload)
    assert complete(client, upload).status_code == 404
    assert client.get("/api/photos").json() == []


def test_a_photo_of_another_kind_than_declared_is_what_its_bytes_say(client: httpx.Client) -> None:
    answer = complete(client, sent(client, pictures.png()))
    assert (answer.status_code, answer.json()["content_type"]) == (201, "image/png")


def test_a_damaged_photo_is_refused_and_gone(a_house: House, client: httpx.Client) -> None:
    upload = sent(client, pictures.cut(pictures.jpeg(), 50))
    answer = complete(client, upload)
    assert (answer.status_code, answer.json()["code"]) == (422, "corrupt_image")
    assert not lies(a_house, upload)


def test_other_bytes_than_declared_are_refused_even_if_the_store_let_them_in(
    a_house: House, site: Site, client: httpx.Client
) -> None:
    declared, other = pictures.jpeg(64, 48), pictures.jpeg(48, 64)
    upload = reserve(client, other, sha256=digest(declared)).json()
    _smuggled(a_house, upload, other)
    answer = complete(client, upload)
    assert (answer.status_code, answer.json()["code"]) == (422, "checksum_mismatch")
    assert not lies(a_house, upload)
    assert complete(client, upload).status_code == 404
    assert a_house.rows(site.owner) == []


@pytest.mark.parametrize(("more", "status"), [(-1, 409), (1, 413)])
def test_another_length_than_declared_is_refused_even_if_the_store_let_it_in(
    a_house: House, client: httpx.Client, more: int, status: int
) -> None:
    data = pictures.jpeg(64, 48)
    upload = reserve(client, data).json()
    _smuggled(a_house, upload, data[:-1] if more < 0 else data + b"x")
    answer = complete(client, upload)
    assert answer.status_code == status
    assert lies(a_house, upload) == (status == 409)  # the rest may still come
    if status == 409:
        assert answer.json()["code"] == "upload_incomplete"
        assert send(upload, data).status_code == 200
        assert complete(client, upload).status_code == 201


def _smuggled(house: House, upload: dict[str, Any], data: bytes) -> None:
    """Put an object there as a store would that enforces nothing."""
    put = house.library.parts.storage._store.put_async
    house.do(_ended(put(keys.incoming(upload["id"]), data)))


async def _ended(work: Awaitable[object]) -> None:
    await work


def test_nothing_sent_is_an_upload_that_is_not_complete(client: httpx.Client) -> None:
    answer = complete(client, reserve(client, b"x").json())
    assert (answer.status_code, answer.json()["code"]) == (409, "upload_incomplete")


def test_completed_again_it_is_the_same_photo(client: httpx.Client) -> None:
    upload = sent(client, pictures.jpeg(65, 48))
    first, again = complete(client, upload), complete(client, upload)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert again.headers["Location"] == first.headers["Location"]


def test_completed_again_after_its_photo_was_deleted_it_is_not_found(client: httpx.Client) -> None:
    upload = sent(client, pictures.jpeg(66, 48))
    assert client.delete(complete(client, upload).headers["Location"]).status_code == 204
    assert complete(client, upload).status_code == 404


def test_completed_eight_times_at_once_it_is_one_photo(
    a_house: House, site: Site, client: httpx.Client
) -> None:
    upload = sent(client, pictures.jpeg(640, 480))
    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(lambda _: complete(client, upload), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    a_house.do(a_house.library.workings.intake.cleaned_up())
    left = [status for _, status, _ in a_house.rows(site.owner) if status != "deleted"]
    assert left == ["ready"]
    assert not lies(a_house, upload)


def test_two_uploads_of_the_same_bytes_are_one_photo(a_house: House, client: httpx.Client) -> None:
    data = pictures.jpeg(320, 200)
    uploads = [sent(client, data) for _ in range(4)]
    with ThreadPoolExecutor(4) as crowd:
        answers = list(crowd.map(lambda upload: complete(client, upload), uploads))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert [complete(client, upload).status_code for upload in uploads] == [200] * 4
    assert not any(lies(a_house, upload) for upload in uploads)


def test_a_second_put_after_completion_changes_nothing_and_goes(
    a_house: House, client: httpx.Client
) -> None:
    first = pictures.jpeg(100, 80)
    upload = sent(client, first)
    photo = complete(client, upload).json()
    assert send(upload, bytes(len(first))).status_code == 200
    again = complete(client, upload)
    assert (again.status_code, again.json()["id"]) == (200, photo["id"])
    assert httpx.get(again.json()["original_url"]).content == first
    assert lies(a_house, upload)
    a_house.do(_swept(a_house, later=timedelta(hours=26)))
    assert not lies(a_house, upload)


async def _swept(house: House, *, later: timedelta) -> None:
    """Do what the minutely job does, at a later time."""
    parts = house.library.parts
    then = datetime.now(UTC) + later
    incoming = Incoming(parts.catalog, parts.storage, parts.multiparts, clock=lambda: then)
    await incoming.once()


def test_puts_that_race_with_completions_make_one_photo_of_what_was_checked(
    a_house: House, site: Site, client: httpx.Client
) -> None:
    shown = [pictures.png_with(pictures.png_chunk(b"saFe", bytes([n]) * 50_000)) for n in range(8)]
    upload = sent(client, shown[0])
    with ThreadPoolExecutor(16) as crowd:
        puts = [crowd.submit(send, upload, data) for data in shown * 4]
        answers = [
            each.result() for each in [crowd.submit(complete, client, upload) for _ in range(8)]
        ]
        assert all(put.result().status_code == 200 for put in puts)
    assert {answer.status_code for answer in answers} <= {200, 201, 503}, answers
    photos = {answer.json()["id"]: answer.json() for answer in answers if answer.status_code < 300}
    (photo,) = photos.values()
    stored = httpx.get(photo["original_url"]).content
    assert stored in shown
    assert hashlib.sha256(stored).hexdigest() == photo["sha256"]
    a_house.do(a_house.library.workings.intake.cleaned_up())
    left = [status for _, status, _ in a_house.rows(site.owner) if status != "deleted"]
    assert left == ["ready"]


def test_an_aborted_upload_leaves_nothing_and_is_not_found(
    a_house: House, client: httpx.Client
) -> None:
    upload = sent(client, pictures.jpeg(67, 48))
    assert client.delete(f"/api/uploads/{upload['id']}").status_code == 204
    assert not lies(a_house, upload)
    assert client.delete(f"/api/uploads/{upload['id']}").status_code == 404
    assert complete(client, upload).status_code == 404


def test_somebody_elses_upload_is_not_found(a_house: House, client: httpx.Client) -> None:
    upload = sent(client, pictures.jpeg(68, 48), multipart=False)
    step = {"operation": "create"}
    with a_house.site().client() as stranger:
        assert complete(stranger, upload).json()["code"] == "not_found"
        assert stranger.delete(f"/api/uploads/{upload['id']}").status_code == 404
        assert stranger.post(f"/api/uploads/{upload['id']}/sign", json=step).status_code == 404
    assert complete(client, upload).status_code == 201


@pytest.mark.parametrize("id_", ["0" * 32, "x", "..", "A" * 32, "%00", "1", "é" * 32])
def test_an_id_that_is_none_is_not_found(client: httpx.Client, id_: str) -> None:
    upload = {"id": id_}
    assert complete(client, upload).status_code == 404
    assert client.delete(f"/api/uploads/{id_}").status_code == 404
    signed = client.post(f"/api/uploads/{id_}/sign", json={"operation": "create"})
    assert signed.status_code == 404


def test_an_expired_upload_is_not_found_and_goes(
    a_house: House, site: Site, client: httpx.Client
) -> None:
    upload = sent(client, pictures.jpeg(69, 48))
    a_house.do(_expired(a_house, site.owner))
    assert complete(client, upload).status_code == 404
    assert client.delete(f"/api/uploads/{upload['id']}").status_code == 404
    a_house.do(_swept(a_house, later=timedelta(0)))
    assert not lies(a_house, upload)
    assert _rows(a_house, site.owner) == ["aborted"]
    a_house.do(_swept(a_house, later=timedelta(hours=2)))
    assert _rows(a_house, site.owner) == []


async def _expired(house: House, owner: str) -> None:
    """Let the time of an owner's uploads be over."""
    now = house.library.now()
    over = update(uploads).where(uploads.c.owner == owner).values(expires_at=now)
    await house.library.parts.catalog.change(lambda connection: connection.execute(over))


def _rows(house: House, owner: str) -> list[str]:
    query = select(uploads.c.status).where(uploads.c.owner == owner)

    async def read(connection: AsyncConnection) -> list[str]:
        return list((await connection.execute(query)).scalars())

    return house.do(house.library.parts.catalog.read(read))
