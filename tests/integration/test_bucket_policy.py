"""The policy that is printed: enough for all that is done with the bucket, and no less.

The embedded store is started with an identity for each action of the policy that has all but it.
Two of them SeaweedFS takes to be part of PutObject, as AWS does not: there both are left out.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree as ET

import httpx
import pytest

from integration.test_bucket_setup import client_of
from safelight import keys, permissions
from safelight.credentials import Fixed
from safelight.engines import EmbeddedEngines
from safelight.engines.seaweed import Seaweed, _identity
from safelight.errors import StorageUnavailable
from safelight.sigv4 import Credentials, Method, presign
from safelight.storage import Access, Storage

ALL = permissions.service_policy("safelight")
_STATEMENTS = cast("list[dict[str, Any]]", ALL["Statement"])
SINGLE = [(each["Sid"], action) for each in _STATEMENTS for action in each["Action"]]
OF_WRITING = {"s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"}
PART = b"p" * 5 * 1024 * 1024


def _name(sid: str, action: str) -> str:
    return f"without-{sid}-{action}".replace(":", "-")


def _without(sid: str, action: str) -> permissions.Policy:
    gone = {action} | ({"s3:PutObject"} if action in OF_WRITING else set())
    lessened = [
        each | {"Action": [one for one in each["Action"] if each["Sid"] != sid or one not in gone]}
        for each in _STATEMENTS
    ]
    return ALL | {"Statement": lessened}


@pytest.fixture(scope="module")
def store(open_tmp_path: Path) -> Iterator[EmbeddedEngines]:
    """A store of its own, with identities that have all of the policy but one action."""
    policies = {_name(*each): _without(*each) for each in SINGLE}
    as_it_comes = Seaweed._identities

    def identities(seaweed: Seaweed) -> dict[str, object]:
        made = cast("dict[str, list[object]]", as_it_comes(seaweed))
        made["identities"] += [_identity(name, name, "secret") for name in policies]
        made["policies"] += [
            {"name": name, "content": json.dumps(each)} for name, each in policies.items()
        ]
        return cast("dict[str, object]", made)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Seaweed, "_identities", identities)
        engines = EmbeddedEngines(open_tmp_path / "policies", bucket="safelight", postgres=False)
        engines.start()
    yield engines
    engines.stop()


@dataclass(frozen=True, slots=True)
class Someone:
    """An identity, and all that the service and its clients do with the bucket."""

    access: Access
    credentials: Credentials

    @property
    def storage(self) -> Storage:
        return Storage(self.access, Fixed(self.credentials), timeout=timedelta(seconds=8))

    def signed(
        self, method: Method, key: str, content: bytes = b"", **query: str
    ) -> httpx.Response:
        """Do something by a signed URL, as somebody who holds no keys."""
        url = presign(
            self.credentials,
            endpoint=self.access.endpoint_url,
            bucket=self.access.bucket,
            key=key,
            expires_in=timedelta(minutes=1),
            date=datetime.now(UTC),
            method=method,
            query=query,
        )
        answer = httpx.request(method, url, content=content, timeout=20)
        if answer.status_code == httpx.codes.FORBIDDEN:
            raise PermissionError(answer.text)
        return answer.raise_for_status()

    def begun(self, key: str) -> str:
        """Begin an upload in parts; its id."""
        said = ET.fromstring(self.signed("POST", key, uploads="").content)
        return next(each.text or "" for each in said if each.tag.endswith("UploadId"))


@pytest.fixture
def service(store: EmbeddedEngines) -> Someone:
    access = Access(endpoint_url=store.s3_endpoint_url, bucket=store.bucket, region=store.region)
    return Someone(
        access, Credentials(access_key=store.s3_access_key, secret_key=store.s3_secret_key)
    )


def _photo() -> str:
    return keys.original(keys.new_name())


def _incoming() -> str:
    return keys.incoming(keys.new_name())


def _quarantined() -> str:
    return keys.quarantined(_photo(), datetime.now(UTC).date())


async def _put(who: Someone, able: Someone, key: str) -> None:
    await who.storage.put(key, b"bytes", content_type="image/jpeg")


async def _read(who: Someone, able: Someone, key: str) -> None:
    await able.storage.put(key, b"bytes", content_type="image/jpeg")
    got: list[bytes] = []
    await who.storage.fetch(key, got.append)
    assert b"".join(got) == b"bytes"
    assert who.signed("GET", key).content == b"bytes"


async def _delete(who: Someone, able: Someone, key: str) -> None:
    await able.storage.put(key, b"bytes", content_type="image/jpeg")
    await who.storage.delete([key])
    assert await able.storage.size(key) is None


async def _list(who: Someone, able: Someone, key: str) -> None:
    await able.storage.put(key, b"bytes", content_type="image/jpeg")
    await who.storage.delete_prefix(key.rpartition("/")[0] + "/")
    assert await able.storage.size(key) is None
    if not await who.storage.lists():
        raise PermissionError


async def _upload(who: Someone, able: Someone, key: str) -> None:
    who.signed("PUT", key, b"bytes")
    upload = who.begun(key)
    tag = who.signed("PUT", key, PART, uploadId=upload, partNumber="1").headers["etag"]
    body = f"<Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part>"
    whole = f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>".encode()
    who.signed("POST", key, whole, uploadId=upload)
    assert await able.storage.size(key) == len(PART)


async def _list_parts(who: Someone, able: Someone, key: str) -> None:
    upload = able.begun(key)
    able.signed("PUT", key, PART, uploadId=upload, partNumber="1")
    assert b"<PartNumber>1<" in who.signed("GET", key, uploadId=upload).content


async def _abort(who: Someone, able: Someone, key: str) -> None:
    upload = able.begun(key)
    who.signed("DELETE", key, uploadId=upload)
    assert _status(able, key, upload) == httpx.codes.NOT_FOUND


def _status(who: Someone, key: str, upload: str) -> int:
    try:
        return who.signed("GET", key, uploadId=upload).status_code
    except httpx.HTTPStatusError as error:
        return error.response.status_code


async def _list_uploads(who: Someone, able: Someone, key: str) -> None:
    from botocore.exceptions import ClientError  # noqa: PLC0415  slow to import

    upload = able.begun(key)
    client = client_of(who.access, who.credentials)
    try:
        said = client.list_multipart_uploads(Bucket=who.access.bucket, Prefix="incoming/")
    except ClientError as error:
        raise PermissionError from error
    assert upload in {each["UploadId"] for each in said["Uploads"]}


DEEDS: dict[tuple[str, str], tuple[Callable[..., Any], Callable[[], str]]] = {
    ("Photos", "s3:GetObject"): (_read, _photo),
    ("Photos", "s3:PutObject"): (_put, _photo),
    ("Photos", "s3:DeleteObject"): (_delete, _photo),
    ("Incoming", "s3:GetObject"): (_read, _incoming),
    ("Incoming", "s3:PutObject"): (_upload, _incoming),
    ("Incoming", "s3:DeleteObject"): (_delete, _incoming),
    ("Incoming", "s3:AbortMultipartUpload"): (_abort, _incoming),
    ("Incoming", "s3:ListMultipartUploadParts"): (_list_parts, _incoming),
    ("Quarantine", "s3:GetObject"): (_read, _quarantined),
    ("Quarantine", "s3:PutObject"): (_put, _quarantined),
    ("Quarantine", "s3:DeleteObject"): (_delete, _quarantined),
    ("Bucket", "s3:ListBucket"): (_list, _photo),
    ("Bucket", "s3:ListBucketMultipartUploads"): (_list_uploads, _incoming),
}
"""What cannot be done without each action of the policy."""


def test_each_action_is_there_for_something() -> None:
    assert set(SINGLE) == set(DEEDS)


@pytest.mark.parametrize(("sid", "action"), SINGLE)
async def test_the_policy_is_enough_and_each_action_of_it_is_needed(
    service: Someone, sid: str, action: str
) -> None:
    deed, key = DEEDS[sid, action]
    await deed(service, service, key())
    lessened = replace(
        service, credentials=Credentials(access_key=_name(sid, action), secret_key="secret")
    )
    with pytest.raises((PermissionError, StorageUnavailable)):
        await deed(lessened, service, key())


@pytest.mark.parametrize("action", sorted(OF_WRITING))
async def test_who_may_not_write_can_do_what_only_looks_like_it(
    service: Someone, action: str
) -> None:
    writing = _name("Incoming", "s3:PutObject")
    reader = replace(service, credentials=Credentials(access_key=writing, secret_key="secret"))
    deed, key = DEEDS["Incoming", action]
    await deed(reader, service, key())


@pytest.mark.parametrize("sid", ["Photos", "Bucket"])
async def test_who_lacks_one_action_can_do_the_rest(service: Someone, sid: str) -> None:
    """Or else the refusals above would show nothing."""
    without = {"Photos": "s3:GetObject", "Bucket": "s3:ListBucketMultipartUploads"}[sid]
    who = replace(
        service, credentials=Credentials(access_key=_name(sid, without), secret_key="secret")
    )
    for each, (deed, key) in DEEDS.items():
        if each != (sid, without):
            await deed(who, service, key())


def test_nothing_else_can_be_done(service: Someone) -> None:
    from botocore.exceptions import ClientError  # noqa: PLC0415  slow to import

    client = client_of(service.access, service.credentials)
    bucket = {"Bucket": service.access.bucket}
    rule = {"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    everyone = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    forbidden: list[tuple[str, dict[str, Any]]] = [
        ("get_object", {**bucket, "Key": "elsewhere/x"}),
        ("put_object", {**bucket, "Key": "elsewhere/x", "Body": b"x"}),
        ("put_object", {**bucket, "Key": "photosx", "Body": b"x"}),
        ("delete_object", {**bucket, "Key": "elsewhere/x"}),
        ("create_multipart_upload", {**bucket, "Key": "elsewhere/x"}),
        ("put_object_acl", {**bucket, "Key": "photos/x", "ACL": "public-read"}),
        ("put_object_tagging", {**bucket, "Key": "photos/x", "Tagging": {"TagSet": []}}),
        ("delete_bucket", bucket),
        ("create_bucket", {"Bucket": "another"}),
        ("list_objects_v2", {"Bucket": "another"}),
        ("put_bucket_acl", {**bucket, "ACL": "public-read"}),
        ("put_bucket_cors", {**bucket, "CORSConfiguration": {"CORSRules": []}}),
        (
            "put_bucket_lifecycle_configuration",
            {**bucket, "LifecycleConfiguration": {"Rules": [rule]}},
        ),
        (
            "put_bucket_versioning",
            {**bucket, "VersioningConfiguration": {"Status": "Enabled"}},
        ),
        ("put_bucket_policy", {**bucket, "Policy": json.dumps({"Statement": [everyone]})}),
    ]
    for call, arguments in forbidden:
        with pytest.raises(ClientError) as refused:
            getattr(client, call)(**arguments)
        assert refused.value.response["Error"]["Code"] == "AccessDenied", call


def test_who_sets_up_can_read_and_write_no_photo(store: EmbeddedEngines, service: Someone) -> None:
    setup = replace(
        service,
        credentials=Credentials(
            access_key=store.s3_setup_access_key, secret_key=store.s3_setup_secret_key
        ),
    )
    key = _photo()
    service.signed("PUT", key, b"bytes")
    deeds: tuple[tuple[Method, bytes], ...] = (("GET", b""), ("PUT", b"other"), ("DELETE", b""))
    for method, content in deeds:
        with pytest.raises(PermissionError):
            setup.signed(method, key, content)
    assert service.signed("GET", key).content == b"bytes"
