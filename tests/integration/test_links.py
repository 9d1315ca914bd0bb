"""The store accepts our links unchanged, and refuses them after any change.

The requests use `http.client`, which sends a path unchanged; browsers and most clients would first
remove the dots.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import obstore
import pytest
from obstore.store import S3Store

from safelight import keys
from safelight.engines import EmbeddedEngines
from safelight.settings import LinkSettings
from safelight.signing.credentials import StaticCredentials
from safelight.signing.links import LinkSigner
from safelight.signing.sigv4 import Credentials, presign

PICTURE = b"\xff\xd8\xff\xe0 not quite a picture"
MINUTE = timedelta(minutes=1)
HOSTILE = [
    "a b",
    "a+b",
    "a%20b",
    "%2F",
    "100%",
    "~user",
    "it's(1)!*~",
    "a=b&c=d?e#f",
    ";,:@$",
    '"quotes"',
    "<script>",
    "{}|^`[]",
    "фото/ß漢字",
    "🐶/📷",
    "e\u0301",
    "a\u00a0b\u202e",
    "..a/...b/.c",
    "x" * 200 + "/" + "é" * 100,
]


def credentials_of(engines: EmbeddedEngines) -> Credentials:
    return Credentials(access_key=engines.s3_access_key, secret_key=engines.s3_secret_key)


def links_of(engines: EmbeddedEngines, **given: Any) -> LinkSigner:
    return LinkSigner(
        LinkSettings(**given),
        credentials=StaticCredentials(credentials_of(engines)),
        clock=lambda: datetime.now(UTC),
        endpoint=engines.s3_endpoint_url,
        bucket=engines.bucket,
        region=engines.region,
    )


def signed(engines: EmbeddedEngines, key: str, **given: Any) -> str:
    how: dict[str, Any] = {"date": datetime.now(UTC), "expires_in": MINUTE, **given}
    return presign(
        credentials_of(engines),
        endpoint=engines.s3_endpoint_url,
        bucket=engines.bucket,
        region=engines.region,
        key=key,
        **how,
    )


def ask(
    url: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes, dict[str, str]]:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=120)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body, headers or {})
        answer = connection.getresponse()
        names = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, answer.read(), names
    finally:
        connection.close()


@pytest.fixture(scope="module")
def store(engines: EmbeddedEngines) -> S3Store:
    return S3Store(
        engines.bucket,
        endpoint=engines.s3_endpoint_url,
        access_key_id=engines.s3_access_key,
        secret_access_key=engines.s3_secret_key,
        region=engines.region,
        client_options={"allow_http": True, "timeout": "120s"},
    )


@pytest.fixture
def photo(store: S3Store) -> Iterator[str]:
    """The storage id of a photo whose original is stored."""
    name = keys.new_storage_id()
    attributes = {
        "Content-Type": "image/jpeg",
        "Cache-Control": "private, max-age=31536000, immutable",
    }
    obstore.put(store, keys.original(name), PICTURE, attributes=attributes, use_multipart=False)
    yield name
    obstore.delete(store, keys.original(name))


def test_link_returns_the_stored_bytes(engines: EmbeddedEngines, photo: str) -> None:
    status, body, headers = ask(links_of(engines).link(keys.original(photo), photo).url)
    assert (status, body) == (200, PICTURE)
    assert headers["content-type"] == "image/jpeg"
    assert headers["cache-control"] == "private, max-age=31536000, immutable"


def test_unsigned_request_is_refused(engines: EmbeddedEngines, photo: str) -> None:
    url = links_of(engines).link(keys.original(photo), photo).url
    status, body, _ = ask(url.partition("?")[0])
    assert status == 403
    assert PICTURE not in body


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("X-Amz-Expires=604800", "X-Amz-Expires=604799"),
        ("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=host&response-content-type=text%2Fhtml"),
        ("%2Fus-east-1%2F", "%2Fus-east-2%2F"),
        ("X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Algorithm=AWS4-HMAC-SHA1"),
    ],
)
def test_tampered_link_is_refused(
    engines: EmbeddedEngines, photo: str, part: str, other: str
) -> None:
    url = links_of(engines).link(keys.original(photo), photo).url
    assert part in url
    status, body, _ = ask(url.replace(part, other))
    assert status in {400, 403}
    assert PICTURE not in body


def test_changed_signature_is_refused_at_each_digit(engines: EmbeddedEngines, photo: str) -> None:
    url = links_of(engines).link(keys.original(photo), photo).url
    for place in (-1, -33, -64):
        digit = "0" if url[place] != "0" else "1"
        tampered = url[:place] + digit + url[len(url) + place + 1 :]
        assert len(tampered) == len(url)
        assert ask(tampered)[0] == 403


def test_expired_link_is_refused(engines: EmbeddedEngines, photo: str) -> None:
    key, second = keys.original(photo), timedelta(seconds=1)
    long_ago = datetime.now(UTC) - timedelta(days=7, seconds=1)
    assert ask(signed(engines, key, date=long_ago, expires_in=timedelta(days=7)))[0] == 403
    just_over = datetime.now(UTC) - 3 * second
    assert ask(signed(engines, key, date=just_over, expires_in=2 * second))[0] == 403
    assert ask(signed(engines, key, date=just_over, expires_in=10 * MINUTE))[0] == 200


def test_link_is_valid_to_the_end_of_its_lifetime(engines: EmbeddedEngines, photo: str) -> None:
    nearly = datetime.now(UTC) - timedelta(days=7) + MINUTE
    url = signed(engines, keys.original(photo), date=nearly, expires_in=timedelta(days=7))
    assert ask(url)[0] == 200


@pytest.mark.parametrize("method", ["HEAD", "PUT", "POST", "DELETE"])
def test_link_allows_no_other_method(engines: EmbeddedEngines, photo: str, method: str) -> None:
    url = links_of(engines).link(keys.original(photo), photo).url
    body = b"other bytes" if method in {"PUT", "POST"} else None
    # S3 has no POST to an object, whatever its signature.
    assert ask(url, method, body)[0] in ({403, 405} if method == "POST" else {403})
    assert ask(url)[:2] == (200, PICTURE)


def test_link_opens_no_other_photo(engines: EmbeddedEngines, store: S3Store, photo: str) -> None:
    other = keys.new_storage_id()
    obstore.put(store, keys.original(other), b"another photo", use_multipart=False)
    url = links_of(engines).link(keys.original(photo), photo).url
    assert ask(url.replace(photo, other))[0] == 403
    # Sent unchanged, with the dots.
    path = keys.original(photo)
    assert ask(url.replace(path, f"{keys.prefix(photo)}../../{keys.original(other)}"))[0] != 200
    obstore.delete(store, keys.original(other))


def test_link_signed_with_another_key_is_refused(engines: EmbeddedEngines, photo: str) -> None:
    def link(access_key: str, secret_key: str) -> str:
        return presign(
            Credentials(access_key=access_key, secret_key=secret_key),
            endpoint=engines.s3_endpoint_url,
            bucket=engines.bucket,
            region=engines.region,
            key=keys.original(photo),
            date=datetime.now(UTC),
            expires_in=MINUTE,
        )

    assert ask(link(engines.s3_access_key, engines.s3_secret_key))[0] == 200
    assert ask(link(engines.s3_access_key, engines.s3_secret_key[:-1] + "!"))[0] == 403
    assert ask(link("AKIDNOBODY", engines.s3_secret_key))[0] == 403


def test_links_of_a_deleted_photo_are_not_found(
    engines: EmbeddedEngines, store: S3Store, photo: str
) -> None:
    url = links_of(engines).link(keys.original(photo), photo).url
    assert ask(url)[0] == 200
    obstore.delete(store, keys.original(photo))
    status, body, _ = ask(url)
    assert status == 404
    assert PICTURE not in body


def test_response_header_can_be_overridden_by_a_signed_parameter(
    engines: EmbeddedEngines, photo: str
) -> None:
    disposition = "attachment; filename*=UTF-8''%F0%9F%90%B6%20a+b.jpg"
    url = signed(engines, keys.original(photo), query={"response-content-disposition": disposition})
    status, body, headers = ask(url)
    assert (status, body) == (200, PICTURE)
    assert headers["content-disposition"] == disposition


def test_upload_without_the_signed_headers_is_refused(engines: EmbeddedEngines) -> None:
    key = keys.incoming(keys.new_storage_id())
    headers = {"content-type": "image/jpeg", "content-length": str(len(PICTURE))}
    url = signed(engines, key, method="PUT", signed_headers=headers)
    assert ask(url, "PUT", PICTURE, headers | {"content-type": "text/html"})[0] == 403
    assert ask(url, "PUT", PICTURE + b"!", {"content-type": "image/jpeg"})[0] == 403
    assert ask(signed(engines, key))[0] == 404
    assert ask(url, "PUT", PICTURE, headers)[0] == 200
    assert ask(signed(engines, key))[:2] == (200, PICTURE)
    assert ask(signed(engines, key, method="DELETE"), "DELETE")[0] == 204


@pytest.mark.parametrize("key", HOSTILE)
def test_unusual_key_is_stored_under_its_own_name(
    engines: EmbeddedEngines, store: S3Store, key: str
) -> None:
    prefix = f"photos/hostile-{sha256(key.encode()).hexdigest()[:8]}"
    whole = f"{prefix}/{key}"
    body = f"the bytes of {key!r}".encode()
    assert ask(signed(engines, whole, method="PUT"), "PUT", body)[0] == 200
    assert ask(signed(engines, whole))[:2] == (200, body)
    assert ask(signed(engines, whole, method="HEAD"), "HEAD")[0] == 200
    listed = [entry["path"] for page in obstore.list(store, prefix) for entry in page]
    assert listed == [whole], "the store has interpreted the key as intended"
    assert ask(signed(engines, whole, method="DELETE"), "DELETE")[0] == 204
    assert ask(signed(engines, whole))[0] == 404
