"""What the store itself makes of our links: honoured as they are, refused as soon as they aren't.

Asked over `http.client`, which sends a path as it is given; browsers and most clients would first
take the dots out of it.
"""

import time
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
from safelight.links import Links
from safelight.settings import LinkSettings
from safelight.sigv4 import Credentials, presign

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


def links_of(engines: EmbeddedEngines, **given: Any) -> Links:  # noqa: ANN401  LinkSettings'
    return Links(
        LinkSettings(**given),
        credentials=lambda: credentials_of(engines),
        clock=lambda: datetime.now(UTC),
        endpoint=engines.s3_endpoint_url,
        bucket=engines.bucket,
        region=engines.region,
    )


def signed(engines: EmbeddedEngines, key: str, **given: Any) -> str:  # noqa: ANN401  presign's
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
    connection = HTTPConnection(parts.netloc, timeout=10)
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
        client_options={"allow_http": True, "timeout": "10s"},
    )


@pytest.fixture
def photo(store: S3Store) -> Iterator[str]:
    """The name of a photo whose original is stored."""
    name = keys.new_name()
    attributes = {
        "Content-Type": "image/jpeg",
        "Cache-Control": "private, max-age=31536000, immutable",
    }
    obstore.put(store, keys.original(name), PICTURE, attributes=attributes, use_multipart=False)
    yield name
    obstore.delete(store, keys.original(name))


def test_a_link_gives_the_bytes_as_they_were_stored(engines: EmbeddedEngines, photo: str) -> None:
    status, body, headers = ask(links_of(engines).link(keys.original(photo), photo).url)
    assert (status, body) == (200, PICTURE)
    assert headers["content-type"] == "image/jpeg"
    assert headers["cache-control"] == "private, max-age=31536000, immutable"


def test_without_a_signature_nothing_is_given(engines: EmbeddedEngines, photo: str) -> None:
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
def test_a_tampered_link_is_refused(
    engines: EmbeddedEngines, photo: str, part: str, other: str
) -> None:
    url = links_of(engines).link(keys.original(photo), photo).url
    assert part in url
    status, body, _ = ask(url.replace(part, other))
    assert status in {400, 403}
    assert PICTURE not in body


def test_each_digit_of_the_signature_counts(engines: EmbeddedEngines, photo: str) -> None:
    url = links_of(engines).link(keys.original(photo), photo).url
    for place in (-1, -33, -64):
        digit = "0" if url[place] != "0" else "1"
        tampered = url[:place] + digit + url[len(url) + place + 1 :]
        assert len(tampered) == len(url)
        assert ask(tampered)[0] == 403


def test_an_expired_link_is_refused(engines: EmbeddedEngines, photo: str) -> None:
    key, second = keys.original(photo), timedelta(seconds=1)
    long_ago = datetime.now(UTC) - timedelta(days=7, seconds=1)
    assert ask(signed(engines, key, date=long_ago, expires_in=timedelta(days=7)))[0] == 403
    url = signed(engines, key, expires_in=2 * second)
    assert ask(url)[0] == 200
    time.sleep(3.1)
    assert ask(url)[0] == 403


def test_a_link_stays_good_to_the_end_of_its_time(engines: EmbeddedEngines, photo: str) -> None:
    nearly = datetime.now(UTC) - timedelta(days=7) + MINUTE
    url = signed(engines, keys.original(photo), date=nearly, expires_in=timedelta(days=7))
    assert ask(url)[0] == 200


@pytest.mark.parametrize("method", ["HEAD", "PUT", "POST", "DELETE"])
def test_a_link_is_good_for_no_other_method(
    engines: EmbeddedEngines, photo: str, method: str
) -> None:
    url = links_of(engines).link(keys.original(photo), photo).url
    body = b"other bytes" if method in {"PUT", "POST"} else None
    # A POST to an object is no call of S3 at all, by whatever signature.
    assert ask(url, method, body)[0] in ({403, 405} if method == "POST" else {403})
    assert ask(url)[:2] == (200, PICTURE)


def test_a_link_opens_no_other_photo(engines: EmbeddedEngines, store: S3Store, photo: str) -> None:
    other = keys.new_name()
    obstore.put(store, keys.original(other), b"somebody else's", use_multipart=False)
    url = links_of(engines).link(keys.original(photo), photo).url
    assert ask(url.replace(photo, other))[0] == 403
    # Sent as it stands, with the dots in it.
    path = keys.original(photo)
    assert ask(url.replace(path, f"{keys.prefix(photo)}../../{keys.original(other)}"))[0] != 200
    obstore.delete(store, keys.original(other))


def test_a_link_signed_by_another_key_is_refused(engines: EmbeddedEngines, photo: str) -> None:
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


def test_a_deleted_photos_links_are_dead(
    engines: EmbeddedEngines, store: S3Store, photo: str
) -> None:
    url = links_of(engines).link(keys.original(photo), photo).url
    assert ask(url)[0] == 200
    obstore.delete(store, keys.original(photo))
    status, body, _ = ask(url)
    assert status == 404
    assert PICTURE not in body


def test_the_answer_can_be_named_anew_by_a_signed_override(
    engines: EmbeddedEngines, photo: str
) -> None:
    disposition = "attachment; filename*=UTF-8''%F0%9F%90%B6%20a+b.jpg"
    url = signed(engines, keys.original(photo), query={"response-content-disposition": disposition})
    status, body, headers = ask(url)
    assert (status, body) == (200, PICTURE)
    assert headers["content-disposition"] == disposition


def test_an_upload_must_send_the_headers_that_were_signed(engines: EmbeddedEngines) -> None:
    key = keys.incoming(keys.new_name())
    headers = {"content-type": "image/jpeg", "content-length": str(len(PICTURE))}
    url = signed(engines, key, method="PUT", signed_headers=headers)
    assert ask(url, "PUT", PICTURE, headers | {"content-type": "text/html"})[0] == 403
    assert ask(url, "PUT", PICTURE + b"!", {"content-type": "image/jpeg"})[0] == 403
    assert ask(signed(engines, key))[0] == 404
    assert ask(url, "PUT", PICTURE, headers)[0] == 200
    assert ask(signed(engines, key))[:2] == (200, PICTURE)
    assert ask(signed(engines, key, method="DELETE"), "DELETE")[0] == 204


@pytest.mark.parametrize("key", HOSTILE)
def test_a_hostile_key_is_written_and_read_under_its_own_name(
    engines: EmbeddedEngines, store: S3Store, key: str
) -> None:
    prefix = f"photos/hostile-{sha256(key.encode()).hexdigest()[:8]}"
    whole = f"{prefix}/{key}"
    body = f"the bytes of {key!r}".encode()
    assert ask(signed(engines, whole, method="PUT"), "PUT", body)[0] == 200
    assert ask(signed(engines, whole))[:2] == (200, body)
    assert ask(signed(engines, whole, method="HEAD"), "HEAD")[0] == 200
    listed = [entry["path"] for page in obstore.list(store, prefix) for entry in page]
    assert listed == [whole], "the store has read the key as we meant it"
    assert ask(signed(engines, whole, method="DELETE"), "DELETE")[0] == 204
    assert ask(signed(engines, whole))[0] == 404
