"""Settings are read from the environment, validated and documented."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import BaseModel

from safelight.errors import SettingsError
from safelight.settings import Settings
from safelight.settings.environment import read_settings
from safelight.settings.names import variables_of
from safelight.settings.validators import reveal
from safelight.signing.sigv4 import Address
from safelight.storage import page_origins

CLIENT_VARIABLES = {"SAFELIGHT_URL", "SAFELIGHT_TOKEN"}
"""Read by the client commands; tested in test_cli.py."""

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


def _variables(model: type[BaseModel], prefix: str = "SAFELIGHT_") -> Iterator[str]:
    """Yield the variables of a model, without those of whole groups."""
    names = set(variables_of(model, prefix))
    yield from (name for name in names if not any(other.startswith(f"{name}__") for other in names))


def test_every_setting_is_documented() -> None:
    documented = DOCS.read_text()
    missing = [name for name in _variables(Settings) if f"`{name}`" not in documented]
    assert not missing


def test_every_documented_setting_exists() -> None:
    rows = [line for line in DOCS.read_text().splitlines() if line.startswith("| `SAFELIGHT_")]
    documented = {row.split("`")[1] for row in rows}
    assert documented == set(_variables(Settings)) | CLIENT_VARIABLES


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _variables(Settings):
        monkeypatch.delenv(name, raising=False)


def test_defaults_need_no_configuration() -> None:
    settings = read_settings()
    assert (settings.host, settings.port, settings.auth) == ("127.0.0.1", 8000, "token")
    assert settings.limits.max_form_bytes == 5 * 1024 * 1024
    assert settings.links.lifetime == timedelta(days=7)


def test_nested_setting_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFELIGHT_LINKS__LIFETIME", "P2D")
    monkeypatch.setenv("SAFELIGHT_LIMITS__MAX_FORM_BYTES", "1000")
    settings = read_settings()
    assert settings.links.lifetime == timedelta(days=2)
    assert settings.limits.max_form_bytes == 1000


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFELIGHT_ORIGINS", "http://localhost:3000, https://app.example/")
    assert read_settings().origins == ("http://localhost:3000", "https://app.example")


@pytest.mark.parametrize(
    ("value", "networks"),
    [
        ("none", []),
        ("10.0.0.5, fd00::/8", ["10.0.0.5/32", "fd00::/8"]),
        ("[::1]", ["::1/128"]),
        ("::ffff:10.0.0.0/104", ["10.0.0.0/8"]),
    ],
)
def test_trusted_proxies_are_addresses_and_networks(
    monkeypatch: pytest.MonkeyPatch, value: str, networks: list[str]
) -> None:
    assert [str(network) for network in read_settings().trusted_proxies] == [
        "127.0.0.0/8",
        "::1/128",
    ]
    monkeypatch.setenv("SAFELIGHT_TRUSTED_PROXIES", value)
    assert [str(network) for network in read_settings().trusted_proxies] == networks


def test_allowed_hosts_are_names_and_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = ("Photos.Example", "nas_1", "10.0.0.7", "[::1]", "2001:DB8::1", "*")
    monkeypatch.setenv("SAFELIGHT_ALLOWED_HOSTS", ",".join(hosts))
    assert read_settings().allowed_hosts == hosts


@pytest.mark.parametrize(
    ("written", "url", "origin", "path"),
    [
        ("https://photos.example:8443/", "https://photos.example:8443", None, ""),
        ("https://Photos.Example:443", "https://photos.example", None, ""),
        ("http://photos.example:80/a/", "http://photos.example/a", "http://photos.example", "/a"),
        ("https://h.example/~ann/a.b_c-d", None, "https://h.example", "/~ann/a.b_c-d"),
        ("https://[2001:DB8::1]:8/Photos/", "https://[2001:db8::1]:8/Photos", None, "/Photos"),
    ],
)
def test_public_url_is_an_origin_with_or_without_a_path(
    monkeypatch: pytest.MonkeyPatch, written: str, url: str | None, origin: str | None, path: str
) -> None:
    monkeypatch.setenv("SAFELIGHT_PUBLIC_URL", written)
    settings = read_settings()
    assert settings.public_url == (url or written)
    assert settings.public_path == path
    assert f"{settings.public_origin}{settings.public_path}" == settings.public_url
    assert origin in {None, settings.public_origin}
    host = urlsplit(settings.public_url).hostname
    assert host in settings.accepted_hosts
    assert settings.public_origin in page_origins(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAFELIGHT_PORT", "eighty"),
        ("SAFELIGHT_PORT", "65536"),
        ("SAFELIGHT_TOKEN", "short"),
        ("SAFELIGHT_TOKEN", "a-token-with-an-end "),
        ("SAFELIGHT_TOKEN", "a token with spaces"),
        ("SAFELIGHT_TOKEN", "pässwörter-sind-gut"),
        ("SAFELIGHT_AUTH", "maybe"),
        ("SAFELIGHT_DATABASE_URL", "mysql://root@localhost/photos"),
        ("SAFELIGHT_S3__ENDPOINT_URL", "localhost:9000"),
        ("SAFELIGHT_S3__ENDPOINT_URL", "http://localhost:9000/bucket"),
        ("SAFELIGHT_S3__ENDPOINT_URL", "http://bücher.example"),
        ("SAFELIGHT_S3__ENDPOINT_URL", "http://store..example"),
        ("SAFELIGHT_S3__ENDPOINT_URL", "http://store.example:0"),
        ("SAFELIGHT_S3__ENDPOINT_URL", "http://store.example:"),
        ("SAFELIGHT_S3__ENDPOINT_URL", "http://store.example:65536"),
        ("SAFELIGHT_S3__ENDPOINT_URL", "http://[fe80::1%eth0]:9000"),
        ("SAFELIGHT_S3__ENDPOINT_URL", "http://[1::2::3]:9000"),
        ("SAFELIGHT_S3__ENDPOINT_URL", "http://10.0.0.256:9000"),
        ("SAFELIGHT_S3__ENDPOINT_URL", "http://0x7fffffffff:9000"),
        ("SAFELIGHT_S3__PUBLIC_ENDPOINT_URL", "http://bücher.example"),
        ("SAFELIGHT_S3__PUBLIC_ENDPOINT_URL", "http://store.example:0"),
        ("SAFELIGHT_S3__PUBLIC_ENDPOINT_URL", "http://[fe80::1%eth0]"),
        ("SAFELIGHT_S3__BUCKET", "No Bucket"),
        ("SAFELIGHT_S3__BUCKET", "two..dots"),
        ("SAFELIGHT_LINKS__LIFETIME", "P8D"),
        ("SAFELIGHT_LINKS__WINDOW", "P7D"),
        ("SAFELIGHT_LIMITS__MAX_FORM_BYTES", "0"),
        ("SAFELIGHT_LIMITS__MAX_FORM_BITES", "1"),
        ("SAFELIGHT_ALLOWED_HOSTS", "localhost,https://photos.example"),
        ("SAFELIGHT_ALLOWED_HOSTS", "photos.example:8000"),
        ("SAFELIGHT_ALLOWED_HOSTS", "[::1]:8000"),
        ("SAFELIGHT_ALLOWED_HOSTS", "cafe:8000"),
        ("SAFELIGHT_ALLOWED_HOSTS", "photos..example"),
        ("SAFELIGHT_ORIGINS", "app.example"),
        ("SAFELIGHT_PUBLIC_URL", "photos.example"),
        ("SAFELIGHT_PUBLIC_URL", "https://photos.example/a//b"),
        ("SAFELIGHT_PUBLIC_URL", "https://photos.example/a/../b"),
        ("SAFELIGHT_PUBLIC_URL", "https://photos.example/a b"),
        ("SAFELIGHT_PUBLIC_URL", "https://photos.example/a%2fb"),
        ("SAFELIGHT_PUBLIC_URL", "https://photos.example/a?b"),
        ("SAFELIGHT_PUBLIC_URL", "https://photos.example/<script>"),
        ("SAFELIGHT_PUBLIC_URL", "https://user@photos.example/a"),
        ("SAFELIGHT_PUBLIC_URL", "https:///photos"),
        ("SAFELIGHT_SECURITY_CONTACT", "security@photos.example"),
        ("SAFELIGHT_SECURITY_CONTACT", "http://photos.example/report"),
        ("SAFELIGHT_SECURITY_CONTACT", "mailto:a@b.example\nContact: mailto:c@d.example"),
        ("SAFELIGHT_TRUSTED_PROXIES", "proxy.example"),
        ("SAFELIGHT_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("SAFELIGHT_TRUSTED_PROXIES", "*"),
        ("SAFELIGHT_TRUSTED_PROXIES", "none,10.0.0.1"),
        ("SAFELIGHT_LOG__FORMAT", "xml"),
        ("SAFELIGHT_LOG__LEVEL", "chatty"),
        ("SAFELIGHT_METRICS__TOKEN", "short"),
        ("SAFELIGHT_TRACES__ENDPOINT_URL", "collector:4318"),
    ],
)
def test_invalid_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    group = name.rpartition("__")[0] if "WINDOW" in name else name
    with pytest.raises(SettingsError, match=group):
        read_settings()


def test_key_without_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFELIGHT_S3__ACCESS_KEY", "key")
    with pytest.raises(SettingsError, match="SECRET_KEY"):
        read_settings()


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://localhost:9000",
        "https://s3.eu-west-1.amazonaws.com",
        "http://minio_1:1",
        "http://10.0.0.1:65535",
        "http://[::1]:9000",
        "http://xn--bcher-kva.example",
    ],
)
def test_valid_endpoint_can_be_signed_for(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("SAFELIGHT_S3__ENDPOINT_URL", f"{endpoint}/")
    monkeypatch.setenv("SAFELIGHT_S3__PUBLIC_ENDPOINT_URL", endpoint)
    s3 = read_settings().s3
    assert s3.endpoint_url == s3.public_endpoint_url == endpoint
    assert Address.of(endpoint, s3.bucket).origin == endpoint


@pytest.mark.parametrize(
    "variables",
    [
        {"ACCESS_KEY": "AKIA", "SECRET_KEY": "hush-hush"},
        {"ACCESS_KEY": "AKIA", "SECRET_KEY": "hush-hush", "SESSION_TOKEN": "hush-hush"},
        {"SIGNING_ACCESS_KEY": "AKIA", "SIGNING_SECRET_KEY": "hush-hush"},
        {"ADDRESSING_STYLE": "virtual"},
        {"ADDRESSING_STYLE": "virtual", "PUBLIC_ENDPOINT_URL": "http://store.example"},
    ],
)
def test_settings_of_an_external_store_need_an_endpoint(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"SAFELIGHT_S3__{name}", value)
    with pytest.raises(SettingsError, match="set SAFELIGHT_S3__ENDPOINT_URL") as caught:
        read_settings()
    assert next(iter(variables)) in str(caught.value)
    assert "hush-hush" not in str(caught.value)
    monkeypatch.setenv("SAFELIGHT_S3__ENDPOINT_URL", "https://s3.eu-west-1.amazonaws.com")
    read_settings()


@pytest.mark.parametrize("name", ["ENDPOINT_URL", "PUBLIC_ENDPOINT_URL"])
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:9000", "[::1]"])
def test_virtual_addressing_refuses_ip_addresses(
    monkeypatch: pytest.MonkeyPatch, name: str, host: str
) -> None:
    monkeypatch.setenv("SAFELIGHT_S3__ENDPOINT_URL", "http://store.example")
    monkeypatch.setenv(f"SAFELIGHT_S3__{name}", f"http://{host}")
    read_settings()
    monkeypatch.setenv("SAFELIGHT_S3__ADDRESSING_STYLE", "virtual")
    with pytest.raises(SettingsError, match="ADDRESSING_STYLE=path"):
        read_settings()


@pytest.mark.parametrize("which", ["FORM", "DIRECT"])
def test_spool_must_hold_the_largest_photo(monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    for name in ("FORM", "DIRECT"):
        monkeypatch.setenv(f"SAFELIGHT_LIMITS__MAX_{name}_BYTES", "500")
    monkeypatch.setenv(f"SAFELIGHT_LIMITS__MAX_{which}_BYTES", "1000")
    monkeypatch.setenv("SAFELIGHT_LIMITS__MAX_SPOOLED_BYTES", "1000")
    read_settings()
    monkeypatch.setenv("SAFELIGHT_LIMITS__MAX_SPOOLED_BYTES", "999")
    with pytest.raises(SettingsError, match="MAX_SPOOLED_BYTES"):
        read_settings()


def test_largest_upload_has_at_most_1000_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    largest = 1_000 * 5 * 1024 * 1024
    monkeypatch.setenv("SAFELIGHT_UPLOADS__PART_SIZE", str(5 * 1024 * 1024))
    monkeypatch.setenv("SAFELIGHT_LIMITS__MAX_SPOOLED_BYTES", str(2 * largest))
    monkeypatch.setenv("SAFELIGHT_LIMITS__MAX_DIRECT_BYTES", str(largest))
    read_settings()
    monkeypatch.setenv("SAFELIGHT_LIMITS__MAX_DIRECT_BYTES", str(largest + 1))
    with pytest.raises(SettingsError, match="PART_SIZE"):
        read_settings()


def test_token_may_have_any_16_visible_ascii_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFELIGHT_TOKEN", "!~0123456789+/='")
    token = read_settings().token
    assert token is not None
    assert reveal(token) == "!~0123456789+/='"


def test_auth_none_refuses_any_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFELIGHT_ALLOWED_HOSTS", "localhost,*")
    read_settings()
    monkeypatch.setenv("SAFELIGHT_AUTH", "none")
    with pytest.raises(SettingsError, match="ALLOWED_HOSTS"):
        read_settings()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "photos.example"])
def test_auth_none_is_refused_off_loopback(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("SAFELIGHT_AUTH", "none")
    monkeypatch.setenv("SAFELIGHT_HOST", host)
    with pytest.raises(SettingsError, match="loopback"):
        read_settings()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_auth_none_is_allowed_on_loopback(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("SAFELIGHT_AUTH", "none")
    monkeypatch.setenv("SAFELIGHT_HOST", host)
    assert read_settings().auth == "none"


def test_secrets_are_hidden_in_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFELIGHT_TOKEN", "very-secret-token")
    monkeypatch.setenv("SAFELIGHT_DATABASE_URL", "postgresql://u:hush-hush@host/db")
    monkeypatch.setenv("SAFELIGHT_S3__ENDPOINT_URL", "http://store.example")
    monkeypatch.setenv("SAFELIGHT_S3__ACCESS_KEY", "key")
    monkeypatch.setenv("SAFELIGHT_S3__SECRET_KEY", "s3-hush-hush")
    monkeypatch.setenv("SAFELIGHT_METRICS__TOKEN", "very-secret-metrics-token")
    text = f"{read_settings()!r} {read_settings()}"
    assert "very-secret" not in text
    assert "hush-hush" not in text


def test_errors_hide_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFELIGHT_DATABASE_URL", "mysql://root:hush-hush@localhost/photos")
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert "hush-hush" not in str(caught.value)
