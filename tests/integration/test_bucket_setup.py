"""The bucket of the embedded store, set up: who may call it from a page, and what is cleared."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from integration.served import settings_for
from safelight.engines import EmbeddedEngines
from safelight.errors import SettingsError
from safelight.library import Library
from safelight.settings import Settings
from safelight.sigv4 import Credentials
from safelight.storage import Access, Outcome, is_there, set_up

SIGNED = "content-type,x-amz-checksum-sha256"


@pytest.fixture
def access(engines: EmbeddedEngines) -> Access:
    return Access(
        endpoint_url=engines.s3_endpoint_url, bucket=engines.bucket, region=engines.region
    )


@pytest.fixture
def keys(engines: EmbeddedEngines) -> Credentials:
    return Credentials(
        access_key=engines.s3_setup_access_key, secret_key=engines.s3_setup_secret_key
    )


@pytest.fixture
def origin() -> str:
    """An origin that the bucket of the run knows nothing of yet."""
    return f"https://{uuid4().hex}.example"


def _outcomes(
    access: Access, keys: Credentials, *origins: str, dry_run: bool = False
) -> dict[str, Outcome]:
    steps = set_up(access, keys, origins=origins, dry_run=dry_run)
    return {step.title: step.outcome for step in steps}


def client_of(access: Access, keys: Credentials) -> Any:  # noqa: ANN401  boto3 has no types
    import boto3  # noqa: PLC0415  slow to import

    return boto3.client(
        "s3",
        endpoint_url=access.endpoint_url,
        region_name=access.region,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
    )


def _preflight(store: str, origin: str, method: str, headers: str = SIGNED) -> httpx.Headers:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": headers,
    }
    return httpx.options(f"{store}/safelight/incoming/x", headers=asked).headers


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
def test_a_page_of_an_allowed_origin_may_send_what_is_signed(
    access: Access, keys: Credentials, origin: str, method: str
) -> None:
    set_up(access, keys, origins=["https://another.example", origin])
    said = _preflight(access.endpoint_url, origin, method)
    assert said["access-control-allow-origin"] == origin
    assert method in said["access-control-allow-methods"]
    assert set(SIGNED.split(",")) <= set(said["access-control-allow-headers"].split(", "))
    assert int(said["access-control-max-age"]) >= 600


def test_a_page_of_another_origin_may_not(access: Access, keys: Credentials, origin: str) -> None:
    set_up(access, keys, origins=["https://another.example"])
    for method in ("GET", "PUT", "POST", "DELETE"):
        assert "access-control-allow-origin" not in _preflight(access.endpoint_url, origin, method)


def test_a_page_may_send_no_other_headers(access: Access, keys: Credentials, origin: str) -> None:
    set_up(access, keys, origins=[origin])
    said = _preflight(access.endpoint_url, origin, "PUT", "x-amz-acl")
    assert "x-amz-acl" not in said.get("access-control-allow-headers", "")


def test_a_page_sees_the_etag_of_what_it_sent(
    engines: EmbeddedEngines, access: Access, keys: Credentials, origin: str
) -> None:
    set_up(access, keys, origins=[origin])
    service = Credentials(access_key=engines.s3_access_key, secret_key=engines.s3_secret_key)
    url = client_of(access, service).generate_presigned_url(
        "put_object", Params={"Bucket": access.bucket, "Key": "incoming/of-a-page"}
    )
    said = httpx.put(url, content=b"bytes", headers={"Origin": origin})
    assert said.status_code == 200
    assert said.headers["etag"]
    assert said.headers["access-control-allow-origin"] == origin
    assert "ETag" in said.headers["access-control-expose-headers"]
    # Without this a page would take the store's refusal for a network that is away.
    refused = httpx.put(f"{url}0", content=b"bytes", headers={"Origin": origin})
    assert refused.status_code == 403
    assert refused.headers["access-control-allow-origin"] == origin


def test_what_is_left_in_incoming_goes_after_a_day(access: Access, keys: Credentials) -> None:
    set_up(access, keys, origins=["https://any.example"])
    rules = client_of(access, keys).get_bucket_lifecycle_configuration(Bucket=access.bucket)[
        "Rules"
    ]
    assert len(rules) == 1
    assert rules[0]["Status"] == "Enabled"
    assert rules[0]["Filter"] == {"Prefix": "incoming/"}
    assert rules[0]["Expiration"]["Days"] == 1
    assert rules[0]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}


def test_the_second_time_there_is_nothing_to_do(
    access: Access, keys: Credentials, origin: str
) -> None:
    first = _outcomes(access, keys, origin)
    assert first["CORS"] is Outcome.DONE
    assert first["Public access"] is Outcome.UNKNOWN  # SeaweedFS has no such call
    again = _outcomes(access, keys, origin)
    assert again["CORS"] is again["Lifecycle"] is Outcome.THERE


def test_a_dry_run_changes_nothing(access: Access, keys: Credentials, origin: str) -> None:
    assert _outcomes(access, keys, origin, dry_run=True)["CORS"] is Outcome.WANTED
    assert "access-control-allow-origin" not in _preflight(access.endpoint_url, origin, "PUT")


def test_rules_of_others_stay(access: Access, keys: Credentials, origin: str) -> None:
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
        outcomes = _outcomes(access, keys, origin)
        assert outcomes["CORS"] is outcomes["Lifecycle"] is Outcome.DONE
        cors = client.get_bucket_cors(Bucket=access.bucket)["CORSRules"]
        assert [each["AllowedOrigins"] for each in cors] == [["https://theirs.example"], [origin]]
        rules = client.get_bucket_lifecycle_configuration(Bucket=access.bucket)["Rules"]
        assert {each["ID"] for each in rules} == {"theirs", "safelight"}
        assert _outcomes(access, keys, origin)["CORS"] is Outcome.THERE
    finally:
        client.put_bucket_cors(
            Bucket=access.bucket, CORSConfiguration={"CORSRules": [theirs | {"ID": "safelight"}]}
        )
        client.put_bucket_lifecycle_configuration(
            Bucket=access.bucket,
            LifecycleConfiguration={"Rules": [archive | {"ID": "safelight"}]},
        )


def test_keys_that_may_not_are_refused_at_each_step(
    engines: EmbeddedEngines, access: Access, origin: str
) -> None:
    service = Credentials(access_key=engines.s3_access_key, secret_key=engines.s3_secret_key)
    assert set(_outcomes(access, service, origin).values()) == {Outcome.REFUSED}
    assert "access-control-allow-origin" not in _preflight(access.endpoint_url, origin, "PUT")


def test_wrong_keys_are_an_error(access: Access, keys: Credentials) -> None:
    wrong = Credentials(access_key=keys.access_key, secret_key="wrong")
    with pytest.raises(SettingsError, match="doesn't take the keys"):
        set_up(access, wrong, origins=[])
    assert is_there(access, keys)


async def _starts(settings: Settings, *served: str, refused: str) -> None:
    library = Library.from_settings(settings, worker=False)
    async with library.lifespan(None):
        assert library.parts.engines
        store = library.parts.engines.s3_endpoint_url
        for origin in served:
            said = _preflight(store, origin, "PUT")
            assert said["access-control-allow-origin"] == origin
        assert "access-control-allow-origin" not in _preflight(store, refused, "PUT")


@pytest.fixture
def embedded(engines: EmbeddedEngines, open_tmp_path: Path) -> Settings:
    """Settings of a service that starts a store of its own."""
    values = settings_for(engines, open_tmp_path / f"own-{uuid4().hex}")
    return Settings(
        data_dir=values.data_dir,
        database_url=values.database_url and SecretStr(values.database_url.get_secret_value()),
        port=8765,
        origins=("https://first.example",),
    )


async def test_the_embedded_store_is_set_up_at_each_start_by_the_settings_of_that(
    embedded: Settings,
) -> None:
    assert threading.current_thread() is threading.main_thread()  # which engines need
    first, second = "https://first.example", "https://second.example"
    await _starts(embedded, first, "http://localhost:8765", "http://[::1]:8765", refused=second)
    changed = embedded.model_copy(update={"origins": (second,)})
    await _starts(changed, second, "http://localhost:8765", refused=first)


def test_no_start_of_the_embedded_store_loads_boto3(embedded: Settings) -> None:

    code = (
        "import asyncio, sys; from safelight.library import Library;"
        "from safelight.cli.environment import read_settings\n"
        "async def main():\n"
        "    async with Library.from_settings(read_settings()).lifespan(None): pass\n"
        "asyncio.run(main()); print('botocore' in sys.modules)"
    )
    assert embedded.database_url
    environ = {
        "SAFELIGHT_DATA_DIR": str(embedded.data_dir),
        "SAFELIGHT_DATABASE_URL": embedded.database_url.get_secret_value(),
    }
    said = subprocess.run(
        [sys.executable, "-c", code], check=True, env=environ, capture_output=True, text=True
    )
    assert said.stdout.strip() == "False"
