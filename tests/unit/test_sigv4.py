"""Our signatures equal botocore's, byte for byte.

botocore is called through its client, like in an application, so that the whole path from bucket
and key to the URL is compared, not just the last step. Only its clock is stopped.
"""

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Any, Protocol
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

import boto3
import pytest
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from safelight.signing.sigv4 import Address, Credentials, Method, Style, presign

LONG_LIVED = Credentials(access_key="AKIDEXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG+bPxRfi")
SESSION = Credentials(
    access_key="ASIDEXAMPLE", secret_key="a/secret+of=mine", session_token="FwoG/+tok en==~%"
)
DATE = datetime(2026, 11, 22, 15, 4, 59, tzinfo=UTC)
WEEK = timedelta(days=7)
BUCKET = "the-bucket"
OPERATIONS: dict[Method, str] = {
    "GET": "get_object",
    "HEAD": "head_object",
    "PUT": "put_object",
    "DELETE": "delete_object",
}
ENDPOINTS: list[tuple[str, Style]] = [
    ("http://127.0.0.1:8333", "path"),
    ("http://localhost:80", "path"),
    ("https://localhost:443", "path"),
    ("http://localhost:443", "path"),
    ("https://s3.example.com:8443", "virtual"),
    ("https://s3.example.com", "path"),
    ("https://s3.example.com", "virtual"),
    ("http://[::1]:9000", "path"),
    ("https://[2001:db8::5]", "path"),
    ("https://s3.eu-central-1.amazonaws.com", "virtual"),
]
PIECES = [
    *" +%~/.-_=&?#:;,@$!*'()[]{}|^`<>\"\\",
    *"\t\n\r\x00\x7f\x85\xa0\u202e\u2028\ufeff",
    *"aZ09éß漢😀🐶",
    *(
        "//",
        "/",
        "%20",
        "%2F",
        "%25",
        "+",
        "  ",
        "~",
        "e\u0301",
        "👨\u200d👩\u200d👧",
        "..a",
        "a b",
    ),
]


class Client(Protocol):
    def generate_presigned_url(
        self,
        operation: str,
        *,
        Params: Mapping[str, object],  # noqa: N803  theirs
        ExpiresIn: int,  # noqa: N803  theirs
    ) -> str: ...


@cache
def client(credentials: Credentials, endpoint: str, style: Style, region: str) -> Client:
    made: Client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.session_token,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": style},
            request_checksum_calculation="when_required",
        ),
    )
    return made


def botocores(
    key: str,
    *,
    credentials: Credentials = LONG_LIVED,
    endpoint: str = "https://s3.example.com",
    style: Style = "path",
    region: str = "us-east-1",
    method: Method = "GET",
    expires_in: timedelta = WEEK,
    date: datetime = DATE,
    parameters: Mapping[str, object] | None = None,
    operation: str | None = None,
) -> str:
    with patch("botocore.auth.get_current_datetime", lambda: date):
        return client(credentials, endpoint, style, region).generate_presigned_url(
            operation or OPERATIONS[method],
            Params={"Bucket": BUCKET, "Key": key, **(parameters or {})},
            ExpiresIn=expires_in // timedelta(seconds=1),
        )


def ours(key: str, **given: object) -> str:
    how: dict[str, Any] = {"endpoint": "https://s3.example.com", "bucket": BUCKET}
    how |= {"date": DATE, "expires_in": WEEK, "credentials": LONG_LIVED, **given}
    return presign(key=key, **how)


def parts(url: str) -> tuple[str, str, str, list[tuple[str, str]]]:
    """Return scheme, host, raw path, and the query's pairs including the signature."""
    split = urlsplit(url)
    port = {"http": ":80", "https": ":443"}[split.scheme]
    pairs = sorted(parse_qsl(split.query, keep_blank_values=True, strict_parsing=True))
    return split.scheme, split.netloc.removesuffix(port), split.path, pairs


def hostile_keys(count: int) -> Iterator[str]:
    """Yield `count` keys of up to 1,024 bytes, always the same."""
    rng = random.Random(20130524)
    for number in range(count):
        key = ""
        while not 0 < len(key.encode()) <= 1024:
            length = rng.choice((1, 2, 3, 8, 30, 200))
            key = "".join(rng.choice(PIECES) for _ in range(length))
        if number % 10 == 0:
            key += "x" * (1024 - len(key.encode()))
        yield key


def test_hundreds_of_hostile_keys_are_signed_as_botocore_signs_them() -> None:
    keys = list(hostile_keys(600))
    assert len(set(keys)) > 500
    assert any(len(key.encode()) == 1024 for key in keys)
    for number, key in enumerate(keys):
        endpoint, style = ENDPOINTS[number % len(ENDPOINTS)]
        how: dict[str, Any] = {
            "endpoint": endpoint,
            "style": style,
            "credentials": SESSION if number // 10 % 3 == 0 else LONG_LIVED,
            "method": list(OPERATIONS)[number % len(OPERATIONS)],
            "date": DATE + timedelta(seconds=4_321 * number),
            # One for each endpoint: botocore needs ten milliseconds to make another client.
            "region": ("us-east-1", "auto", "eu-central-1")[number % len(ENDPOINTS) % 3],
            "expires_in": timedelta(seconds=(1, 60, 86_400, 604_800)[number % 5 % 4]),
        }
        assert parts(ours(key, **how)) == parts(botocores(key, **how)), (key, how)


@given(
    key=st.text(min_size=1, max_size=256),
    date=st.integers(0, 8_000 * 31_556_952).map(lambda n: datetime.fromtimestamp(n, UTC)),
    expires_in=st.integers(1, 604_800).map(lambda seconds: timedelta(seconds=seconds)),
    credentials=st.sampled_from([LONG_LIVED, SESSION]),
    method=st.sampled_from(list(OPERATIONS)),
    place=st.sampled_from(ENDPOINTS),
)
def test_any_key_at_any_time_is_signed_as_botocore_signs_it(
    *,
    key: str,
    date: datetime,
    expires_in: timedelta,
    credentials: Credentials,
    method: Method,
    place: tuple[str, Style],
) -> None:
    how: dict[str, Any] = {"endpoint": place[0], "style": place[1], "method": method}
    how |= {"date": date, "expires_in": expires_in, "credentials": credentials}
    assert parts(ours(key, **how)) == parts(botocores(key, **how))


@given(
    disposition=st.text(min_size=1, max_size=100),
    content_type=st.text(min_size=1, max_size=40),
    version=st.text(min_size=1, max_size=40),
)
def test_other_query_parameters_are_signed_as_botocore_signs_them(
    disposition: str, content_type: str, version: str
) -> None:
    query = {
        "versionId": version,
        "response-content-type": content_type,
        "response-content-disposition": disposition,
    }
    parameters = {
        "VersionId": version,
        "ResponseContentType": content_type,
        "ResponseContentDisposition": disposition,
    }
    theirs = botocores("a b", parameters=parameters, credentials=SESSION)
    assert parts(ours("a b", query=query, credentials=SESSION)) == parts(theirs)


def test_a_part_of_a_multipart_upload_is_signed_as_botocore_signs_it() -> None:
    theirs = botocores(
        "k", operation="upload_part", parameters={"PartNumber": 7, "UploadId": "VX+/= ~"}
    )
    query = {"uploadId": "VX+/= ~", "partNumber": "7"}
    assert parts(ours("k", method="PUT", query=query)) == parts(theirs)


def test_parameters_are_sorted_by_name_not_by_joined_pair() -> None:
    """`x=…` sorts after `x-y=…` as text, but `x` is before `x-y`."""
    url = ours("k", query={"x-y": "1", "x": "2", "x%": "3", "x1": "4", "~": "5"})
    names = [pair.partition("=")[0] for pair in urlsplit(url).query.split("&")]
    assert names[-6:] == ["x", "x%25", "x-y", "x1", "~", "X-Amz-Signature"]


def test_signed_headers_are_signed_as_botocore_signs_them() -> None:
    headers = {
        "Content-Type": "image/jpeg",
        "content-length": "12345",
        "If-None-Match": "*",
        "x-amz-checksum-sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "x-amz-meta-of": "  a   b\tc ",
        "Cache-Control": "private, max-age=31536000, immutable",
    }
    parameters = {
        "ContentType": "image/jpeg",
        "ContentLength": 12345,
        "IfNoneMatch": "*",
        "ChecksumSHA256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "Metadata": {"of": "  a   b\tc "},
        "CacheControl": "private, max-age=31536000, immutable",
    }
    theirs = parts(botocores("k", method="PUT", parameters=parameters))
    assert parts(ours("k", method="PUT", signed_headers=headers)) == theirs
    reordered = dict(reversed(headers.items()))
    assert parts(ours("k", method="PUT", signed_headers=reordered)) == theirs


@pytest.mark.parametrize(
    ("endpoint", "origin"),
    [
        ("HTTP://LocalHost:80/", "http://localhost"),
        ("https://s3.Example.com:443", "https://s3.example.com"),
        ("https://s3.example.com:80", "https://s3.example.com:80"),
        ("http://[0:0:0:0:0:0:0:1]:9000", "http://[::1]:9000"),
        ("http://[2001:DB8::5]", "http://[2001:db8::5]"),
        ("http://h:08333", "http://h:8333"),
    ],
)
def test_host_is_signed_as_clients_send_it(endpoint: str, origin: str) -> None:
    address = Address.of(endpoint, BUCKET)
    assert (address.origin, address.host) == (origin, origin.partition("//")[2])
    assert ours("k", endpoint=endpoint) == ours("k", endpoint=origin)


def test_limits_are_inclusive() -> None:
    assert "X-Amz-Expires=1&" in ours("k", expires_in=timedelta(seconds=1, milliseconds=999))
    assert "X-Amz-Expires=604800&" in ours("é" * 512, expires_in=WEEK)


def test_date_is_in_whole_seconds_and_utc() -> None:
    there = timezone(timedelta(hours=-9, minutes=-30))
    assert ours("k", date=DATE.astimezone(there)) == ours("k")
    assert ours("k", date=DATE.replace(microsecond=999_999)) == ours("k")
    assert ours("k", date=DATE + timedelta(seconds=1)) != ours("k")


@pytest.mark.parametrize("wrong", [("", "b"), ("a", "")])
def test_credentials_need_both_keys(wrong: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="secret key"):
        Credentials(access_key=wrong[0], secret_key=wrong[1])


def test_repr_and_url_contain_no_secret() -> None:
    shown = repr(SESSION)
    assert SESSION.access_key in shown
    assert SESSION.secret_key not in shown
    assert str(SESSION.session_token) not in shown
    url = ours("k", credentials=LONG_LIVED)
    assert LONG_LIVED.secret_key not in url
    assert LONG_LIVED.secret_key.replace("/", "%2F").replace("+", "%2B") not in url
