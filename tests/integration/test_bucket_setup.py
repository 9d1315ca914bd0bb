"""Setting up the bucket of the embedded store: CORS and lifecycle rules."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from safelight.engines import EmbeddedEngines
from safelight.errors import SettingsError
from safelight.library import Library
from safelight.settings import Settings
from safelight.settings.validators import reveal
from safelight.signing.sigv4 import Credentials
from safelight.storage import BucketConfig, SetupOutcome, bucket_exists, configure_bucket
from support.app_server import settings_for
from support.engine_driver import wait_until

SIGNED = "content-type,x-amz-checksum-sha256"


@pytest.fixture
def access(engines: EmbeddedEngines) -> BucketConfig:
    return BucketConfig(
        endpoint_url=engines.s3_endpoint_url, bucket=engines.bucket, region=engines.region
    )


@pytest.fixture
def keys(engines: EmbeddedEngines) -> Credentials:
    return Credentials(
        access_key=engines.s3_setup_access_key, secret_key=engines.s3_setup_secret_key
    )


@pytest.fixture
def origin() -> str:
    """An origin that the shared bucket doesn't allow yet."""
    return f"https://{uuid4().hex}.example"


async def _outcomes(
    access: BucketConfig, keys: Credentials, *origins: str, dry_run: bool = False
) -> dict[str, SetupOutcome]:
    steps = await configure_bucket(access, keys, origins=origins, dry_run=dry_run)
    return {step.title: step.outcome for step in steps}


def client_of(access: BucketConfig, keys: Credentials) -> Any:
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=access.endpoint_url,
        region_name=access.region,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
    )


def _preflight(store: str, origin: str, method: str, headers: str = SIGNED) -> httpx.Headers:
    request_headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": headers,
    }
    return httpx.options(f"{store}/safelight/incoming/x", headers=request_headers).headers


def _allowed_preflight(store: str, origin: str, method: str) -> httpx.Headers:
    """Return the response to a preflight when the store has noticed the rule."""
    allowed = "access-control-allow-origin"
    assert wait_until(lambda: _preflight(store, origin, method).get(allowed) == origin)
    return _preflight(store, origin, method)


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
async def test_page_of_an_allowed_origin_may_send_signed_requests(
    access: BucketConfig, keys: Credentials, origin: str, method: str
) -> None:
    await configure_bucket(access, keys, origins=["https://another.example", origin])
    response = _allowed_preflight(access.endpoint_url, origin, method)
    assert response["access-control-allow-origin"] == origin
    assert method in response["access-control-allow-methods"]
    assert set(SIGNED.split(",")) <= set(response["access-control-allow-headers"].split(", "))
    assert int(response["access-control-max-age"]) >= 600


async def test_page_of_another_origin_may_not(
    access: BucketConfig, keys: Credentials, origin: str
) -> None:
    await configure_bucket(access, keys, origins=["https://another.example"])
    for method in ("GET", "PUT", "POST", "DELETE"):
        assert "access-control-allow-origin" not in _preflight(access.endpoint_url, origin, method)


async def test_page_may_send_no_other_headers(
    access: BucketConfig, keys: Credentials, origin: str
) -> None:
    await configure_bucket(access, keys, origins=[origin])
    response = _preflight(access.endpoint_url, origin, "PUT", "x-amz-acl")
    assert "x-amz-acl" not in response.get("access-control-allow-headers", "")


async def test_page_can_read_the_etag(
    engines: EmbeddedEngines, access: BucketConfig, keys: Credentials, origin: str
) -> None:
    await configure_bucket(access, keys, origins=[origin])
    service = Credentials(access_key=engines.s3_access_key, secret_key=engines.s3_secret_key)
    url = client_of(access, service).generate_presigned_url(
        "put_object", Params={"Bucket": access.bucket, "Key": "incoming/of-a-page"}
    )
    async with httpx.AsyncClient(headers={"Origin": origin}) as page:
        response = await page.put(url, content=b"bytes")
        refused = await page.put(f"{url}0", content=b"bytes")
    assert response.status_code == 200
    assert response.headers["etag"]
    assert response.headers["access-control-allow-origin"] == origin
    assert "ETag" in response.headers["access-control-expose-headers"]
    # Without this a page would see the store's refusal as a network error.
    assert refused.status_code == 403
    assert refused.headers["access-control-allow-origin"] == origin


async def test_incoming_objects_expire_after_a_day(access: BucketConfig, keys: Credentials) -> None:
    await configure_bucket(access, keys, origins=["https://any.example"])
    rules = client_of(access, keys).get_bucket_lifecycle_configuration(Bucket=access.bucket)[
        "Rules"
    ]
    assert len(rules) == 1
    assert rules[0]["Status"] == "Enabled"
    assert rules[0]["Filter"] == {"Prefix": "incoming/"}
    assert rules[0]["Expiration"]["Days"] == 1
    assert rules[0]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}


async def test_second_setup_changes_nothing(
    access: BucketConfig, keys: Credentials, origin: str
) -> None:
    first = await _outcomes(access, keys, origin)
    assert first["CORS"] is SetupOutcome.DONE
    assert first["Public access"] is SetupOutcome.UNSUPPORTED  # SeaweedFS has no such call
    again = await _outcomes(access, keys, origin)
    assert again["CORS"] is again["Lifecycle"] is SetupOutcome.ALREADY_SET


async def test_a_dry_run_changes_nothing(
    access: BucketConfig, keys: Credentials, origin: str
) -> None:
    assert (await _outcomes(access, keys, origin, dry_run=True))["CORS"] is SetupOutcome.PLANNED
    assert "access-control-allow-origin" not in _preflight(access.endpoint_url, origin, "PUT")


async def test_other_rules_stay(access: BucketConfig, keys: Credentials, origin: str) -> None:
    client = client_of(access, keys)
    theirs = {
        "ID": "theirs",
        "AllowedOrigins": ["https://theirs.example"],
        "AllowedMethods": ["GET"],
    }
    archive = {
        "ID": "theirs",
        "Status": "Enabled",
        "Filter": {"Prefix": "elsewhere/"},
        "Expiration": {"Days": 30},
    }
    client.put_bucket_cors(Bucket=access.bucket, CORSConfiguration={"CORSRules": [theirs]})
    client.put_bucket_lifecycle_configuration(
        Bucket=access.bucket, LifecycleConfiguration={"Rules": [archive]}
    )
    try:
        outcomes = await _outcomes(access, keys, origin)
        assert outcomes["CORS"] is outcomes["Lifecycle"] is SetupOutcome.DONE
        cors = client.get_bucket_cors(Bucket=access.bucket)["CORSRules"]
        assert [each["AllowedOrigins"] for each in cors] == [["https://theirs.example"], [origin]]
        rules = client.get_bucket_lifecycle_configuration(Bucket=access.bucket)["Rules"]
        assert {each["ID"] for each in rules} == {"theirs", "safelight"}
        assert (await _outcomes(access, keys, origin))["CORS"] is SetupOutcome.ALREADY_SET
    finally:
        client.put_bucket_cors(
            Bucket=access.bucket, CORSConfiguration={"CORSRules": [theirs | {"ID": "safelight"}]}
        )
        client.put_bucket_lifecycle_configuration(
            Bucket=access.bucket,
            LifecycleConfiguration={"Rules": [archive | {"ID": "safelight"}]},
        )


async def test_keys_without_permission_are_refused_at_each_step(
    engines: EmbeddedEngines, access: BucketConfig, origin: str
) -> None:
    service = Credentials(access_key=engines.s3_access_key, secret_key=engines.s3_secret_key)
    assert set((await _outcomes(access, service, origin)).values()) == {SetupOutcome.REFUSED}
    assert "access-control-allow-origin" not in _preflight(access.endpoint_url, origin, "PUT")


async def test_wrong_keys_are_an_error(access: BucketConfig, keys: Credentials) -> None:
    wrong = Credentials(access_key=keys.access_key, secret_key="wrong")
    with pytest.raises(SettingsError, match="rejects the keys"):
        await configure_bucket(access, wrong, origins=[])
    assert await bucket_exists(access, keys)


async def _check_start(settings: Settings, *served: str, refused: str) -> None:
    library = Library.from_settings(settings, worker=False)
    async with library.lifespan(None):
        assert library.backends.engines
        store = library.backends.engines.s3_endpoint_url
        for origin in served:
            response = _allowed_preflight(store, origin, "PUT")
            assert response["access-control-allow-origin"] == origin
        assert "access-control-allow-origin" not in _preflight(store, refused, "PUT")


@pytest.fixture
def embedded(engines: EmbeddedEngines, open_tmp_path: Path) -> Settings:
    """Settings of a service that starts its own store."""
    values = settings_for(engines, open_tmp_path / f"own-{uuid4().hex}")
    return Settings(
        data_dir=values.data_dir,
        database_url=values.database_url and SecretStr(reveal(values.database_url)),
        port=8765,
        origins=("https://first.example",),
    )


async def test_embedded_store_is_set_up_at_each_start(
    embedded: Settings,
) -> None:
    assert threading.current_thread() is threading.main_thread()  # engines require it
    first, second = "https://first.example", "https://second.example"
    await _check_start(
        embedded, first, "http://localhost:8765", "http://[::1]:8765", refused=second
    )
    changed = embedded.model_copy(update={"origins": (second,)})
    await _check_start(changed, second, "http://localhost:8765", refused=first)


def test_embedded_store_starts_without_boto3(embedded: Settings) -> None:
    code = (
        "import asyncio, sys; from safelight.library import Library;"
        "from safelight.settings.environment import read_settings\n"
        "async def main():\n"
        "    async with Library.from_settings(read_settings()).lifespan(None): pass\n"
        "asyncio.run(main()); print('botocore' in sys.modules)"
    )
    assert embedded.database_url
    environ = {
        "SAFELIGHT_DATA_DIR": str(embedded.data_dir),
        "SAFELIGHT_DATABASE_URL": reveal(embedded.database_url),
    }
    response = subprocess.run(
        [sys.executable, "-c", code], check=True, env=environ, capture_output=True, text=True
    )
    assert response.stdout.strip() == "False"
