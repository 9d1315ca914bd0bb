"""POST /api/photos: accepted photos, responses, and refused content."""

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from support import pictures
from support.app_server import AppServer, Site
from support.raw_http import field, form, part, photo_part, raw_upload

MiB = 1024 * 1024


def upload(client: httpx.Client, data: bytes, **fields: str) -> httpx.Response:
    return client.post("/api/photos", files={"photo": ("cat.jpg", data)}, data=fields)


def test_upload_returns_the_photo_and_its_location(client: httpx.Client) -> None:
    data = pictures.jpeg(200, 100, exif=pictures.exif(6, "2024:05:06 07:08:09", "+02:00"))
    answer = upload(client, data, title="A cat", description="On\r\na mat")
    assert answer.status_code == 201
    photo = answer.json()
    assert answer.headers["Location"] == f"/api/photos/{photo['id']}"
    links = {key: photo.pop(key) for key in ("photo_url", "original_url", "expires_at")}
    assert links["photo_url"] == links["original_url"]
    assert isinstance(photo.pop("id"), int)
    assert photo.pop("created_at").endswith("Z")
    assert len(base64.b64decode(photo.pop("thumbhash"))) > 5
    assert [made.pop("url")[:4] for made in photo["renditions"]] == ["http"]
    assert photo == {
        "title": "A cat",
        "description": "On\na mat",
        "filename": "cat.jpg",
        "content_type": "image/jpeg",
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "width": 100,
        "height": 200,
        "animated": False,
        "duration": None,
        "camera": None,
        "located": False,
        "displayable": True,
        "turn": 0,
        "taken_at": "2024-05-06T07:08:09+02:00",
        "taken_from": "exif",
        "renditions": [{"name": "w320", "width": 100, "height": 200, "content_type": "image/webp"}],
    }


def test_location_returns_the_same_photo(client: httpx.Client) -> None:
    answer = upload(client, pictures.jpeg())
    assert client.get(answer.headers["Location"]).json() == answer.json()


def test_duplicate_upload_returns_the_existing_photo_unchanged(client: httpx.Client) -> None:
    first = upload(client, pictures.png(), title="First")
    again = upload(client, pictures.png(), title="Second", description="Ignored")
    assert again.status_code == 200
    assert again.json() == first.json()
    assert again.headers["Location"] == first.headers["Location"]
    assert [photo["title"] for photo in client.get("/api/photos").json()] == ["First"]


def test_same_bytes_after_deletion_are_a_new_photo(client: httpx.Client) -> None:
    first = upload(client, pictures.png())
    assert client.delete(first.headers["Location"] + "?permanent=true").status_code == 204
    again = upload(client, pictures.png())
    assert again.status_code == 201
    assert again.json()["id"] != first.json()["id"]


def test_eight_concurrent_duplicates_are_one_photo(app_server: AppServer, site: Site) -> None:
    data = pictures.jpeg(640, 480)
    body = form(photo_part(data))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: raw_upload(site, body), range(8)))
    assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    app_server.do(_wait_for_undo(app_server))
    rows = app_server.rows(site.owner)
    assert [status for _, status, _ in rows if status != "deleted"] == ["ready"]
    assert [app_server.is_stored(name) for _, status, name in rows if status == "ready"] == [True]
    assert not any(app_server.is_stored(name) for _, status, name in rows if status != "ready")


async def _wait_for_undo(app_server: AppServer) -> None:
    """Wait until the leftovers of duplicate uploads are deleted."""
    await app_server.library.components.ingest.wait_for_undo()


@pytest.mark.parametrize("kind", sorted(pictures.photographs()))
def test_every_format_is_accepted(client: httpx.Client, kind: str) -> None:
    answer = upload(client, pictures.photographs()[kind])
    assert answer.status_code == 201, answer.text
    photo = answer.json()
    assert (photo["width"], photo["height"]) == (256, 192)
    assert photo["content_type"].removeprefix("image/") in kind


@pytest.mark.parametrize("data", [pictures.TEXT, pictures.HTML, pictures.SVG, pictures.PDF])
@pytest.mark.parametrize("name", ["evil.png", "evil.jpg"])
def test_non_photo_is_refused_whatever_its_name(
    client: httpx.Client, data: bytes, name: str
) -> None:
    answer = client.post("/api/photos", files={"photo": (name, data, "image/jpeg")})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_type")
    assert client.get("/api/photos").json() == []


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"),
        (pictures.truncate(pictures.jpeg(), 50), "corrupt_image"),
        (pictures.truncate(pictures.png(), 50), "corrupt_image"),
        (pictures.truncate(pictures.webp(), 50), "corrupt_image"),
        (pictures.truncate(pictures.gif(), 50), "corrupt_image"),
        (pictures.png_with_wrong_crc(), "corrupt_image"),
        (pictures.png_of_zeros(20_000, 20_000), "too_many_pixels"),
        (pictures.gif_of_frames(1_001), "too_many_frames"),
    ],
    ids=[
        "empty",
        "half a JPEG",
        "half a PNG",
        "half a WebP",
        "half a GIF",
        "wrong CRC",
        "pixels",
        "frames",
    ],
)
def test_damaged_photo_is_refused_and_leaves_nothing(
    app_server: AppServer, site: Site, client: httpx.Client, data: bytes, code: str
) -> None:
    answer = upload(client, data)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert app_server.rows(site.owner) == []


def test_photo_of_exactly_the_limit_is_accepted(client: httpx.Client) -> None:
    data = _png_of(5 * MiB)
    answer = upload(client, data)
    assert answer.status_code == 201, answer.text
    assert answer.json()["size"] == 5 * MiB


def test_photo_one_byte_over_the_limit_is_refused(client: httpx.Client) -> None:
    answer = upload(client, _png_of(5 * MiB + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_caption_does_not_count_towards_the_photo_limit(client: httpx.Client) -> None:
    answer = upload(client, _png_of(5 * MiB), title="t" * 200, description="ä" * 5_000)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("where", ["before", "after"])
def test_other_fields_are_limited_to_64_kib_for_a_photo_of_any_size(site: Site, where: str) -> None:
    more, photo = field(b"description", b"d" * 100_000), photo_part(pictures.jpeg())
    answer = raw_upload(site, form(more, photo) if where == "before" else form(photo, more))
    assert (answer.status, answer.code) == (413, "too_large")


def _png_of(size: int) -> bytes:
    """Make a valid PNG of exactly that size."""
    return pictures.png_with(
        pictures.png_chunk(b"saFe", bytes(size - len(pictures.png_with(b"")) - 12))
    )


@pytest.mark.parametrize(
    ("title", "description", "status"),
    [
        ("t" * 200, "d" * 5_000, 201),
        ("😀" * 200, "ß" * 5_000, 201),
        ("t" * 201, "", 422),
        ("", "d" * 5_001, 422),
        ("", "d" * 6_000, 422),
        ("a\0b", "", 422),
        ("", "a\0b", 422),
    ],
    ids=["as long as may be", "of wide characters", "title", "description", "6000", "NUL", "NUL 2"],
)
def test_caption_length_is_limited(
    client: httpx.Client, title: str, description: str, status: int
) -> None:
    answer = upload(client, pictures.jpeg(), title=title, description=description)
    assert answer.status_code == status, answer.text
    if status == 201:
        assert answer.json()["title"] == title
        assert answer.json()["description"] == description
    else:
        assert answer.json()["code"] == "invalid_request"
        assert client.get("/api/photos").json() == []


def test_title_that_is_not_utf_8_is_refused(site: Site) -> None:
    answer = raw_upload(site, form(field(b"title", b"\xff\xfe"), photo_part(pictures.jpeg())))
    assert (answer.status, answer.code) == (422, "invalid_request")


def test_unknown_fields_are_ignored(site: Site) -> None:
    body = form(field(b"owner", b"another"), field(b"id", b"7"), photo_part(pictures.jpeg()))
    assert raw_upload(site, body).status == 201


def test_content_type_of_the_client_is_ignored(site: Site) -> None:
    head = b'Content-Disposition: form-data; name="photo"; filename="a.svg"'
    answer = raw_upload(site, form(part(head + b"\r\nContent-Type: text/html", pictures.jpeg())))
    assert answer.json()["content_type"] == "image/jpeg"
