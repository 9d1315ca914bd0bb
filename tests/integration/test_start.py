"""Start-up errors name the setting in one line and contain no secret."""

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import URL, make_url

from safelight.cli.admin.db import upgrade_schema
from safelight.engines import EmbeddedEngines
from safelight.errors import SettingsError
from safelight.library import Library
from support.app_server import settings_for
from support.aws import serve
from support.fake_store import BUCKET, KEYS, StoreAnswer, StoreRequest, run_fake_store


def another_password(url: URL) -> URL:
    return url.set(password="hush-hush")


def no_password(url: URL) -> URL:
    return URL.create(
        url.drivername, username=url.username, host=url.host, port=url.port, query=url.query
    )


def another_user(url: URL) -> URL:
    return url.set(username="unknown", password="hush-hush")


def another_database(url: URL) -> URL:
    return url.set(database="not_there")


def unknown_option(url: URL) -> URL:
    return url.update_query_dict({"nonsense": "1"})


def closed_port(url: URL) -> URL:
    return url.set(host="127.0.0.1", port=1, query={})


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        (another_password, "user or password"),
        (no_password, "user or password"),
        (another_user, "user or password"),
        (another_database, "no database with the name"),
        (unknown_option, "nonsense"),
        (closed_port, "does not answer"),
    ],
)
async def test_wrong_database_url_stops_the_start_with_advice(
    engines: EmbeddedEngines, tmp_path: Path, wrong: Callable[[URL], URL], advice: str
) -> None:
    correct = make_url(engines.database_url)
    url = SecretStr(wrong(correct).render_as_string(hide_password=False))
    settings = settings_for(engines, tmp_path, database_url=url)
    with pytest.raises(SettingsError, match=advice) as caught:
        await Library.from_settings(settings).start()
    message = str(caught.value)
    assert "SAFELIGHT_DATABASE_URL" in message
    assert "\n" not in message
    assert "hush-hush" not in message
    assert str(correct.password) not in message


def test_upgrade_command_reports_a_wrong_database_url(
    engines: EmbeddedEngines, tmp_path: Path
) -> None:
    url = another_database(make_url(engines.database_url)).render_as_string(hide_password=False)
    with pytest.raises(SettingsError, match="no database with the name"):
        upgrade_schema(settings_for(engines, tmp_path, database_url=SecretStr(url)))


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"secret_key": SecretStr("hush-hush")}, "SignatureDoesNotMatch"),
        ({"access_key": "AKIAUNKNOWN"}, "InvalidAccessKeyId"),
    ],
)
async def test_unknown_s3_keys_stop_the_start(
    engines: EmbeddedEngines, tmp_path: Path, wrong: dict[str, object], code: str
) -> None:
    with pytest.raises(SettingsError, match=code) as caught:
        await Library.from_settings(settings_for(engines, tmp_path, s3=wrong)).start()
    message = str(caught.value)
    assert "SAFELIGHT_S3__ACCESS_KEY and SAFELIGHT_S3__SECRET_KEY" in message
    assert "\n" not in message
    assert "hush-hush" not in message
    assert engines.s3_secret_key not in message


class _Unlistable(BaseHTTPRequestHandler):
    """A store that denies listing."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Write nothing."""

    def do_GET(self) -> None:
        body = b"<Error><Code>AccessDenied</Code></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def unlistable() -> Iterator[str]:
    with serve(_Unlistable) as url:
        yield url


async def test_keys_without_list_permission_stop_the_start(
    engines: EmbeddedEngines, tmp_path: Path, unlistable: str
) -> None:
    settings = settings_for(engines, tmp_path, s3={"endpoint_url": unlistable})
    with pytest.raises(SettingsError, match="allow them s3:ListBucket"):
        await Library.from_settings(settings).start()


async def test_public_bucket_stops_the_start_unless_it_is_accepted(
    engines: EmbeddedEngines,
    database_url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    own = {"database_url": SecretStr(database_url)}  # a database remembers its bucket

    def open_to_anyone(request: StoreRequest) -> StoreAnswer | None:
        is_open = request.method == "GET" and request.key and not request.is_signed
        return StoreAnswer(200, b"for anyone") if is_open else None

    with run_fake_store(open_to_anyone) as store:
        s3 = {
            "endpoint_url": store.url,
            "bucket": BUCKET,
            "access_key": KEYS.access_key,
            "secret_key": SecretStr(KEYS.secret_key),
        }
        with pytest.raises(SettingsError, match="SAFELIGHT_S3__ALLOW_PUBLIC=true"):
            await Library.from_settings(settings_for(engines, tmp_path, s3=s3, **own)).start()
        accepted = settings_for(engines, tmp_path, s3=s3 | {"allow_public": True}, **own)
        async with Library.from_settings(accepted, worker=False).lifespan(None):
            assert "is public: anyone can read photos" in caplog.text
