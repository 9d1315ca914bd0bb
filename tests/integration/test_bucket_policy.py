"""The printed policy is sufficient, and each of its actions is necessary.

The embedded store is started with an identity for each action, which has all other actions.
SeaweedFS, unlike AWS, includes two of them in PutObject: there both are left out.
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
from safelight import iam, keys
from safelight.engines import EmbeddedEngines
from safelight.engines.seaweedfs import configuration
from safelight.engines.secrets import EngineSecrets
from safelight.errors import StorageUnavailable
from safelight.signing.credentials import StaticCredentials
from safelight.signing.sigv4 import Credentials, Method, presign
from safelight.storage import Bucket, BucketConfig, StoreProbe

ALL = iam.service_policy("safelight")
_STATEMENTS = cast("list[dict[str, Any]]", ALL["Statement"])
SINGLE = [(each["Sid"], action) for each in _STATEMENTS for action in each["Action"]]
OF_WRITING = {"s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"}
PART = b"p" * 5 * 1024 * 1024


def _name(sid: str, action: str) -> str:
    return f"without-{sid}-{action}".replace(":", "-")


def _without(sid: str, action: str) -> iam.Policy:
    removed = {action} | ({"s3:PutObject"} if action in OF_WRITING else set())
    restricted = [
        each
        | {"Action": [one for one in each["Action"] if each["Sid"] != sid or one not in removed]}
        for each in _STATEMENTS
    ]
    return ALL | {"Statement": restricted}


@pytest.fixture(scope="module")
def store(open_tmp_path: Path) -> Iterator[EmbeddedEngines]:
    """A private store with one identity per action that has the whole policy but that action."""
    policies = {_name(*each): _without(*each) for each in SINGLE}
    original_identities = configuration.identities

    def identities(engine_secrets: EngineSecrets, bucket: str) -> dict[str, object]:
        made = cast("dict[str, list[object]]", original_identities(engine_secrets, bucket))
        made["identities"] += [configuration._identity(name, name, "secret") for name in policies]
        made["policies"] += [
            {"name": name, "content": json.dumps(each)} for name, each in policies.items()
        ]
        return cast("dict[str, object]", made)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(configuration, "identities", identities)
        engines = EmbeddedEngines(open_tmp_path / "policies", bucket="safelight", postgres=False)
        engines.start()
    yield engines
    engines.stop()


@dataclass(frozen=True, slots=True)
class Identity:
    """An identity, and the calls of the service and its clients."""

    access: BucketConfig
    credentials: Credentials

    @property
    def storage(self) -> Bucket:
        return Bucket(
            self.access, StaticCredentials(self.credentials), timeout=timedelta(seconds=60)
        )

    def signed(
        self, method: Method, key: str, content: bytes = b"", **query: str
    ) -> httpx.Response:
        """Send a presigned request, like a client without credentials."""
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
        answer = httpx.request(method, url, content=content, timeout=120)
        if answer.status_code == httpx.codes.FORBIDDEN:
            raise PermissionError(answer.text)
        return answer.raise_for_status()

    def create_multipart(self, key: str) -> str:
        """Create a multipart upload, and return its id."""
        root = ET.fromstring(self.signed("POST", key, uploads="").content)
        return next(each.text or "" for each in root if each.tag.endswith("UploadId"))


@pytest.fixture
def service(store: EmbeddedEngines) -> Identity:
    access = BucketConfig(
        endpoint_url=store.s3_endpoint_url, bucket=store.bucket, region=store.region
    )
    return Identity(
        access, Credentials(access_key=store.s3_access_key, secret_key=store.s3_secret_key)
    )


def _photo() -> str:
    return keys.original(keys.new_storage_id())


def _incoming() -> str:
    return keys.incoming(keys.new_storage_id())


def _quarantined() -> str:
    return keys.quarantine_key(_photo(), datetime.now(UTC).date())


async def _put(identity: Identity, service: Identity, key: str) -> None:
    await identity.storage.put(key, b"bytes", content_type="image/jpeg")


async def _read(identity: Identity, service: Identity, key: str) -> None:
    await service.storage.put(key, b"bytes", content_type="image/jpeg")
    content: list[bytes] = []
    await identity.storage.fetch(key, content.append)
    assert b"".join(content) == b"bytes"
    assert identity.signed("GET", key).content == b"bytes"


async def _delete(identity: Identity, service: Identity, key: str) -> None:
    await service.storage.put(key, b"bytes", content_type="image/jpeg")
    await identity.storage.delete([key])
    assert await service.storage.size(key) is None


async def _list(identity: Identity, service: Identity, key: str) -> None:
    await service.storage.put(key, b"bytes", content_type="image/jpeg")
    await identity.storage.delete_prefix(key.rpartition("/")[0] + "/")
    assert await service.storage.size(key) is None
    if not await identity.storage.can_list():
        raise PermissionError


async def _upload(identity: Identity, service: Identity, key: str) -> None:
    identity.signed("PUT", key, b"bytes")
    upload = identity.create_multipart(key)
    tag = identity.signed("PUT", key, PART, uploadId=upload, partNumber="1").headers["etag"]
    body = f"<Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part>"
    whole = f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>".encode()
    identity.signed("POST", key, whole, uploadId=upload)
    assert await service.storage.size(key) == len(PART)


async def _list_parts(identity: Identity, service: Identity, key: str) -> None:
    upload = service.create_multipart(key)
    service.signed("PUT", key, PART, uploadId=upload, partNumber="1")
    assert b"<PartNumber>1<" in identity.signed("GET", key, uploadId=upload).content


async def _abort(identity: Identity, service: Identity, key: str) -> None:
    upload = service.create_multipart(key)
    identity.signed("DELETE", key, uploadId=upload)
    assert _status(service, key, upload) == httpx.codes.NOT_FOUND


def _status(identity: Identity, key: str, upload: str) -> int:
    try:
        return identity.signed("GET", key, uploadId=upload).status_code
    except httpx.HTTPStatusError as error:
        return error.response.status_code


async def _list_uploads(identity: Identity, service: Identity, key: str) -> None:
    from botocore.exceptions import ClientError

    upload = service.create_multipart(key)
    client = client_of(identity.access, identity.credentials)
    try:
        response = client.list_multipart_uploads(Bucket=identity.access.bucket, Prefix="incoming/")
    except ClientError as error:
        raise PermissionError from error
    assert upload in {each["UploadId"] for each in response["Uploads"]}


CALLS: dict[tuple[str, str], tuple[Callable[..., Any], Callable[[], str]]] = {
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
"""A call that fails without an action of the policy, for each action."""


def test_each_action_has_a_use() -> None:
    assert set(SINGLE) == set(CALLS)


@pytest.mark.parametrize(("sid", "action"), SINGLE)
async def test_policy_is_sufficient_and_each_action_is_necessary(
    service: Identity, sid: str, action: str
) -> None:
    call, key = CALLS[sid, action]
    await call(service, service, key())
    restricted = replace(
        service, credentials=Credentials(access_key=_name(sid, action), secret_key="secret")
    )
    with pytest.raises((PermissionError, StorageUnavailable)):
        await call(restricted, service, key())


@pytest.mark.parametrize(
    ("sid", "action"),
    [
        ("Bucket", "s3:ListBucket"),
        ("Photos", "s3:PutObject"),
        ("Photos", "s3:GetObject"),
        ("Photos", "s3:DeleteObject"),
    ],
)
async def test_check_at_the_start_names_the_missing_action(
    service: Identity, sid: str, action: str
) -> None:
    restricted = Credentials(access_key=_name(sid, action), secret_key="secret")
    probe = StoreProbe(service.access, StaticCredentials(restricted), timeout=timedelta(seconds=60))
    failure = (await probe.run()).failure
    assert failure
    assert f"(AccessDenied): allow them {action}," in failure.message


@pytest.mark.parametrize("action", sorted(OF_WRITING))
async def test_identity_without_put_can_still_do_multipart_housekeeping(
    service: Identity, action: str
) -> None:
    writing = _name("Incoming", "s3:PutObject")
    reader = replace(service, credentials=Credentials(access_key=writing, secret_key="secret"))
    call, key = CALLS["Incoming", action]
    await call(reader, service, key())


@pytest.mark.parametrize("sid", ["Photos", "Bucket"])
async def test_identity_without_one_action_can_do_the_rest(service: Identity, sid: str) -> None:
    """Otherwise the refusals above would prove nothing."""
    without = {"Photos": "s3:GetObject", "Bucket": "s3:ListBucketMultipartUploads"}[sid]
    identity = replace(
        service, credentials=Credentials(access_key=_name(sid, without), secret_key="secret")
    )
    for each, (call, key) in CALLS.items():
        if each != (sid, without):
            await call(identity, service, key())


def test_nothing_else_is_allowed(service: Identity) -> None:
    from botocore.exceptions import ClientError

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


def test_setup_identity_cannot_read_or_write_photos(
    store: EmbeddedEngines, service: Identity
) -> None:
    setup = replace(
        service,
        credentials=Credentials(
            access_key=store.s3_setup_access_key, secret_key=store.s3_setup_secret_key
        ),
    )
    key = _photo()
    service.signed("PUT", key, b"bytes")
    requests: tuple[tuple[Method, bytes], ...] = (("GET", b""), ("PUT", b"other"), ("DELETE", b""))
    for method, content in requests:
        with pytest.raises(PermissionError):
            setup.signed(method, key, content)
    assert service.signed("GET", key).content == b"bytes"
