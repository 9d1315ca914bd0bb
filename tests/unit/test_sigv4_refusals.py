"""Requests that are never signed: no store would accept them, or they would mislead."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from safelight.signing.sigv4 import Credentials, presign


def sign(**wrong: object) -> str:
    right: dict[str, Any] = {
        "credentials": Credentials(access_key="a", secret_key="b"),
        "endpoint": "https://s3.example.com",
        "bucket": "the-bucket",
        "key": "k",
        "date": datetime(2026, 11, 22, tzinfo=UTC),
        "expires_in": timedelta(days=7),
    }
    return presign(**right | wrong)


def test_valid_request_is_signed() -> None:
    assert "&X-Amz-Signature=" in sign()


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "localhost:8333",
        "ftp://localhost",
        "http://",
        "http://a/b",
        "http://a?b",
        "http://a#b",
        "http://user@a",
        "http://a b",
        "http://a\r\nX: y",
        "http://a\n",
        "http://a:0",
        "http://a:65536",
        "http://a:x",
        "http://a:\u0661",
        "http://é.example",
        "http://[::1",
        "http://[1:2]",
        "http://[fe80::1%eth0]",
        "http://a\\b",
        "http://..",
        "http://.a",
        "http://a..b",
    ],
)
def test_endpoint_has_only_scheme_host_and_port(endpoint: str) -> None:
    with pytest.raises(ValueError, match=r"endpoint|port|colons?|parts|IPv6"):
        sign(endpoint=endpoint)


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": ""},
        {"key": "x" * 1025},
        {"key": "é" * 513},
        {"key": "\ud800"},
        {"expires_in": timedelta(0)},
        {"expires_in": timedelta(milliseconds=999)},
        {"expires_in": timedelta(days=7, microseconds=1)},
        {"expires_in": timedelta(seconds=-1)},
        {"date": datetime(2026, 11, 22)},  # noqa: DTZ001
        {"method": "get"},
        {"method": "PATCH"},
        {"method": "GET\n"},
        {"bucket": "a/b"},
        {"bucket": ".."},
        {"bucket": "the..bucket"},
        {"region": ""},
        {"region": "eu/s3"},
        {"region": "eu-central-1\n"},
        {"bucket": "Bucket"},
        {"bucket": "bucket\n"},
        {"style": "virtual", "endpoint": "http://127.0.0.1:8333"},
        {"style": "virtual", "endpoint": "http://[::1]:8333"},
        {"signed_headers": {"Host": "elsewhere"}},
        {"signed_headers": {"A": "1", "a": "2"}},
        {"signed_headers": {"a b": "1"}},
        {"signed_headers": {"a:": "1"}},
        {"signed_headers": {"": "1"}},
        {"signed_headers": {"a": "1\r\nb: 2"}},
        {"signed_headers": {"a": "é"}},
        {"query": {"X-Amz-Expires": "1"}},
        {"query": {"x-amz-signature": "1"}},
        {"query": {"X-Amz-Security-Token": "1"}},
        {"query": {"X-AMZ-DATE": "1"}},
        {"query": {"a": "\udfff"}},
    ],
)
def test_invalid_request_is_not_signed(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        sign(**wrong)
