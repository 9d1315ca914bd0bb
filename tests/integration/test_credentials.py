"""Credentials from the settings and from each source of the AWS chain."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from botocore.credentials import SSOProvider
from pydantic import SecretStr, ValidationError

from safelight.engines import EmbeddedEngines
from safelight.errors import SettingsError
from safelight.library import Library
from safelight.settings import S3Settings
from safelight.signing import aws_chain
from support import pictures
from support.app_server import AppServer, run_app_server, settings_for
from support.aws import (
    CONTAINER_SECRET,
    SSO_TOKEN,
    WEB_IDENTITY,
    Clock,
    Issued,
    Issuer,
    Services,
    services,
)
from support.direct_uploads import reserve
from support.session_store import SessionStore, session_store
from support.stores import wait_until

Environment = Callable[..., None]

ROLE = "arn:aws:iam::123456789012:role/photos"
NO_KEYS = {"access_key": None, "secret_key": None}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Environment:
    """Set only these variables of the AWS chain, and let it read only the test's files."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    # botocore reads the home directory at import.
    monkeypatch.setattr(SSOProvider, "_SSO_TOKEN_CACHE_DIR", str(tmp_path / "sso"))

    def put(**variables: str | Path) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(f"AWS_{name}", str(value))

    return put


@pytest.fixture
def aws() -> Iterator[Services]:
    with services(Issuer(Clock())) as running:
        yield running


@pytest.fixture
def store(aws: Services) -> Iterator[SessionStore]:
    with session_store(aws.issuer) as running:
        yield running


def put_and_open(app_server: AppServer) -> str:
    """Add a photo, open its link without credentials, delete it; return the link."""
    with app_server.site().client() as client:
        answer = client.post("/api/photos", files={"photo": pictures.jpeg()})
        assert answer.status_code == 201, answer.text
        url: str = answer.json()["photo_url"]
        assert httpx.get(url).content == pictures.jpeg()
        assert client.delete(f"/api/photos/{answer.json()['id']}?permanent=true").status_code == 204
        # A slow store is emptied by a job, after the response.
        wait_until(lambda: httpx.get(url).status_code == 404, seconds=120)
    return url


def start_and_open(engines: EmbeddedEngines, folder: Path, **s3: object) -> str:
    with run_app_server(settings_for(engines, folder, s3=NO_KEYS | s3)) as app_server:
        return put_and_open(app_server)


def from_environment(environment: Environment, _aws: Services, engines: EmbeddedEngines) -> None:
    environment(ACCESS_KEY_ID=engines.s3_access_key, SECRET_ACCESS_KEY=engines.s3_secret_key)


def _profiles(engines: EmbeddedEngines) -> str:
    path = Path(os.environ["HOME"]) / "keys"
    path.write_text(
        "[default]\naws_access_key_id=other\naws_secret_access_key=other\n"
        f"[photos]\naws_access_key_id={engines.s3_access_key}\n"
        f"aws_secret_access_key={engines.s3_secret_key}\n"
    )
    return str(path)


def from_a_profile(environment: Environment, _aws: Services, engines: EmbeddedEngines) -> None:
    environment(SHARED_CREDENTIALS_FILE=_profiles(engines), PROFILE="photos")


def from_a_process(environment: Environment, _aws: Services, engines: EmbeddedEngines) -> None:
    home = Path(os.environ["HOME"])
    answer = {
        "Version": 1,
        "AccessKeyId": engines.s3_access_key,
        "SecretAccessKey": engines.s3_secret_key,
    }
    (home / "answer").write_text(json.dumps(answer))
    (home / "config").write_text(f"[default]\ncredential_process = cat {home}/answer\n")
    environment(CONFIG_FILE=home / "config")


@pytest.mark.parametrize("source", [from_environment, from_a_profile, from_a_process])
def test_long_lived_keys_of_the_chain_reach_the_embedded_store(
    environment: Environment,
    aws: Services,
    engines: EmbeddedEngines,
    tmp_path: Path,
    source: Callable[..., None],
) -> None:
    source(environment, aws, engines)
    query = parse_qs(urlsplit(start_and_open(engines, tmp_path)).query)
    assert query["X-Amz-Credential"][0].startswith(f"{engines.s3_access_key}/")
    assert "X-Amz-Security-Token" not in query
    assert not aws.requests


def from_the_metadata_service(environment: Environment, aws: Services, _: object) -> None:
    environment(EC2_METADATA_DISABLED="false", EC2_METADATA_SERVICE_ENDPOINT=aws.url)


def from_the_container(environment: Environment, aws: Services, _: object) -> None:
    environment(
        CONTAINER_CREDENTIALS_FULL_URI=f"{aws.url}/container",
        CONTAINER_AUTHORIZATION_TOKEN=CONTAINER_SECRET,
    )


def from_web_identity(environment: Environment, aws: Services, _: object) -> None:
    path = Path(os.environ["HOME"]) / "token"
    path.write_text(WEB_IDENTITY)
    environment(WEB_IDENTITY_TOKEN_FILE=path, ROLE_ARN=ROLE, ENDPOINT_URL_STS=aws.url)


def from_an_assumed_role(environment: Environment, aws: Services, engines: EmbeddedEngines) -> None:
    path = Path(os.environ["HOME"]) / "config"
    path.write_text(f"[profile role]\nrole_arn = {ROLE}\nsource_profile = photos\n")
    environment(
        CONFIG_FILE=path,
        SHARED_CREDENTIALS_FILE=_profiles(engines),
        PROFILE="role",
        ENDPOINT_URL_STS=aws.url,
    )


def from_sso(environment: Environment, aws: Services, _: object) -> None:
    start = "https://example.awsapps.com/start"
    path = Path(os.environ["HOME"]) / "config"
    path.write_text(
        f"[default]\nsso_start_url = {start}\nsso_region = eu-central-1\n"
        "sso_account_id = 123456789012\nsso_role_name = photos\n"
    )
    cache = path.parent / "sso"
    cache.mkdir()
    end = datetime.now(UTC) + timedelta(hours=8)
    token = {"startUrl": start, "accessToken": SSO_TOKEN, "expiresAt": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
    name = hashlib.sha1(start.encode(), usedforsecurity=False).hexdigest()
    (cache / f"{name}.json").write_text(json.dumps(token))
    environment(CONFIG_FILE=path, ENDPOINT_URL_SSO=aws.url)


SESSIONS = [
    from_the_metadata_service,
    from_the_container,
    from_web_identity,
    from_an_assumed_role,
    from_sso,
]


BY_PROBE = {"PUT PreconditionFailed", "GET AccessDenied", "GET SignatureDoesNotMatch"}
"""What the checks at the start provoke."""


@pytest.mark.parametrize("source", SESSIONS)
def test_session_credentials_of_the_chain_sign_calls_and_links(  # noqa: PLR0917  fixtures
    environment: Environment,
    aws: Services,
    store: SessionStore,
    engines: EmbeddedEngines,
    tmp_path: Path,
    source: Callable[..., None],
) -> None:
    source(environment, aws, engines)
    url = start_and_open(engines, tmp_path, endpoint_url=store.url, public_endpoint_url=None)
    query = parse_qs(urlsplit(url).query)
    issued = aws.issuer.known[query["X-Amz-Credential"][0].partition("/")[0]]
    assert query["X-Amz-Security-Token"] == [issued.token]
    assert set(store.access_keys) == {issued.access_key}
    assert {refusal for refusal in store.refused if not refusal.endswith("NoSuchKey")} == BY_PROBE


@pytest.mark.parametrize("source", SESSIONS)
def test_expiry_is_the_issued_one(
    environment: Environment,
    aws: Services,
    engines: EmbeddedEngines,
    source: Callable[..., None],
) -> None:
    source(environment, aws, engines)
    credentials = aws_chain.fetch_credentials(region="us-east-1")
    assert credentials.expires_at == aws.issuer.known[credentials.access_key].end


def test_expiry_of_the_metadata_service_is_not_extended(
    environment: Environment, aws: Services
) -> None:
    # botocore adds 17 to 25 minutes to an expiry that is near, and hopes that the store does too.
    from_the_metadata_service(environment, aws, None)
    aws.issuer.life, aws.issuer.replaced_before = timedelta(minutes=5), timedelta(0)
    for _ in range(3):
        credentials = aws_chain.fetch_credentials(region="us-east-1")
        assert credentials.expires_at == aws.issuer.known[credentials.access_key].end


def test_expiry_is_read_from_the_environment(environment: Environment) -> None:
    environment(
        ACCESS_KEY_ID="a",
        SECRET_ACCESS_KEY="s",
        SESSION_TOKEN="t",
        CREDENTIAL_EXPIRATION="2050-01-02T03:04:05Z",
    )
    credentials = aws_chain.fetch_credentials(region="us-east-1")
    assert credentials.session_token == "t"
    assert credentials.expires_at == datetime(2050, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_keys_from_settings_ignore_a_token_in_the_environment(
    environment: Environment, engines: EmbeddedEngines, tmp_path: Path
) -> None:
    environment(ACCESS_KEY_ID="other", SECRET_ACCESS_KEY="other", SESSION_TOKEN="other")
    url = start_and_open(
        engines,
        tmp_path,
        access_key=engines.s3_access_key,
        secret_key=SecretStr(engines.s3_secret_key),
    )
    assert "X-Amz-Security-Token" not in url


def test_token_from_settings_is_sent(
    environment: Environment,
    aws: Services,
    store: SessionStore,
    engines: EmbeddedEngines,
    tmp_path: Path,
) -> None:
    issued = aws.issuer.new()
    start_and_open(
        engines,
        tmp_path,
        endpoint_url=store.url,
        access_key=issued.access_key,
        secret_key=SecretStr(issued.secret_key),
        session_token=SecretStr(issued.token or ""),
    )
    assert set(store.access_keys) == {issued.access_key}
    assert not aws.requests


def test_missing_bucket_is_created_with_the_same_credentials(
    environment: Environment,
    aws: Services,
    store: SessionStore,
    engines: EmbeddedEngines,
    tmp_path: Path,
) -> None:
    from_the_metadata_service(environment, aws, engines)
    store.bucket_exists = False
    start_and_open(engines, tmp_path, endpoint_url=store.url)
    assert store.bucket_exists
    assert set(store.access_keys) == set(aws.issuer.known)


def test_signing_keys_sign_only_links(
    environment: Environment,
    aws: Services,
    store: SessionStore,
    engines: EmbeddedEngines,
    tmp_path: Path,
) -> None:
    from_the_metadata_service(environment, aws, engines)
    signing = {
        "endpoint_url": store.url,
        "signing_access_key": "AKIALONGLIVED",
        "signing_secret_key": SecretStr("of-the-signer"),
    }
    settings = settings_for(engines, tmp_path, s3=NO_KEYS | signing)
    with pytest.raises(SettingsError, match=r"signing keys \(InvalidAccessKeyId\)"):
        asyncio.run(Library.from_settings(settings, worker=False).start())
    aws.issuer.known["AKIALONGLIVED"] = Issued(
        "AKIALONGLIVED", "of-the-signer", None, datetime.max.replace(tzinfo=UTC)
    )
    with run_app_server(settings) as app_server, app_server.site().client() as client:
        photo = client.post("/api/photos", files={"photo": pictures.jpeg()}).json()
        upload = reserve(client, pictures.png()).json()
        assert client.get("/readyz").status_code == 200
        del aws.issuer.known["AKIALONGLIVED"]
        app_server.library.backends.bucket._write_again_at = 0  # ten seconds later
        wait_until(lambda: client.get("/readyz").status_code == 503, seconds=120)
        assert client.get("/readyz").json()["code"] == "storage_unavailable"
    # The signing keys may be allowed nothing but reading photos.
    assert "AKIALONGLIVED" not in upload["url"]
    query = parse_qs(urlsplit(photo["photo_url"]).query)
    assert query["X-Amz-Credential"][0].startswith("AKIALONGLIVED/")
    assert "X-Amz-Security-Token" not in query
    left = datetime.fromisoformat(photo["expires_at"]) - datetime.now(UTC)
    assert left > timedelta(days=5, hours=23), "links are valid as long as with long-lived keys"
    assert "AKIALONGLIVED" not in store.access_keys


@pytest.mark.parametrize(
    "given",
    [
        {"signing_access_key": "a"},
        {"signing_secret_key": "s"},
        {"signing_access_key": "a", "signing_secret_key": "s", "endpoint_url": None},
    ],
)
def test_signing_keys_need_both_parts_and_an_external_store(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="SIGNING_ACCESS_KEY"):
        S3Settings.model_validate({"endpoint_url": "http://127.0.0.1:1"} | given)


def without_anything(_environment: Environment) -> None:
    """Leave the chain without credentials."""


def with_a_misspelt_profile(environment: Environment) -> None:
    environment(PROFILE="misspelt")


def with_a_dead_metadata_service(environment: Environment) -> None:
    environment(EC2_METADATA_DISABLED="false", EC2_METADATA_SERVICE_ENDPOINT="http://127.0.0.1:9")


def with_a_dead_container_agent(environment: Environment) -> None:
    environment(CONTAINER_CREDENTIALS_FULL_URI="http://127.0.0.1:9/")


def with_half_a_key(environment: Environment) -> None:
    environment(ACCESS_KEY_ID="a")


def with_no_token_file(environment: Environment) -> None:
    environment(WEB_IDENTITY_TOKEN_FILE="/nowhere/token", ROLE_ARN=ROLE)


def with_an_expired_sso_session(environment: Environment) -> None:
    path = Path(os.environ["HOME"]) / "config"
    path.write_text(
        "[default]\nsso_start_url = https://x.example\nsso_region = eu-central-1\n"
        "sso_account_id = 123456789012\nsso_role_name = photos\n"
    )
    environment(CONFIG_FILE=path)


@pytest.mark.parametrize(
    ("misconfigure", "advice"),
    [
        (without_anything, "role or a profile"),
        (with_a_misspelt_profile, "AWS_PROFILE"),
        (with_a_dead_metadata_service, "role or a profile"),
        (with_a_dead_container_agent, "fix that"),
        (with_half_a_key, "AWS_SECRET_ACCESS_KEY"),
        (with_no_token_file, "/nowhere/token"),
        (with_an_expired_sso_session, "aws sso login"),
    ],
)
async def test_start_without_credentials_ends_with_advice(
    environment: Environment,
    engines: EmbeddedEngines,
    tmp_path: Path,
    misconfigure: Callable[..., None],
    advice: str,
) -> None:
    misconfigure(environment)
    with pytest.raises(SettingsError, match=advice) as caught:
        await Library.from_settings(settings_for(engines, tmp_path, s3=NO_KEYS)).start()
    assert "SAFELIGHT_S3__ACCESS_KEY" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_token_refused_by_sts_is_reported(
    environment: Environment, aws: Services, tmp_path: Path
) -> None:
    from_web_identity(environment, aws, None)
    (tmp_path / "token").write_text("another")
    with pytest.raises(SettingsError, match="InvalidIdentityToken"):
        aws_chain.fetch_credentials(region="us-east-1")


def modules_after_start(engines: EmbeddedEngines, data_dir: Path, **keys: str) -> set[str]:
    """Start a library in its own process, and return the modules that it has imported."""
    program = data_dir / "program.py"
    program.write_text(
        "import asyncio, sys\n"
        "from safelight import Library, Settings\n"
        "async def start():\n"
        "    library = Library.from_settings(Settings())\n"
        "    await library.start()\n"
        "    await library.ready()\n"
        "    await library.close()\n"
        "if __name__ == '__main__':\n"
        "    asyncio.run(start())\n"
        "    print(*sys.modules)\n"
    )
    run = subprocess.run(
        [sys.executable, program],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(data_dir),
            "SAFELIGHT_DATA_DIR": str(data_dir),
            "SAFELIGHT_DATABASE_URL": engines.database_url,
            "SAFELIGHT_S3__ENDPOINT_URL": engines.s3_endpoint_url,
            **keys,
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=180,
    )
    return set(run.stdout.split())


def test_botocore_is_imported_only_for_the_chain(engines: EmbeddedEngines, tmp_path: Path) -> None:
    key, secret = engines.s3_access_key, engines.s3_secret_key
    by_settings = modules_after_start(
        engines, tmp_path, SAFELIGHT_S3__ACCESS_KEY=key, SAFELIGHT_S3__SECRET_KEY=secret
    )
    assert not {"boto3", "botocore"} & by_settings
    by_chain = modules_after_start(
        engines, tmp_path, AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret
    )
    assert {"boto3", "botocore"} & by_chain == {"botocore"}
