"""Published signatures: Amazon's S3 examples, and external vectors if available."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from safelight.signing.sigv4 import Credentials, Signer, canonical_headers, canonical_pairs, presign

# Amazon S3 API Reference, "Authenticating Requests (AWS Signature Version 4)": the examples' keys,
# which are not valid any more, and their date.
AMAZONS = Credentials(
    access_key="AKIAIOSFODNN7EXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)
TIMESTAMP = "20130524T000000Z"
DATE = datetime(2013, 5, 24, tzinfo=UTC)
NO_BODY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
WELCOME = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "sigv4" / "botocore_presign_dev.jsonl"


def vectors() -> list[dict[str, Any]]:
    """Return the vectors of single objects: we don't presign listings, which have no key."""
    if not VECTORS.is_file():
        return []
    rows = map(json.loads, VECTORS.read_text().splitlines())
    return [row for row in rows if row["key"] is not None]


def test_amazons_presigned_get_is_reproduced() -> None:
    url = presign(
        AMAZONS,
        endpoint="https://s3.amazonaws.com",
        bucket="examplebucket",
        key="test.txt",
        expires_in=timedelta(days=1),
        date=DATE,
        style="virtual",
    )
    assert url == (
        "https://examplebucket.s3.amazonaws.com/test.txt"
        "?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "payload", "signature"),
    [
        pytest.param(
            "GET",
            "/test.txt",
            {},
            {"range": "bytes=0-9"},
            NO_BODY,
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            id="GET object",
        ),
        pytest.param(
            "PUT",
            "/test%24file.text",
            {},
            {
                "date": "Fri, 24 May 2013 00:00:00 GMT",
                "x-amz-storage-class": "REDUCED_REDUNDANCY",
            },
            WELCOME,
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            id="PUT object",
        ),
        pytest.param(
            "GET",
            "/",
            {"lifecycle": ""},
            {},
            NO_BODY,
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            id="GET bucket lifecycle",
        ),
        pytest.param(
            "GET",
            "/",
            {"prefix": "J", "max-keys": "2"},
            {},
            NO_BODY,
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            id="GET bucket list",
        ),
    ],
)
def test_amazons_header_signed_requests_are_reproduced(
    *,
    method: str,
    path: str,
    query: dict[str, str],
    headers: dict[str, str],
    payload: str,
    signature: str,
) -> None:
    signed = {
        "host": "examplebucket.s3.amazonaws.com",
        "x-amz-content-sha256": payload,
        "x-amz-date": TIMESTAMP,
        **headers,
    }
    pairs = "&".join(f"{name}={value}" for name, value in canonical_pairs(query))
    request = f"{method}\n{path}\n{pairs}\n{canonical_headers(signed)}\n{payload}"
    signer = Signer.of(AMAZONS.secret_key, "20130524", "us-east-1")
    assert signer.signature(TIMESTAMP, request) == signature


if ROWS := vectors():

    @pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
    def test_external_vector_is_reproduced(row: dict[str, Any]) -> None:
        expected = urlsplit(row["expected_url"])
        bucket, style = row["bucket"], row["addressing_style"]
        host = expected.netloc.removeprefix(f"{bucket}.") if style == "virtual" else expected.netloc
        pairs = parse_qsl(expected.query, keep_blank_values=True)
        url = presign(
            Credentials(
                access_key=row["access_key"],
                secret_key=row["secret_key"],
                session_token=row["session_token"],
            ),
            endpoint=f"{expected.scheme}://{host}",
            bucket=bucket,
            key=row["key"],
            expires_in=timedelta(seconds=row["expires"]),
            date=datetime.strptime(row["time"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC),
            method=row["method"],
            region=row["region"],
            style=style,
            signed_headers=row["send_headers"],
            query={name: value for name, value in pairs if not name.startswith("X-Amz-")},
        )
        ours = urlsplit(url)
        assert (ours.scheme, ours.netloc, ours.path) == expected[:3]
        assert sorted(parse_qsl(ours.query, keep_blank_values=True)) == sorted(pairs)
