"""What ends the start: in one line that names the setting, and shows no secret."""

import logging
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import URL, make_url

from integration.aws import served
from integration.served import house, settings_for
from safelight.cli.database import upgrade_schema
from safelight.engines import EmbeddedEngines
from safelight.errors import SettingsError
from safelight.library import Library


def another_password(url: URL) -> URL:
    return url.set(password="hush-hush")


def no_password(url: URL) -> URL:
    return URL.create(
        url.drivername, username=url.username, host=url.host, port=url.port, query=url.query
    )


def another_user(url: URL) -> URL:
    return url.set(username="nobody", password="hush-hush")


def another_database(url: URL) -> URL:
    return url.set(database="not_there")


def an_unknown_option(url: URL) -> URL:
    return url.update_query_dict({"nonsense": "1"})


def nobody_listens(url: URL) -> URL:
    return url.set(host="127.0.0.1", port=1, query={})


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        (another_password, "user and password"),
        (no_password, "user and password"),
        (another_user, "user and password"),
        (another_database, "no database of the name"),
        (an_unknown_option, "nonsense"),
        (nobody_listens, "does not answer"),
    ],
)
async def test_a_wrong_database_url_ends_the_start_in_a_line_that_says_what_is_wrong(
    engines: EmbeddedEngines, tmp_path: Path, wrong: Callable[[URL], URL], advice: str
) -> None:
    right = make_url(engines.database_url)
    url = SecretStr(wrong(right).render_as_string(hide_password=False))
    settings = settings_for(engines, tmp_path, database_url=url)
    with pytest.raises(SettingsError, match=advice) as caught:
        await Library.from_settings(settings).start()
    said = str(caught.value)
    assert "SAFELIGHT_DATABASE_URL" in said
    assert "\n" not in said
    assert "hush-hush" not in said
    assert str(right.password) not in said


def test_the_command_that_upgrades_says_the_same(engines: EmbeddedEngines, tmp_path: Path) -> None:
    url = another_database(make_url(engines.database_url)).render_as_string(hide_password=False)
    with pytest.raises(SettingsError, match="no database of the name"):
        upgrade_schema(settings_for(engines, tmp_path, database_url=SecretStr(url)))


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"secret_key": SecretStr("hush-hush")}, "SignatureDoesNotMatch"),
        ({"access_key": "AKIANOBODY"}, "InvalidAccessKeyId"),
    ],
)
async def test_keys_that_the_store_does_not_know_end_the_start(
    engines: EmbeddedEngines, tmp_path: Path, wrong: dict[str, object], code: str
) -> None:
    with pytest.raises(SettingsError, match=code) as caught:
        await Library.from_settings(settings_for(engines, tmp_path, s3=wrong)).start()
    said = str(caught.value)
    assert "SAFELIGHT_S3__ACCESS_KEY and SAFELIGHT_S3__SECRET_KEY" in said
    assert "\n" not in said
    assert "hush-hush" not in said
    assert engines.s3_secret_key not in said


class _Unlistable(BaseHTTPRequestHandler):
    """A store whose policy lets nobody list."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

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
    with served(_Unlistable) as url:
        yield url


def test_keys_that_may_not_list_are_warned_of_and_the_start_goes_on(
    engines: EmbeddedEngines, tmp_path: Path, unlistable: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_for(engines, tmp_path, s3={"endpoint_url": unlistable})
    with caplog.at_level(logging.WARNING, "safelight"), house(settings):
        pass
    assert "s3:ListBucket" in caplog.text
