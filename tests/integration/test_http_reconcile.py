"""Reconciliation over HTTP, and by the command."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from safelight import keys
from safelight.engines import EmbeddedEngines
from safelight.errors import StorageUnavailable
from safelight.library import Library
from safelight.library.reconcile.findings import Finding, Kind, Progress
from safelight.web.api.reconcile import _lines
from support import pictures
from support.app_server import AppServer, Site, run_app_server, settings_for
from support.shell import Shell

NOW = {"grace": 0}


@pytest.fixture(scope="module")
def shared_server(
    own_engines: EmbeddedEngines, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AppServer]:
    settings = settings_for(own_engines, tmp_path_factory.mktemp("data"))
    with run_app_server(settings, worker=False) as app_server:
        yield app_server


@pytest.fixture
def own_server(own_library: Library, shared_server: AppServer) -> Iterator[AppServer]:
    """An empty library with a private bucket, to serve sites over."""
    with shared_server.temporary_sites():
        yield shared_server


@pytest.fixture
def own_site(own_server: AppServer) -> Site:
    return own_server.site()


@pytest.fixture
def own_client(own_site: Site) -> Iterator[httpx.Client]:
    with own_site.client() as client:
        yield client


@pytest.fixture
def shell(own_site: Site, tmp_path: Path) -> Shell:
    return Shell(tmp_path, {"SAFELIGHT_URL": own_site.url})


def _upload(client: httpx.Client) -> int:
    answer = client.post("/api/photos", files={"photo": ("a.jpg", pictures.jpeg())})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def _store_orphan(app_server: AppServer) -> str:
    key = keys.original(keys.new_storage_id())
    app_server.do(
        app_server.library.backends.bucket.put(key, b"left behind", content_type="image/jpeg")
    )
    return key


def _delete_original(app_server: AppServer, site: Site) -> str:
    ((_, _, name),) = app_server.rows(site.owner)
    app_server.do(app_server.library.backends.bucket.delete([keys.original(name)]))
    return keys.original(name)


def _lines_of(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def test_discrepancies_are_streamed_and_repaired(
    own_server: AppServer, own_client: httpx.Client
) -> None:
    _upload(own_client)
    key = _store_orphan(own_server)
    finding = {"kind": "unnamed", "key": key, "photo": None, "size": 11, "detail": ""}
    lines = _lines_of(own_client.post("/api/reconcile", params=NOW))
    assert [each["finding"] for each in lines if "finding" in each] == [finding | {"mended": False}]
    assert lines[-1]["tally"]["done"]
    assert lines[-1]["tally"]["found"] == {"unnamed": 1}
    lines = _lines_of(own_client.post("/api/reconcile", params=NOW | {"apply": True}))
    assert lines[0]["finding"] == finding | {"mended": True}
    lines = _lines_of(own_client.post("/api/reconcile", params={"undo": True, "apply": True}))
    assert lines[0]["finding"] == finding | {"kind": "quarantined", "mended": True}
    assert own_server.do(own_server.library.backends.bucket.size(key)) == 11


def test_default_grace_leaves_new_objects_alone(
    own_server: AppServer, own_client: httpx.Client
) -> None:
    _store_orphan(own_server)
    lines = _lines_of(own_client.post("/api/reconcile", params={"apply": True}))
    assert [list(each) for each in lines] == [["tally"]]


@pytest.mark.parametrize("grace", ["-1", "soon", "99999999999"])
def test_invalid_grace_is_refused(own_client: httpx.Client, grace: str) -> None:
    refused = own_client.post("/api/reconcile", params={"grace": grace})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


def test_reconcile_requires_a_token(anonymous_client: httpx.Client) -> None:
    assert anonymous_client.post("/api/reconcile").status_code == 401


async def test_interrupted_run_ends_with_an_error_line() -> None:
    async def broken() -> AsyncIterator[Finding | Progress]:
        yield Finding(kind=Kind.LOST, key="k")
        raise StorageUnavailable

    lines = [json.loads(line) async for line in _lines(Progress(), broken())]
    assert [list(line) for line in lines] == [["tally"], ["finding"], ["error"]]
    assert lines[-1]["error"]["code"] == "storage_unavailable"


def test_command_prints_a_line_per_finding_and_the_totals(
    own_server: AppServer, own_client: httpx.Client, shell: Shell
) -> None:
    _upload(own_client)
    result = shell.run("reconcile", "--json")
    assert json.loads(result.out)["findings"] == []
    result = shell.run("reconcile", "--verify")
    assert (result.code, result.out) == (0, "")
    assert "Checked 1 row and 2 objects: no differences." in result.err
    key = _store_orphan(own_server)
    result = shell.run("reconcile", "--grace", "0")
    assert (result.code, result.out) == (0, f"unnamed\t{key}\t\t11\tno\t\n")
    assert "Nothing was changed" in result.err
    assert shell.run("reconcile", "--apply").out == ""
    result = shell.run("reconcile", "--apply", "--grace", "0s")
    assert result.out == f"unnamed\t{key}\t\t11\tyes\t\n"
    assert "1 unnamed; 1 repaired." in result.err
    assert shell.run("reconcile", "--undo").out == f"quarantined\t{key}\t\t11\tno\t\n"


def test_command_fails_if_a_photo_is_lost(
    own_server: AppServer, own_site: Site, own_client: httpx.Client, shell: Shell
) -> None:
    id_ = _upload(own_client)
    key = _delete_original(own_server, own_site)
    result = shell.run("reconcile")
    assert (result.code, result.out) == (1, f"lost\t{key}\t{id_}\t\tno\t\n")
    result = shell.run("reconcile", "--json")
    report = json.loads(result.out)
    assert result.code == 1
    assert [each["kind"] for each in report["findings"]] == ["lost"]
    assert report["tally"]["rows"] == 1


def test_invalid_grace_is_an_error_before_any_request(tmp_path: Path) -> None:
    result = Shell(tmp_path, {"SAFELIGHT_URL": "http://127.0.0.1:9"}).run(
        "reconcile", "--grace", "a while"
    )
    assert (result.code, result.out) == (2, "")
    assert "--grace" in result.err


def test_command_prints_nothing_if_the_server_is_unreachable(tmp_path: Path) -> None:
    shell = Shell(tmp_path, {"SAFELIGHT_URL": "http://127.0.0.1:9"})
    assert "No server is running" in shell.run("reconcile", "--json").line
