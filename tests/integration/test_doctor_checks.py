"""Each check of `safelight doctor` names what is broken, and what to do."""

import resource
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from safelight.catalog import DatabaseFacts
from safelight.doctor import database, machine, store
from safelight.settings import Settings
from safelight.settings.s3 import S3Settings
from safelight.signing.sigv4 import Credentials
from safelight.storage import CheckOutcome, CheckResult, s3_api
from support.fake_store import (
    CREDENTIALS,
    FakeStore,
    Hook,
    StoreAnswer,
    StoreRequest,
    run_fake_store,
    store_error,
)

FACTS = DatabaseFacts(
    version="18.1",
    major=18,
    is_standby=False,
    is_read_only=False,
    connections=97,
    used=5,
    role_connections=-1,
    schema="public",
    can_create=True,
    revision="0006",
    newest="0006",
)
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def _first_problem(results: list[CheckResult]) -> CheckResult:
    return next(each for each in results if each.outcome is not CheckOutcome.OK)


@pytest.mark.parametrize(
    ("changes", "check", "outcome", "advice"),
    [
        ({"major": 12, "version": "12.3"}, "database", "failure", "too old. Use version 14"),
        ({"is_standby": True, "is_read_only": True}, "writes", "failure", "a standby"),
        ({"is_read_only": True}, "writes", "failure", "default_transaction_read_only"),
        ({"schema": None, "can_create": False}, "privileges", "failure", "CREATE SCHEMA"),
        ({"can_create": False}, "privileges", "failure", "GRANT CREATE, USAGE ON SCHEMA public"),
        ({"revision": "0009"}, "migrations", "failure", "A newer Safelight"),
        ({"revision": "0003"}, "migrations", "warning", "safelight db upgrade"),
        ({"bucket": "others"}, "bucket", "failure", "safelight db set-bucket photos"),
        ({"connections": 10}, "connections", "warning", "Raise max_connections"),
        ({"role_connections": 3}, "connections", "warning", "5 of 3"),
        ({"used": 90}, "connections", "warning", "90 of 97"),
    ],
)
def test_database_problem_is_named(
    changes: dict[str, Any], check: str, outcome: str, advice: str
) -> None:
    assert {each.outcome for each in database.judge(FACTS, "photos")} == {CheckOutcome.OK}
    problem = _first_problem(list(database.judge(replace(FACTS, **changes), "photos")))
    assert problem.check.endswith(check)
    assert problem.outcome == outcome
    assert advice in problem.message


def test_empty_database_is_fine() -> None:
    results = list(database.judge(replace(FACTS, revision=None), "photos"))
    assert {each.outcome for each in results} == {CheckOutcome.OK}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", port=0)


def test_good_machine_has_no_problem(settings: Settings) -> None:
    results = [
        *machine.check_data_directory(settings),
        machine.check_listeners(settings, has_server=False),
    ]
    assert {each.outcome for each in results} == {CheckOutcome.OK}
    assert not machine.is_in_use(settings)


def test_directory_that_others_can_change_is_named(settings: Settings) -> None:
    settings.data_dir.mkdir()
    settings.data_dir.chmod(0o777)
    (problem,) = machine.check_data_directory(settings)
    assert problem.outcome is CheckOutcome.FAILURE
    assert "chmod" in problem.message


def test_secrets_that_others_can_read_are_named(settings: Settings) -> None:
    settings.data_dir.mkdir(mode=0o700)
    (settings.data_dir / "secrets").mkdir()
    (settings.data_dir / "secrets").chmod(0o755)
    (problem,) = machine.check_data_directory(settings)
    assert problem.outcome is CheckOutcome.FAILURE
    assert "secrets" in problem.message


def test_spool_that_cannot_be_written_is_named(settings: Settings) -> None:
    settings.data_dir.mkdir(mode=0o700)
    (settings.data_dir / "spool").write_text("in the way")
    (problem,) = machine.check_data_directory(settings)
    assert problem.outcome is CheckOutcome.FAILURE
    assert str(settings.data_dir / "spool") in problem.message


@pytest.mark.parametrize(("free", "outcome"), [(10**8, "failure"), (10**9, "warning")])
def test_little_disk_space_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, free: int, outcome: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    problem = _first_problem(list(machine.check_resources(settings)))
    assert (problem.check, problem.outcome) == ("disk space", outcome)
    assert "Make room" in problem.message


def test_low_limit_of_open_files_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1024))
    results = {each.check: each for each in machine.check_resources(settings)}
    assert results["open files"].outcome is CheckOutcome.WARNING
    assert "1024" in results["open files"].message
    assert "LimitNOFILE" in results["open files"].message


def test_port_of_another_program_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        problem = machine.check_listeners(Settings(data_dir=tmp_path, port=port), has_server=False)
    assert problem.outcome is CheckOutcome.FAILURE
    assert str(port) in problem.message
    assert "SAFELIGHT_PORT" in problem.message


def test_network_without_tls_is_a_warning(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, port=0, host="0.0.0.0")
    assert machine.check_listeners(settings, has_server=False).outcome is CheckOutcome.WARNING
    behind = settings.model_copy(update={"public_url": "https://photos.example"})
    assert machine.check_listeners(behind, has_server=False).outcome is CheckOutcome.OK


@pytest.fixture
def fake_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeStore]:
    monkeypatch.setattr(s3_api, "_RETRY_PAUSES", ())
    with run_fake_store(_take_parts) as running:
        yield running


def _take_parts(request: StoreRequest) -> StoreAnswer | None:
    """Create and complete multipart uploads."""
    if request.method == "POST" and "uploads" in request.query:
        return StoreAnswer(200, b"<R><UploadId>one</UploadId></R>")
    if request.method == "POST" and "uploadId" in request.query:
        return StoreAnswer(200, b"<R/>")
    return None


def _s3(running: FakeStore, **more: Any) -> Settings:
    return Settings(s3=S3Settings(endpoint_url=running.url, bucket="pictures", **more))


async def _collect(results: AsyncIterator[CheckResult]) -> list[CheckResult]:
    return [each async for each in results]


def _refuse(answer: StoreAnswer, **wanted: str) -> Hook:
    """Answer requests of this method, or with this parameter, with this response."""

    def hook(request: StoreRequest) -> StoreAnswer | None:
        matches = wanted.get("method", request.method) == request.method
        return answer if matches and wanted.get("query", "") in {"", *request.query} else None

    return hook


DENIED = store_error(403, "AccessDenied", "Access Denied.")


@pytest.mark.parametrize(
    ("hook", "check", "advice"),
    [
        (_refuse(store_error(403, "InvalidAccessKeyId")), "keys", "SAFELIGHT_S3__ACCESS_KEY"),
        (_refuse(DENIED, method="GET", query="list-type"), "list", "s3:ListBucket"),
        (_refuse(DENIED, method="PUT"), "write", "s3:PutObject"),
        (_refuse(DENIED, method="DELETE"), "delete", "s3:DeleteObject"),
        (_refuse(DENIED, query="uploads"), "multipart uploads", "s3:AbortMultipartUpload"),
        (
            _refuse(store_error(501, "NotImplemented"), query="uploadId"),
            "multipart uploads",
            "large",
        ),
        (_refuse(StoreAnswer(200, b"<p>Login</p>")), "address", "SAFELIGHT_S3__ENDPOINT_URL"),
    ],
)
async def test_store_problem_is_named(
    fake_store: FakeStore, hook: Hook, check: str, advice: str
) -> None:
    settings = _s3(fake_store)
    good = await _collect(store.check_store(settings, fake_store.config, CREDENTIALS))
    assert {each.outcome for each in good} == {CheckOutcome.OK}
    assert fake_store.objects == {}
    fake_store.hooks.insert(0, hook)
    results = await _collect(store.check_store(settings, fake_store.config, CREDENTIALS))
    problem = _first_problem(results)
    assert (problem.check, problem.outcome) == (f"store: {check}", CheckOutcome.FAILURE)
    assert advice in problem.message


async def test_endpoint_in_links_that_is_not_reached_is_named(fake_store: FakeStore) -> None:
    dead = _s3(fake_store, public_endpoint_url="http://127.0.0.1:9")
    results = await _collect(store.check_links(dead, fake_store.config, CREDENTIALS))
    problem = _first_problem(results)
    assert (problem.check, problem.outcome) == ("links: address", CheckOutcome.FAILURE)
    assert "correct the port in SAFELIGHT_S3__PUBLIC_ENDPOINT_URL" in problem.message
    good = await _collect(store.check_links(_s3(fake_store), fake_store.config, CREDENTIALS))
    assert [each.check for each in good] == ["links: read", "links: head", "links: range"]
    assert {each.outcome for each in good} == {CheckOutcome.OK}
    assert fake_store.objects == {}


async def test_signing_keys_need_no_other_permission_than_to_read(fake_store: FakeStore) -> None:
    signing = Credentials(access_key="AKIASIGNING", secret_key="another-secret")
    fake_store.other_keys = [signing]
    settings = _s3(
        fake_store,
        signing_access_key=signing.access_key,
        signing_secret_key=SecretStr(signing.secret_key),
    )
    good = await _collect(store.check_links(settings, fake_store.config, CREDENTIALS))
    assert {each.outcome for each in good} == {CheckOutcome.OK}
    used = {each.query["X-Amz-Credential"] for each in fake_store.requests if each.is_presigned}
    assert {each.partition("/")[0] for each in used} == {"AKIASIGNING"}
    fake_store.hooks.insert(
        0, lambda each: store_error(403, "InvalidAccessKeyId") if each.is_presigned else None
    )
    revoked = await _collect(store.check_links(settings, fake_store.config, CREDENTIALS))
    problem = _first_problem(revoked)
    assert (problem.check, problem.outcome) == ("links: keys", CheckOutcome.FAILURE)
    for part in ("rejects the signing keys", "SAFELIGHT_S3__SIGNING_ACCESS_KEY and SAFELIGHT_S3_"):
        assert part in problem.message
    assert fake_store.objects == {}


async def test_missing_cors_and_rules_are_named(fake_store: FakeStore) -> None:
    fake_store.hooks.insert(0, _refuse(store_error(404, "NoSuchCORSConfiguration"), query="cors"))
    fake_store.hooks.insert(0, _refuse(store_error(404, "NoSuchRule"), query="lifecycle"))
    fake_store.hooks.insert(0, _refuse(DENIED, method="OPTIONS"))
    settings, keys = _s3(fake_store), CREDENTIALS.current
    results = await _collect(store.check_setup(settings, fake_store.config, keys))
    by_check = {each.check: each for each in results}
    for check in ("store: CORS", "store: lifecycle"):
        assert by_check[check].outcome is CheckOutcome.WARNING, results
        assert "safelight bucket setup" in by_check[check].message


def test_keys_that_expire_before_links_are_a_warning() -> None:
    settings = Settings(s3=S3Settings(endpoint_url="http://store"))
    keys = Credentials(access_key="A", secret_key="s")
    assert store.check_lifetime(keys, settings, now=NOW).outcome is CheckOutcome.OK
    short = replace(keys, session_token="t", expires_at=NOW + timedelta(hours=1))
    problem = store.check_lifetime(short, settings, now=NOW)
    assert problem.outcome is CheckOutcome.WARNING
    assert "2026-11-01 01:00 UTC" in problem.message
    assert "SAFELIGHT_S3__SIGNING_ACCESS_KEY" in problem.message
    signing = S3Settings(
        endpoint_url="http://store", signing_access_key="A", signing_secret_key=SecretStr("s")
    )
    assert store.check_lifetime(short, Settings(s3=signing), now=NOW).outcome is CheckOutcome.OK
