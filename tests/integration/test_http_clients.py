"""A private certificate authority and the proxies of the environment, for each HTTP client."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from opentelemetry import trace

from safelight.engines.seaweedfs.certificates import make_certificates
from safelight.errors import SettingsError, StorageUnavailable
from safelight.http_clients import on_loopback, read_authorities
from safelight.server.otel import export_traces
from safelight.settings import Settings, TraceSettings
from safelight.settings.environment import read_settings
from safelight.signing.aws_chain import fetch_credentials
from safelight.signing.credentials import StaticCredentials
from safelight.signing.sigv4 import Credentials
from safelight.storage import Bucket, BucketConfig
from safelight.tracing import span
from support.fake_store import FakeStore, StoreAnswer, StoreRequest, run_fake_store

CREDENTIALS = StaticCredentials(Credentials(access_key="AKIA", secret_key="secret"))


@pytest.fixture(autouse=True)
def _dead_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:9")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ca.crt, and the certificate https.crt that it issued."""
    folder = tmp_path_factory.mktemp("authority")
    for name, content in make_certificates([], now=datetime.now(UTC)).items():
        (folder / name).write_bytes(content)
    return folder


@contextmanager
def _run_server(authority: Path, answer: StoreAnswer) -> Iterator[tuple[FakeStore, list[str]]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "https.crt", authority / "https.key")
    paths: list[str] = []

    def hook(request: StoreRequest) -> StoreAnswer:
        paths.append(request.path)
        return answer

    with run_fake_store(hook, tls=context) as server:
        yield server, paths


async def test_bucket_trusts_the_authority(authority: Path) -> None:
    with _run_server(authority, StoreAnswer(404, b"")) as (server, _):
        for authorities in (None, read_authorities(authority / "ca.crt")):
            config = BucketConfig(
                endpoint_url=server.url,
                bucket="pictures",
                region="us-east-1",
                authorities=authorities,
            )
            timeout = timedelta(seconds=60 if authorities else 2)
            bucket = Bucket(config, CREDENTIALS, timeout=timeout)
            if authorities:
                assert await bucket.size("photos/-/x") is None
            else:
                with pytest.raises(StorageUnavailable):
                    await bucket.size("photos/-/x")


def test_collector_of_traces_trusts_the_authority(
    authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "set_tracer_provider", lambda _: None)  # it can be set once only
    with _run_server(authority, StoreAnswer(200, b"")) as (server, paths):
        collector = TraceSettings(endpoint_url=server.url)
        with export_traces(collector, read_authorities(authority / "ca.crt")), span("work"):
            pass
        assert paths == ["/v1/traces"]


def test_credential_chain_trusts_the_authority(
    authority: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = (
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
        "<AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
        "<SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>"
        "</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    )
    token = tmp_path / "token"
    token.write_text("a.web.identity")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/photos")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")  # botocore has no setting of its own
    with _run_server(authority, StoreAnswer(200, body.encode())) as (server, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        with pytest.raises(SettingsError):
            fetch_credentials(region="us-east-1")
        found = fetch_credentials(
            region="us-east-1", authorities=read_authorities(authority / "ca.crt")
        )
    assert (found.access_key, found.session_token) == ("ASIA", "t")


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), ("x", "no certificates")])
def test_file_without_certificates_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, reason: str
) -> None:
    file = tmp_path / "ca.pem"
    if content:
        file.write_text(content)
    monkeypatch.setenv("SAFELIGHT_CA_FILE", str(file))
    with pytest.raises(SettingsError, match=rf"SAFELIGHT_CA_FILE.*{reason}"):
        read_settings()


def test_settings_have_the_certificates(authority: Path) -> None:
    assert Settings().authorities is None
    found = Settings(ca_file=authority / "ca.crt").authorities
    assert found == (authority / "ca.crt").read_text()


def test_only_this_machine_is_reached_without_a_proxy() -> None:
    here = (
        "http://127.0.0.1:9000",
        "http://127.1.2.3",
        "https://[::1]:8",
        "http://localhost",
        "http://pictures.localhost:8333",
    )
    elsewhere = ("http://localhost.example", "http://10.0.0.1", "http://store", "")
    assert all(on_loopback(url) for url in here)
    assert not any(on_loopback(url) for url in elsewhere)
