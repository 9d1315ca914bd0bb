"""The bucket, set up from the command line, and the policy that is printed."""

import json
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from acceptance.served import Served
from acceptance.service import told
from acceptance.shell import Shell
from safelight import permissions
from safelight.engines import EmbeddedEngines


@pytest.fixture
def shell(tmp_path: Path, engines: EmbeddedEngines) -> Shell:
    """Where the store is one of somebody else's, and the keys may set it up."""
    return Shell(
        tmp_path,
        {
            "SAFELIGHT_S3__ENDPOINT_URL": engines.s3_endpoint_url,
            "SAFELIGHT_S3__ACCESS_KEY": engines.s3_setup_access_key,
            "SAFELIGHT_S3__SECRET_KEY": engines.s3_setup_secret_key,
            "SAFELIGHT_ORIGINS": f"https://{uuid4().hex}.example",
        },
    )


def test_what_is_changed_is_told_and_nothing_the_second_time(shell: Shell) -> None:
    origin = shell.variables["SAFELIGHT_ORIGINS"]
    wanted = shell.run("bucket", "setup", "--dry-run")
    assert f"CORS: would be done, for pages of {origin}" in wanted.out
    first = shell.run("bucket", "setup")
    assert (first.code, first.err) == (0, "")
    assert (
        f"CORS: done, for pages of {origin}, http://localhost, http://localhost:8000" in first.out
    )
    assert "Public access: the store doesn't know it (NotImplemented)" in first.out
    assert "Nothing" not in first.out
    again = shell.run("bucket", "setup")
    assert again.code == 0
    assert "CORS: was so already" in again.out
    assert "Lifecycle: was so already" in again.out
    assert "Nothing had to be changed." in again.out


def test_keys_that_may_not_are_told_so_in_a_line(shell: Shell, engines: EmbeddedEngines) -> None:
    said = shell.run(
        "bucket",
        "setup",
        SAFELIGHT_S3__ACCESS_KEY=engines.s3_access_key,
        SAFELIGHT_S3__SECRET_KEY=engines.s3_secret_key,
    )
    assert said.code == 1
    assert "CORS: refused (AccessDenied)" in said.out
    assert said.err.startswith("safelight: The store refuses Lifecycle, CORS, Public access:")
    assert said.err.count("\n") == 1
    assert "docs/credentials.md" in said.err


def test_wrong_keys_and_a_store_that_is_away_are_told_in_a_line(shell: Shell) -> None:
    wrong = shell.run("bucket", "setup", SAFELIGHT_S3__SECRET_KEY="wrong")
    assert "doesn't take the keys (SignatureDoesNotMatch)" in wrong.line
    away = shell.run("bucket", "setup", SAFELIGHT_S3__ENDPOINT_URL="http://127.0.0.1:9")
    assert "does not answer" in away.line


def test_the_embedded_store_is_left_to_the_server(tmp_path: Path) -> None:
    said = Shell(tmp_path).run("bucket", "setup")
    assert said.code == 0
    assert "safelight serve" in said.out
    assert not list(tmp_path.iterdir())


def test_the_policy_is_printed_as_json_and_nothing_is_asked(tmp_path: Path) -> None:
    said = Shell(tmp_path).run("bucket", "setup", "--print-policy", SAFELIGHT_S3__BUCKET="pictures")
    assert (said.code, said.err) == (0, "")
    assert json.loads(said.out) == permissions.service_policy("pictures")


def test_a_page_of_the_service_may_call_the_store_at_whatever_port_it_is(
    open_tmp_path: Path,
) -> None:
    served = Served(open_tmp_path / "own-pages", {"SAFELIGHT_ORIGINS": "https://app.example"})
    try:
        served.start()
        port = httpx.URL(served.url).port
        asked = {"Access-Control-Request-Method": "PUT"}
        for origin, allowed in {
            served.url: True,
            f"http://localhost:{port}": True,
            "https://app.example": True,
            "http://localhost:1": False,
        }.items():
            url = f"{told(served, 'Photo store')}/safelight/incoming/x"
            said = httpx.options(url, headers={"Origin": origin, **asked})
            assert (said.headers.get("access-control-allow-origin") == origin) is allowed, origin
    finally:
        served.stop()
