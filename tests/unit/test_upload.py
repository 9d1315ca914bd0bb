"""Part sizes of uploads, and the requests that are signed for them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight import keys
from safelight.errors import StorageUnavailable
from safelight.models import Caption, Upload, UploadStatus
from safelight.signing.sigv4 import Credentials
from safelight.signing.uploads import MIN_CREDENTIAL_LIFETIME, UploadSigner

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
MiB = 1024 * 1024


def _upload(*, size: int = 10, part_size: int | None = None, seconds: int = 3600) -> Upload:
    return Upload(
        upload_id=keys.new_storage_id(),
        owner="owner",
        status=UploadStatus.OPEN,
        caption=Caption(),
        content_type="image/jpeg",
        size=size,
        sha256="ab" * 32,
        part_size=part_size,
        created_at=NOW,
        expires_at=NOW + timedelta(seconds=seconds),
    )


@given(st.integers(1, 10**12), st.integers(1, 10**9))
def test_all_parts_but_the_last_have_the_full_size(size: int, part: int) -> None:
    upload = _upload(size=size, part_size=part)
    last = upload.part_length(upload.parts)
    assert (upload.parts - 1) * part + last == size
    assert 1 <= last <= part
    if upload.parts > 1:
        assert upload.part_length(1) == upload.part_length(upload.parts - 1) == part


@given(st.integers(1, 10**12), st.integers(1, 10**9), st.integers())
def test_length_of_a_missing_part_is_an_error(size: int, part: int, number: int) -> None:
    upload = _upload(size=size, part_size=part)
    if 1 <= number <= upload.parts:
        assert upload.part_length(number) > 0
    else:
        with pytest.raises(ValueError, match="there is no part"):
            upload.part_length(number)


def test_single_request_upload_has_no_parts() -> None:
    assert _upload().parts == 0
    with pytest.raises(ValueError, match="there is no part"):
        _upload().part_length(1)


def _signer(*, ends: datetime | None = None, checksums: bool = True) -> UploadSigner:
    credentials = Credentials(access_key="a", secret_key="s", session_token="t", expires_at=ends)
    return UploadSigner(
        timedelta(minutes=15),
        credentials=lambda: credentials,
        clock=lambda: NOW + timedelta(milliseconds=700),
        endpoint="https://store.example",
        bucket="photos",
        checksums=lambda: checksums,
    )


def test_checksum_is_signed_if_the_store_supports_it() -> None:
    headers = _signer().put(_upload()).headers
    assert headers["x-amz-checksum-sha256"] == "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="
    assert set(_signer(checksums=False).put(_upload()).headers) == {"Content-Type"}


def test_request_expires_with_its_lifetime_reservation_or_credentials() -> None:
    assert _signer().put(_upload()).expires_at == NOW + timedelta(minutes=15)
    assert _signer().put(_upload(seconds=100)).expires_at == NOW + timedelta(seconds=100)
    ends = NOW + timedelta(minutes=5)
    request = _signer(ends=ends).put(_upload())
    assert request.expires_at == ends
    assert "X-Amz-Expires=300" in request.url
    assert "X-Amz-Security-Token=t" in request.url


def test_credentials_about_to_expire_sign_nothing() -> None:
    with pytest.raises(StorageUnavailable):
        _signer(ends=NOW + MIN_CREDENTIAL_LIFETIME - timedelta(seconds=1)).put(_upload())


def test_request_uses_the_endpoint_of_the_client() -> None:
    url = _signer().put(_upload(), endpoint="http://10.0.0.5:8333").url
    assert url.startswith("http://10.0.0.5:8333/photos/incoming/")
