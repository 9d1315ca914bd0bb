"""`safelight bucket setup`."""

import json
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from safelight import iam
from safelight.engines import EmbeddedEngines
from support.serve_process import ServeProcess
from support.service import banner_value
from support.shell import Shell


@pytest.fixture
def shell(tmp_path: Path, engines: EmbeddedEngines) -> Shell:
    """A shell configured for an external store, with keys that may configure it."""
    return Shell(
        tmp_path,
        {
            "SAFELIGHT_S3__ENDPOINT_URL": engines.s3_endpoint_url,
            "SAFELIGHT_S3__ACCESS_KEY": engines.s3_setup_access_key,
            "SAFELIGHT_S3__SECRET_KEY": engines.s3_setup_secret_key,
            "SAFELIGHT_ORIGINS": f"https://{uuid4().hex}.example",
        },
    )


def test_setup_prints_changes_and_is_idempotent(shell: Shell) -> None:
    origin = shell.variables["SAFELIGHT_ORIGINS"]
    wanted = shell.run("bucket", "setup", "--dry-run")
    assert f"CORS: would be done, for pages of {origin}" in wanted.out
    first = shell.run("bucket", "setup")
    assert (first.code, first.err) == (0, "")
    assert (
        f"CORS: done, for pages of {origin}, http://localhost, http://localhost:8000" in first.out
    )
    assert "Public access: not supported by the store (NotImplemented)" in first.out
    assert "; a preflight works for each origin" in first.out
    assert "; requests without a signature are refused" in first.out
    assert "Nothing" not in first.out
    again = shell.run("bucket", "setup")
    assert again.code == 0
    assert "CORS: already set" in again.out
    assert "Lifecycle: already set" in again.out
    assert "Nothing to change." in again.out


def test_keys_without_permission_are_one_error_line(shell: Shell, engines: EmbeddedEngines) -> None:
    result = shell.run(
        "bucket",
        "setup",
        SAFELIGHT_S3__ACCESS_KEY=engines.s3_access_key,
        SAFELIGHT_S3__SECRET_KEY=engines.s3_secret_key,
    )
    assert result.code == 1
    assert "CORS: refused (AccessDenied)" in result.out
    assert result.err.startswith("safelight: The store refused Lifecycle, CORS, Public access:")
    assert result.err.count("\n") == 1
    assert "docs/credentials.md" in result.err


def test_wrong_keys_and_unreachable_store_are_one_error_line(shell: Shell) -> None:
    wrong = shell.run("bucket", "setup", SAFELIGHT_S3__SECRET_KEY="wrong")
    assert "rejects the keys (SignatureDoesNotMatch)" in wrong.line
    unreachable = shell.run("bucket", "setup", SAFELIGHT_S3__ENDPOINT_URL="http://127.0.0.1:9")
    assert "does not answer" in unreachable.line


def test_setup_leaves_the_embedded_store_to_serve(tmp_path: Path) -> None:
    result = Shell(tmp_path).run("bucket", "setup")
    assert result.code == 0
    assert "safelight serve" in result.out
    assert not list(tmp_path.iterdir())


def test_policy_is_printed_without_any_request(tmp_path: Path) -> None:
    result = Shell(tmp_path).run(
        "bucket", "setup", "--print-policy", SAFELIGHT_S3__BUCKET="pictures"
    )
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out) == iam.service_policy("pictures")


def test_pages_of_the_service_may_call_the_store_on_any_port(
    open_tmp_path: Path,
) -> None:
    served = ServeProcess(open_tmp_path / "own-pages", {"SAFELIGHT_ORIGINS": "https://app.example"})
    try:
        served.start()
        port = httpx.URL(served.url).port
        preflight = {"Access-Control-Request-Method": "PUT"}
        for origin, allowed in {
            served.url: True,
            f"http://localhost:{port}": True,
            "https://app.example": True,
            "http://localhost:1": False,
        }.items():
            url = f"{banner_value(served, 'Photo store')}/safelight/incoming/x"
            response = httpx.options(url, headers={"Origin": origin, **preflight})
            assert (response.headers.get("access-control-allow-origin") == origin) is allowed, (
                origin
            )
    finally:
        served.stop()
