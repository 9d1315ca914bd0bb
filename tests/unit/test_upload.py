"""The arithmetic of parts, and what is signed for them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight import keys
from safelight.errors import StorageUnavailable
from safelight.permits import LEAST, Permits
from safelight.photo import Caption
from safelight.sigv4 import Credentials
from safelight.upload import Upload, UploadStatus

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
MiB = 1024 * 1024


def _upload(*, size: int = 10, part_size: int | None = None, lasts: int = 3600) -> Upload:
    return Upload(
        name=keys.new_name(),
        owner="somebody",
        status=UploadStatus.OPEN,
        caption=Caption(),
        content_type="image/jpeg",
        size=size,
        sha256="ab" * 32,
        part_size=part_size,
        created_at=NOW,
        expires_at=NOW + timedelta(seconds=lasts),
    )


@given(st.integers(1, 10**12), st.integers(1, 10**9))
def test_parts_have_all_bytes_and_each_but_the_last_its_full_size(size: int, part: int) -> None:
    upload = _upload(size=size, part_size=part)
    last = upload.part_length(upload.parts)
    assert (upload.parts - 1) * part + last == size
    assert 1 <= last <= part
    if upload.parts > 1:
        assert upload.part_length(1) == upload.part_length(upload.parts - 1) == part


@given(st.integers(1, 10**12), st.integers(1, 10**9), st.integers())
def test_a_part_that_is_not_there_has_no_length(size: int, part: int, number: int) -> None:
    upload = _upload(size=size, part_size=part)
    if 1 <= number <= upload.parts:
        assert upload.part_length(number) > 0
    else:
        with pytest.raises(ValueError, match="no such part"):
            upload.part_length(number)


def test_an_upload_in_one_request_has_no_parts() -> None:
    assert _upload().parts == 0
    with pytest.raises(ValueError, match="no such part"):
        _upload().part_length(1)


def _permits(*, ends: datetime | None = None, checksums: bool = True) -> Permits:
    credentials = Credentials(access_key="a", secret_key="s", session_token="t", expires_at=ends)
    return Permits(
        timedelta(minutes=15),
        credentials=lambda: credentials,
        clock=lambda: NOW + timedelta(milliseconds=700),
        endpoint="https://store.example",
        bucket="photos",
        checksums=checksums,
    )


def test_the_checksum_is_signed_in_base64_where_the_store_takes_it() -> None:
    told = _permits().put(_upload()).headers
    assert told["x-amz-checksum-sha256"] == "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="
    assert set(_permits(checksums=False).put(_upload()).headers) == {"Content-Type"}


def test_a_permit_ends_with_its_lifetime_its_reservation_or_its_credentials() -> None:
    assert _permits().put(_upload()).expires_at == NOW + timedelta(minutes=15)
    assert _permits().put(_upload(lasts=100)).expires_at == NOW + timedelta(seconds=100)
    ends = NOW + timedelta(minutes=5)
    permit = _permits(ends=ends).put(_upload())
    assert permit.expires_at == ends
    assert "X-Amz-Expires=300" in permit.url
    assert "X-Amz-Security-Token=t" in permit.url


def test_credentials_about_to_end_sign_nothing() -> None:
    with pytest.raises(StorageUnavailable):
        _permits(ends=NOW + LEAST - timedelta(seconds=1)).put(_upload())


def test_a_permit_is_for_where_the_client_reaches_the_store() -> None:
    url = _permits().put(_upload(), endpoint="http://10.0.0.5:8333").url
    assert url.startswith("http://10.0.0.5:8333/photos/incoming/")
