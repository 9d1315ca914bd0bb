"""Where credentials come from: settings, or each source of the AWS chain, from a put to a link."""

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

import pictures
from integration.aws import (
    CONTAINER_SECRET,
    SSO_TOKEN,
    WEB_IDENTITY,
    Clock,
    Issuer,
    Services,
    services,
)
from integration.served import House, house, settings_for
from integration.session_store import SessionStore, session_store
from safelight.credentials import chain
from safelight.engines import EmbeddedEngines
from safelight.errors import SettingsError
from safelight.library import Library
from safelight.settings import S3Settings

Environment = Callable[..., None]

ROLE = "arn:aws:iam::123456789012:role/photos"
NO_KEYS = {"access_key": None, "secret_key": None}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Environment:
    """Set variables of the AWS chain; all others are gone, and no file but ours is read."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    # botocore takes the home directory to be what it was when it was imported.
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


def put_and_open(living: House) -> str:
    """Add a photo, open its link as anybody does, delete it; give the link."""
    with living.site().client() as client:
        answer = client.post("/api/photos", files={"photo": pictures.jpeg()})
        assert answer.status_code == 201, answer.text
        url: str = answer.json()["photo_url"]
        assert httpx.get(url).content == pictures.jpeg()
        assert client.delete(f"/api/photos/{answer.json()['id']}").status_code == 204
        assert httpx.get(url).status_code == 404
    return url


def opened(engines: EmbeddedEngines, folder: Path, **s3: object) -> str:
    with house(settings_for(engines, folder, s3=NO_KEYS | s3)) as living:
        return put_and_open(living)


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
    query = parse_qs(urlsplit(opened(engines, tmp_path)).query)
    assert query["X-Amz-Credential"][0].startswith(f"{engines.s3_access_key}/")
    assert "X-Amz-Security-Token" not in query
    assert not aws.asked


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
    url = opened(engines, tmp_path, endpoint_url=store.url, public_endpoint_url=None)
    query = parse_qs(urlsplit(url).query)
    issued = aws.issuer.known[query["X-Amz-Credential"][0].partition("/")[0]]
    assert query["X-Amz-Security-Token"] == [issued.token]
    assert set(store.asked_by) == {issued.access_key}
    assert not [refusal for refusal in store.refused if not refusal.endswith("NoSuchKey")]


@pytest.mark.parametrize("source", SESSIONS)
def test_the_end_is_the_one_that_was_issued(
    environment: Environment,
    aws: Services,
    engines: EmbeddedEngines,
    source: Callable[..., None],
) -> None:
    source(environment, aws, engines)
    credentials = chain.issue(region="us-east-1")
    assert credentials.expires_at == aws.issuer.known[credentials.access_key].end


def test_the_metadata_service_is_not_believed_to_give_more_time_than_it_says(
    environment: Environment, aws: Services
) -> None:
    # botocore adds 17 to 25 minutes to an end that is near, in the hope that the store does.
    from_the_metadata_service(environment, aws, None)
    aws.issuer.life, aws.issuer.replaced_before = timedelta(minutes=5), timedelta(0)
    for _ in range(3):
        credentials = chain.issue(region="us-east-1")
        assert credentials.expires_at == aws.issuer.known[credentials.access_key].end


def test_an_end_in_the_environment_is_read(environment: Environment) -> None:
    environment(
        ACCESS_KEY_ID="a",
        SECRET_ACCESS_KEY="s",
        SESSION_TOKEN="t",
        CREDENTIAL_EXPIRATION="2050-01-02T03:04:05Z",
    )
    credentials = chain.issue(region="us-east-1")
    assert credentials.session_token == "t"
    assert credentials.expires_at == datetime(2050, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_keys_of_the_settings_are_not_joined_by_a_token_of_the_environment(
    environment: Environment, engines: EmbeddedEngines, tmp_path: Path
) -> None:
    environment(ACCESS_KEY_ID="other", SECRET_ACCESS_KEY="other", SESSION_TOKEN="other")
    url = opened(
        engines,
        tmp_path,
        access_key=engines.s3_access_key,
        secret_key=SecretStr(engines.s3_secret_key),
    )
    assert "X-Amz-Security-Token" not in url


def test_a_token_of_the_settings_is_sent(
    environment: Environment,
    aws: Services,
    store: SessionStore,
    engines: EmbeddedEngines,
    tmp_path: Path,
) -> None:
    issued = aws.issuer.new()
    opened(
        engines,
        tmp_path,
        endpoint_url=store.url,
        access_key=issued.access_key,
        secret_key=SecretStr(issued.secret_key),
        session_token=SecretStr(issued.token),
    )
    assert set(store.asked_by) == {issued.access_key}
    assert not aws.asked


def test_a_bucket_that_is_not_there_is_made_with_the_same_credentials(
    environment: Environment,
    aws: Services,
    store: SessionStore,
    engines: EmbeddedEngines,
    tmp_path: Path,
) -> None:
    from_the_metadata_service(environment, aws, engines)
    store.bucket_is_there = False
    opened(engines, tmp_path, endpoint_url=store.url)
    assert store.bucket_is_there
    assert set(store.asked_by) == set(aws.issuer.known)


def test_keys_for_signing_alone_sign_links_and_nothing_else(
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
    with house(settings) as living, living.site().client() as client:
        photo = client.post("/api/photos", files={"photo": pictures.jpeg()}).json()
    query = parse_qs(urlsplit(photo["photo_url"]).query)
    assert query["X-Amz-Credential"][0].startswith("AKIALONGLIVED/")
    assert "X-Amz-Security-Token" not in query
    left = datetime.fromisoformat(photo["expires_at"]) - datetime.now(UTC)
    assert left > timedelta(days=5, hours=23), "they live as with long-lived keys"
    assert "AKIALONGLIVED" not in store.asked_by


@pytest.mark.parametrize(
    "given",
    [
        {"signing_access_key": "a"},
        {"signing_secret_key": "s"},
        {"signing_access_key": "a", "signing_secret_key": "s", "endpoint_url": None},
    ],
)
def test_keys_for_signing_come_in_pairs_and_for_a_store_of_ones_own(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="SIGNING_ACCESS_KEY"):
        S3Settings.model_validate({"endpoint_url": "http://127.0.0.1:1"} | given)


def without_anything(_environment: Environment) -> None:
    """The chain has nothing."""


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


def with_an_sso_that_is_over(environment: Environment) -> None:
    path = Path(os.environ["HOME"]) / "config"
    path.write_text(
        "[default]\nsso_start_url = https://x.example\nsso_region = eu-central-1\n"
        "sso_account_id = 123456789012\nsso_role_name = photos\n"
    )
    environment(CONFIG_FILE=path)


@pytest.mark.parametrize(
    ("trouble", "advice"),
    [
        (without_anything, "role or a profile"),
        (with_a_misspelt_profile, "AWS_PROFILE"),
        (with_a_dead_metadata_service, "role or a profile"),
        (with_a_dead_container_agent, "mend that"),
        (with_half_a_key, "AWS_SECRET_ACCESS_KEY"),
        (with_no_token_file, "/nowhere/token"),
        (with_an_sso_that_is_over, "aws sso login"),
    ],
)
async def test_without_credentials_the_start_ends_in_a_line_that_says_what_to_do(
    environment: Environment,
    engines: EmbeddedEngines,
    tmp_path: Path,
    trouble: Callable[..., None],
    advice: str,
) -> None:
    trouble(environment)
    with pytest.raises(SettingsError, match=advice) as caught:
        await Library.from_settings(settings_for(engines, tmp_path, s3=NO_KEYS)).start()
    assert "SAFELIGHT_S3__ACCESS_KEY" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_token_that_sts_refuses_says_so(
    environment: Environment, aws: Services, tmp_path: Path
) -> None:
    from_web_identity(environment, aws, None)
    (tmp_path / "token").write_text("another")
    with pytest.raises(SettingsError, match="InvalidIdentityToken"):
        chain.issue(region="us-east-1")


def loaded_by_a_start(engines: EmbeddedEngines, data_dir: Path, **keys: str) -> set[str]:
    """Start a library in a process of its own; tell which modules it has then."""
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
        timeout=60,
    )
    return set(run.stdout.split())


def test_botocore_is_imported_for_the_chain_alone(engines: EmbeddedEngines, tmp_path: Path) -> None:
    key, secret = engines.s3_access_key, engines.s3_secret_key
    by_settings = loaded_by_a_start(
        engines, tmp_path, SAFELIGHT_S3__ACCESS_KEY=key, SAFELIGHT_S3__SECRET_KEY=secret
    )
    assert not {"boto3", "botocore"} & by_settings
    by_chain = loaded_by_a_start(
        engines, tmp_path, AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret
    )
    assert {"boto3", "botocore"} & by_chain == {"botocore"}
