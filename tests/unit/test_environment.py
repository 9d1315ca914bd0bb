"""Mistakes in environment variables: they work, or are named with the right spelling."""

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.client.settings import ClientSettings, client_settings
from safelight.engines.seaweedfs.certificates import make_certificates
from safelight.errors import SettingsError
from safelight.server.lan import has_remote_proxies
from safelight.settings import Settings
from safelight.settings.addresses import check_host_names, parse_origin
from safelight.settings.environment import read_settings
from safelight.settings.names import suggest_variable
from safelight.settings.validators import reveal
from safelight.settings.warnings import find_near_misses, find_warnings
from safelight.web.api.routing import origin_dependency


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SAFELIGHT_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize("around", [" {} ", "\t{}", "{}\n", "\r\n{} \r\n", "\u00a0{}"])
def test_spaces_around_values_are_removed(monkeypatch: pytest.MonkeyPatch, around: str) -> None:
    values = {
        "SAFELIGHT_PORT": "9000",
        "SAFELIGHT_AUTH": "token",
        "SAFELIGHT_DATABASE_URL": "postgresql://u:p@h/d",
        "SAFELIGHT_S3__ENDPOINT_URL": "https://store.example",
        "SAFELIGHT_S3__ACCESS_KEY": "AKIA",
        "SAFELIGHT_S3__SECRET_KEY": "secret",
        "SAFELIGHT_S3__CHECKSUMS": "false",
        "SAFELIGHT_LINKS__LIFETIME": "P2D",
        "SAFELIGHT_DATA_DIR": "/srv/photos",
        "SAFELIGHT_LOG__FORMAT": "json",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, around.format(value))
    monkeypatch.setenv("SAFELIGHT_OWNER", around.format(""))
    settings = read_settings()
    assert (settings.port, settings.auth, settings.owner) == (9000, "token", "owner")
    assert settings.s3.secret_key is not None
    assert reveal(settings.s3.secret_key) == "secret"
    assert (settings.s3.access_key, settings.s3.checksums) == ("AKIA", False)
    assert str(settings.data_dir) == "/srv/photos"


def test_client_commands_read_the_same_values(tmp_path: Path) -> None:
    client = ClientSettings.from_environment(
        {"SAFELIGHT_PORT": " 9000 ", "SAFELIGHT_URL": " ", "SAFELIGHT_DATA_DIR": f" {tmp_path}\n"}
    )
    assert client.url == "http://127.0.0.1:9000"


@pytest.mark.parametrize("name", ["SAFELIGHT_TOKEN", "SAFELIGHT_URL"])
def test_spaces_around_what_scripts_read_too_are_named(name: str) -> None:
    variables = {"SAFELIGHT_URL": "https://photos.example", "SAFELIGHT_TOKEN": "a" * 16}
    with pytest.raises(SettingsError, match=name):
        ClientSettings.from_environment(variables | {name: f"{variables[name]} "})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SAFELIGHT_S3_ENDPOINT_URL", "SAFELIGHT_S3__ENDPOINT_URL"),
        ("SAFELIGHT_S3__ENDPOINT", "SAFELIGHT_S3__ENDPOINT_URL"),
        ("SAFELIGHT_ENDPOINT_URL", "SAFELIGHT_S3__ENDPOINT_URL"),
        ("SAFELIGHT_BUCKET", "SAFELIGHT_S3__BUCKET"),
        ("SAFELIGHT_S3__BUCKET_NAME", "SAFELIGHT_S3__BUCKET"),
        ("SAFELIGHT_S3__ACCESS_KEY_ID", "SAFELIGHT_S3__ACCESS_KEY"),
        ("SAFELIGHT_S3__SECRET_ACCESS_KEY", "SAFELIGHT_S3__SECRET_KEY"),
        ("SAFELIGHT_DB_URL", "SAFELIGHT_DATABASE_URL"),
        ("SAFELIGHT_DATABASE", "SAFELIGHT_DATABASE_URL"),
        ("SAFELIGHT_ALLOWED_HOST", "SAFELIGHT_ALLOWED_HOSTS"),
        ("SAFELIGHT_ORIGIN", "SAFELIGHT_ORIGINS"),
        ("SAFELIGHT_TRUSTED_PROXY", "SAFELIGHT_TRUSTED_PROXIES"),
        ("SAFELIGHT_LOG_LEVEL", "SAFELIGHT_LOG__LEVEL"),
        ("SAFELIGHT_LIMITS__MAX_FORM_BITES", "SAFELIGHT_LIMITS__MAX_FORM_BYTES"),
        ("safelight_prot", "SAFELIGHT_PORT"),
    ],
)
def test_unknown_variable_is_an_error_with_the_right_name(
    monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(name, "a secret value")
    for read in (read_settings, client_settings):
        with pytest.raises(SettingsError) as caught:
            read()
        assert f"{name} is not a setting: did you mean {meant}?" in str(caught.value)
        assert "secret" not in str(caught.value)
        assert str(caught.value).count("is not a setting") == 1


def test_unlike_name_is_an_error_without_a_suggestion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFELIGHT_XYZZY", "1")
    with pytest.raises(SettingsError, match=r"SAFELIGHT_XYZZY is not a setting: docs/settings.md"):
        read_settings()


def test_all_mistakes_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFELIGHT_PRT", "1")
    monkeypatch.setenv("SAFELIGHT_PORT", "eighty")
    monkeypatch.setenv("SAFELIGHT_AUTH", "'none'")
    with pytest.raises(SettingsError) as caught:
        read_settings()
    for name in ("SAFELIGHT_PRT", "SAFELIGHT_PORT:", "SAFELIGHT_AUTH: remove the quotes"):
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAFELIGHT_PORT", "tcp://10.0.0.1:8000"),
        ("SAFELIGHT_SERVICE_HOST", "10.0.0.1"),
        ("SAFELIGHT_SERVICE_PORT", "8000"),
        ("SAFELIGHT_SERVICE_PORT_HTTP", "8000"),
        ("SAFELIGHT_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
        ("SAFELIGHT_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("SAFELIGHT_DB_SERVICE_HOST", "10.0.0.2"),
        ("SAFELIGHT_DB_PORT", "tcp://10.0.0.2:5432"),
        ("SAFELIGHT_DB_PORT_5432_TCP_PROTO", "tcp"),
        ("SAFELIGHT_TEST_CHROMIUM", "/usr/bin/chromium"),
        ("SAFELIGHT_URL", "https://photos.example"),
        ("SAFELIGHT_CRASH_AT", ""),
        ("SAFELIGHT_LIMITS", '{"max_pixels": 5}'),
    ],
)
def test_variables_of_others_are_ignored(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Kubernetes sets them for a Service named safelight or safelight-db."""
    monkeypatch.setenv(name, value)
    assert read_settings().port == 8000
    client_settings()


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("https://photos.example", "write photos.example"),
        ("http://photos.example:8000/album?x#y", "write photos.example"),
        ("photos.example:8000", "write photos.example"),
        ("photos.example/", "write photos.example"),
        ('"photos.example"', "write photos.example"),
        ("“photos.example”", "write photos.example"),
        ('["photos.example"', "write photos.example"),
        ('"photos.example"]', "write photos.example"),
        ("[::1]:8000", "write [::1]"),
        ("http://[::1]:8000", "write [::1]"),
        ("bücher.example", "write xn--bcher-kva.example"),
        ("*.photos.example", "wildcards are not supported"),
        (".photos.example", "wildcards are not supported"),
        ("https://*", "wildcards are not supported"),
        ("a.example b.example", "separate names by commas"),
        ("user@photos.example", "write photos.example"),
        ("photos..example", "is not a host name"),
        ("://", "is not a host name"),
        ("[", "is not a host name"),
    ],
)
def test_host_is_refused_with_the_right_spelling(
    monkeypatch: pytest.MonkeyPatch, written: str, right: str
) -> None:
    monkeypatch.setenv("SAFELIGHT_ALLOWED_HOSTS", f"localhost, {written}")
    with pytest.raises(SettingsError, match="SAFELIGHT_ALLOWED_HOSTS") as caught:
        read_settings()
    assert right in str(caught.value)


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("https://app.example", "https://app.example"),
        ("https://App.Example:443/", "https://app.example"),
        ("http://app.example:80", "http://app.example"),
        ("http://app.example:443", "http://app.example:443"),
        ("http://[2001:DB8::1]:5173", "http://[2001:db8::1]:5173"),
    ],
)
def test_origin_is_compared_as_browsers_send_it(
    monkeypatch: pytest.MonkeyPatch, written: str, origin: str
) -> None:
    monkeypatch.setenv("SAFELIGHT_ORIGINS", written)
    assert read_settings().origins == (origin,)


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("app.example", "write https://app.example"),
        ("localhost:5173", "write https://localhost:5173"),
        ("https://app.example/album", "write https://app.example"),
        ("https://app.example?x", "write https://app.example"),
        ('"https://app.example"', "write https://app.example"),
        ("['https://app.example:8443']", "write https://app.example:8443"),
        ("*", "wildcards are not supported"),
        ("https://*.app.example", "wildcards are not supported"),
        ("ftp://app.example", "write it as http://HOST"),
        ("null", "null"),
        ("https://bücher.example", "xn--"),
        ("https://a.example https://b.example", "https://"),
    ],
)
def test_origin_is_refused_with_the_right_spelling(
    monkeypatch: pytest.MonkeyPatch, written: str, right: str
) -> None:
    monkeypatch.setenv("SAFELIGHT_ORIGINS", f"https://other.example, {written}")
    with pytest.raises(SettingsError, match="SAFELIGHT_ORIGINS") as caught:
        read_settings()
    assert right in str(caught.value)
    if written != "*":
        with pytest.raises(ValueError, match=r"http|null"):
            origin_dependency([written])


@given(st.text())
def test_any_text_is_an_address_or_explained(text: str) -> None:
    for check in (parse_origin, lambda text: check_host_names((text,))):
        with contextlib.suppress(ValueError):
            check(text)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("S3_ENDPOINT_URL", "SAFELIGHT_S3__ENDPOINT_URL"),
        ("S3__ENDPOINT_URL", "SAFELIGHT_S3__ENDPOINT_URL"),
        ("MINIO_ENDPOINT", "SAFELIGHT_S3__ENDPOINT_URL"),
        ("AWS_ENDPOINT_URL", "SAFELIGHT_S3__ENDPOINT_URL"),
        ("AWS_ACCESS_KEY", "SAFELIGHT_S3__ACCESS_KEY"),
        ("MINIO_ROOT_PASSWORD", "SAFELIGHT_S3__SECRET_KEY"),
        ("BUCKET_NAME", "SAFELIGHT_S3__BUCKET"),
        ("DATABASE_URL", "SAFELIGHT_DATABASE_URL"),
        ("PORT", "SAFELIGHT_PORT"),
        ("ALLOWED_HOSTS", "SAFELIGHT_ALLOWED_HOSTS"),
        ("SAFELIGTH_PORT", "SAFELIGHT_PORT"),
        ("SAFELIHGT_S3_BUCKET", "SAFELIGHT_S3__BUCKET"),
        ("SAFE_LIGHT_DATA_DIR", "SAFELIGHT_DATA_DIR"),
    ],
)
def test_near_miss_is_a_warning_unless_the_setting_is_set(name: str, meant: str) -> None:
    variables = {name: "a secret value", "PATH": "/bin", "HOME": "/root"}
    (warning,) = find_near_misses(variables)
    assert warning == f"{name} is set, but Safelight doesn't read it: did you mean {meant}?"
    assert find_near_misses(variables | {meant: "x"}) == []
    assert find_near_misses({name: ""}) == []


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "HOME", "LANG", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"),
        *("AWS_REGION", "HTTP_PROXY", "SSL_CERT_FILE", "TZ", "FLASHLIGHT_PORT", "SAFETY_PORT"),
        *("KUBERNETES_SERVICE_HOST", "SAFELIGHT_SERVICE_HOST", "S3", "TOKEN", "LOG_LEVEL"),
    ],
)
def test_variables_that_others_read_are_no_near_misses(name: str) -> None:
    assert find_near_misses({name: "x"}) == []


@given(st.text(max_size=40))
def test_any_name_of_a_variable_is_handled(name: str) -> None:
    suggest_variable(name)
    find_near_misses({name: "x", f"SAFELIGTH_{name}": "x"})


@pytest.mark.parametrize(
    ("networks", "warned"),
    [
        ("0.0.0.0/0", True),
        ("::/0", True),
        ("127.0.0.1, 128.0.0.0/1", True),
        ("10.0.0.0/8, fc00::/7, 192.168.0.0/16", False),
        ("none", False),
    ],
)
def test_proxies_that_are_anyone_are_a_warning(
    monkeypatch: pytest.MonkeyPatch, networks: str, *, warned: bool
) -> None:
    monkeypatch.setenv("SAFELIGHT_TRUSTED_PROXIES", networks)
    warnings = find_warnings(read_settings(), {})
    assert ["SAFELIGHT_TRUSTED_PROXIES" in warning for warning in warnings] == [True] * warned


def test_authorities_that_others_can_change_are_a_warning(tmp_path: Path) -> None:
    folder = tmp_path / "certificates"
    folder.mkdir()
    file, link = folder / "ca.pem", tmp_path / "link.pem"
    file.write_bytes(make_certificates([], now=datetime.now(UTC))["ca.crt"])
    link.symlink_to(file)
    settings = Settings(ca_file=link)
    assert find_warnings(settings, {}) == []
    for part, mode, advice in (
        (file, 0o664, f"chmod go-w {file}"),
        (file, 0o602, f"chmod go-w {file}"),
        (folder, 0o777, f"chmod go-w {folder}"),
    ):
        before = part.stat().st_mode
        part.chmod(mode)
        (warning,) = find_warnings(settings, {})
        assert f"SAFELIGHT_CA_FILE={link}" in warning
        assert warning.endswith(advice)
        (warning,) = find_warnings(Settings(), {"SSL_CERT_FILE": str(file)})
        assert "SSL_CERT_FILE" in warning
        part.chmod(before)
    assert find_warnings(settings, {"SSL_CERT_FILE": str(folder / "none")}) == []


def test_authorities_of_another_user_are_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(make_certificates([], now=datetime.now(UTC))["ca.crt"])
    owner = file.stat().st_uid
    if owner == 0:
        owner = 4242
        os.chown(file, owner, -1)
    else:
        monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    (warning,) = find_warnings(Settings(ca_file=file), {})
    assert "other users can change" in warning


@pytest.mark.parametrize(
    ("public", "endpoint", "public_endpoint", "warned"),
    [
        ("https://photos.example", None, None, True),
        ("https://photos.example", "http://minio:9000", None, True),
        ("https://photos.example", "http://minio:9000", "http://store.example", True),
        ("https://photos.example", "https://s3.example", "http://store.example", True),
        ("https://photos.example", "http://minio:9000", "https://store.example", False),
        ("https://photos.example", "https://s3.example", None, False),
        ("http://photos.example", None, None, False),
        (None, None, None, False),
    ],
)
def test_https_pages_with_http_links_are_a_warning(
    public: str | None, endpoint: str | None, public_endpoint: str | None, *, warned: bool
) -> None:
    s3 = {"endpoint_url": endpoint, "public_endpoint_url": public_endpoint}
    settings = Settings(public_url=public, s3=s3)  # type: ignore[arg-type]  # validated
    found = find_warnings(settings, {})
    assert ["SAFELIGHT_S3__PUBLIC_ENDPOINT_URL" in warning for warning in found] == [True] * warned


@pytest.mark.parametrize(
    ("host", "proxies", "endpoint", "public_endpoint", "expected"),
    [
        ("0.0.0.0", "10.0.0.5", None, "https://store.example", True),
        ("10.0.0.1", "127.0.0.1,10.0.0.0/24", None, "https://store.example", True),
        ("127.0.0.1", "10.0.0.5", None, "https://store.example", False),
        ("0.0.0.0", "127.0.0.0/8,::1", None, "https://store.example", False),
        ("0.0.0.0", "none", None, "https://store.example", False),
        ("0.0.0.0", "10.0.0.5", None, None, False),
        ("0.0.0.0", "10.0.0.5", "https://s3.example", "https://store.example", False),
    ],
)
def test_embedded_store_is_opened_for_proxies_elsewhere_only(
    host: str, proxies: str, endpoint: str | None, public_endpoint: str | None, *, expected: bool
) -> None:
    s3 = {"endpoint_url": endpoint, "public_endpoint_url": public_endpoint}
    settings = Settings(host=host, trusted_proxies=proxies, s3=s3)  # type: ignore[arg-type]  # validated
    assert has_remote_proxies(settings) is expected


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("S3", '{"secret_key": "hush-hush"', "SAFELIGHT_S3: write it as JSON"),
        ("ORIGINS", "https://me:hush-hush@app.example", "SAFELIGHT_ORIGINS: 'https://…@app"),
        ("ALLOWED_HOSTS", "me:hush-hush@app.example", "SAFELIGHT_ALLOWED_HOSTS: "),
        ("S3__SESSION_TOKEN", "a\r\nhush-hush", "SAFELIGHT_S3__SESSION_TOKEN: it may contain only"),
        ("S3__ACCESS_KEY", "hush-hush é", "SAFELIGHT_S3__ACCESS_KEY: it may contain only"),
        ("S3__SIGNING_ACCESS_KEY", "hush-hush\x7f", "SAFELIGHT_S3__SIGNING_ACCESS_KEY: it may"),
    ],
)
def test_mistake_is_named_without_its_secret(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, advice: str
) -> None:
    monkeypatch.setenv(f"SAFELIGHT_{name}", value)
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert advice in str(caught.value)
    assert "hush-hush" not in str(caught.value)
