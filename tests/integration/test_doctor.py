"""`safelight doctor` against real engines: the first line that isn't ok names the cause."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

from safelight import keys
from safelight.catalog import Catalog
from safelight.doctor import examine, machine
from safelight.engines import EmbeddedEngines
from safelight.library import Library
from safelight.models import Caption
from safelight.settings import Settings
from safelight.storage import CheckOutcome, CheckResult
from support.app_server import settings_for


async def _problems(settings: Settings) -> list[CheckResult]:
    fine = {CheckOutcome.OK, CheckOutcome.NOTE}
    return [each async for each in examine(settings) if each.outcome not in fine]


def _database(engines: EmbeddedEngines, **changes: Any) -> dict[str, Any]:
    url = make_url(engines.database_url).set(**changes)
    return {"database_url": SecretStr(url.render_as_string(hide_password=False))}


Change = Callable[[EmbeddedEngines], dict[str, Any]]

BROKEN: list[tuple[str, Change, str, str]] = [
    ("wrong password", lambda e: _database(e, password="x"), "database", "user or password"),
    ("unknown database", lambda e: _database(e, database="no"), "database", "no database with"),
    (
        "no PostgreSQL",
        lambda e: _database(e, host="127.0.0.1", port=9, query={}),
        "database",
        "does not answer",
    ),
    ("no store", lambda _: {"s3": {"endpoint_url": "http://127.0.0.1:9"}}, "store: address", "9"),
    (
        "wrong secret",
        lambda _: {"s3": {"secret_key": SecretStr("x")}},
        "store: keys",
        "SAFELIGHT_S3__SECRET_KEY",
    ),
    ("unknown key", lambda _: {"s3": {"access_key": "AKIAX"}}, "store: keys", "InvalidAccessKeyId"),
    (
        "no TLS there",
        lambda e: {"s3": {"endpoint_url": e.s3_endpoint_url.replace("http:", "https:")}},
        "store: address",
        "http://",
    ),
    (
        "private authority",
        lambda e: {"s3": {"endpoint_url": e.s3_tls_endpoint_url}},
        "store: certificate",
        "SAFELIGHT_CA_FILE",
    ),
    (
        "public endpoint",
        lambda _: {"s3": {"public_endpoint_url": "http://127.0.0.1:9"}},
        "links: address",
        "9",
    ),
]


@pytest.fixture(autouse=True)
def _no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer for `store.invalid` as a resolver does: this machine may have none."""
    resolve = socket.getaddrinfo

    def look_up(host: Any, *more: Any, **options: Any) -> Any:
        if host in {"store.invalid", b"store.invalid"}:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.fixture
def _no_decoders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start none in each test: test_good_installation_has_no_failure does."""

    async def check(_: Settings) -> CheckResult:
        return CheckResult(check="decoders")

    monkeypatch.setattr(machine, "check_decoders", check)


@pytest.mark.usefixtures("_no_decoders")
@pytest.mark.parametrize(
    ("change", "check", "advice"),
    [case[1:] for case in BROKEN],
    ids=[case[0] for case in BROKEN],
)
async def test_first_problem_names_the_cause(
    engines: EmbeddedEngines, tmp_path: Path, change: Change, check: str, advice: str
) -> None:
    problem = (await _problems(settings_for(engines, tmp_path, **change(engines))))[0]
    assert (problem.check, problem.outcome) == (check, CheckOutcome.FAILURE)
    assert advice in problem.message + problem.response


async def test_good_installation_has_no_failure(engines: EmbeddedEngines, tmp_path: Path) -> None:
    problems = await _problems(settings_for(engines, tmp_path))
    assert [each for each in problems if each.outcome is CheckOutcome.FAILURE] == []


@pytest.mark.usefixtures("_no_decoders")
async def test_other_program_on_the_port_is_named(engines: EmbeddedEngines, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = settings_for(engines, tmp_path, port=other.getsockname()[1])
        problem = (await _problems(settings))[0]
    assert (problem.check, problem.outcome) == ("listeners", CheckOutcome.FAILURE)


@pytest.mark.usefixtures("_no_decoders")
async def test_other_bucket_than_that_of_the_photos_is_named(
    engines: EmbeddedEngines, database_url: str, tmp_path: Path
) -> None:
    settings = settings_for(engines, tmp_path, database_url=SecretStr(database_url))
    async with Library.from_settings(settings, worker=False).lifespan(None):
        pass
    assert await _problems_of_bucket(settings) == []
    catalog = Catalog(database_url)
    try:
        await catalog.bucket_record.replace("others")
        assert await _problems_of_bucket(settings) == []  # there are no photos
        now, storage_id = datetime.now(UTC), keys.new_storage_id()
        await catalog.reservations.reserve("a", Caption(), storage_id=storage_id, now=now)
    finally:
        await catalog.close()
    (problem,) = await _problems_of_bucket(settings)
    assert "in the bucket 'others'" in problem.message


async def _problems_of_bucket(settings: Settings) -> list[CheckResult]:
    return [each for each in await _problems(settings) if each.check == "database: bucket"]


@pytest.mark.usefixtures("_no_decoders")
async def test_store_that_is_not_reached_is_examined_no_further(
    engines: EmbeddedEngines, tmp_path: Path
) -> None:
    settings = settings_for(engines, tmp_path, s3={"endpoint_url": "http://127.0.0.1:9"})
    results = [each async for each in examine(settings)]
    assert results[-1].check == "store: address"
