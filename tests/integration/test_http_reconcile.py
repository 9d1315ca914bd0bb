"""Rows and objects compared over HTTP, and by the command that asks for it."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import pictures
from acceptance.shell import Shell
from integration.served import House, Site, house, settings_for
from safelight import keys
from safelight.engines import EmbeddedEngines
from safelight.errors import StorageUnavailable
from safelight.library import Library
from safelight.library.findings import Finding, Kind, Tally
from safelight.web.reconciliation import _lines

NOW = {"grace": 0}


@pytest.fixture
def own_house(
    own_library: Library, own_engines: EmbeddedEngines, tmp_path: Path
) -> Iterator[House]:
    """A library of which nothing is there yet, to serve sites over."""
    with house(settings_for(own_engines, tmp_path / "house"), worker=False) as living:
        yield living


@pytest.fixture
def own_site(own_house: House) -> Site:
    return own_house.site()


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


def _left(house: House) -> str:
    key = keys.original(keys.new_name())
    house.do(house.library.parts.storage.put(key, b"left behind", content_type="image/jpeg"))
    return key


def _lose(house: House, site: Site) -> str:
    ((_, _, name),) = house.rows(site.owner)
    house.do(house.library.parts.storage.delete([keys.original(name)]))
    return keys.original(name)


def _told(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def test_what_differs_is_told_line_by_line_and_put_right(
    own_house: House, own_client: httpx.Client
) -> None:
    _upload(own_client)
    key = _left(own_house)
    finding = {"kind": "unnamed", "key": key, "photo": None, "size": 11, "detail": ""}
    told = _told(own_client.post("/api/reconcile", params=NOW))
    assert [each["finding"] for each in told if "finding" in each] == [finding | {"mended": False}]
    assert told[-1]["tally"]["done"]
    assert told[-1]["tally"]["found"] == {"unnamed": 1}
    told = _told(own_client.post("/api/reconcile", params=NOW | {"apply": True}))
    assert told[0]["finding"] == finding | {"mended": True}
    told = _told(own_client.post("/api/reconcile", params={"undo": True, "apply": True}))
    assert told[0]["finding"] == finding | {"kind": "quarantined", "mended": True}
    assert own_house.do(own_house.library.parts.storage.size(key)) == 11


def test_nothing_is_young_enough_to_be_touched_by_default(
    own_house: House, own_client: httpx.Client
) -> None:
    _left(own_house)
    told = _told(own_client.post("/api/reconcile", params={"apply": True}))
    assert [list(each) for each in told] == [["tally"]]


@pytest.mark.parametrize("grace", ["-1", "soon", "99999999999"])
def test_a_grace_that_is_none_is_refused(own_client: httpx.Client, grace: str) -> None:
    refused = own_client.post("/api/reconcile", params={"grace": grace})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


def test_nobody_compares_without_a_token(visitor: httpx.Client) -> None:
    assert visitor.post("/api/reconcile").status_code == 401


async def test_a_comparison_that_breaks_off_says_so_in_its_last_line() -> None:
    async def broken() -> AsyncIterator[Finding | Tally]:
        yield Finding(kind=Kind.LOST, key="k")
        raise StorageUnavailable

    lines = [json.loads(line) async for line in _lines(Tally(), broken())]
    assert [list(line) for line in lines] == [["tally"], ["finding"], ["error"]]
    assert lines[-1]["error"]["code"] == "storage_unavailable"


def test_the_command_tells_a_line_for_each_and_how_many(
    own_house: House, own_client: httpx.Client, shell: Shell
) -> None:
    _upload(own_client)
    said = shell.run("reconcile", "--json")
    assert json.loads(said.out)["findings"] == []
    said = shell.run("reconcile", "--verify")
    assert (said.code, said.out) == (0, "")
    assert "1 row and 2 objects were looked at: nothing is wrong" in said.err
    key = _left(own_house)
    said = shell.run("reconcile", "--grace", "0")
    assert (said.code, said.out) == (0, f"unnamed\t{key}\t\t11\tno\t\n")
    assert "Nothing was changed" in said.err
    assert shell.run("reconcile", "--apply").out == ""
    said = shell.run("reconcile", "--apply", "--grace", "0s")
    assert said.out == f"unnamed\t{key}\t\t11\tyes\t\n"
    assert "1 unnamed; 1 put right" in said.err
    assert shell.run("reconcile", "--undo").out == f"quarantined\t{key}\t\t11\tno\t\n"


def test_the_command_fails_when_a_photo_is_lost(
    own_house: House, own_site: Site, own_client: httpx.Client, shell: Shell
) -> None:
    id_ = _upload(own_client)
    key = _lose(own_house, own_site)
    said = shell.run("reconcile")
    assert (said.code, said.out) == (1, f"lost\t{key}\t{id_}\t\tno\t\n")
    said = shell.run("reconcile", "--json")
    told = json.loads(said.out)
    assert said.code == 1
    assert [each["kind"] for each in told["findings"]] == ["lost"]
    assert told["tally"]["rows"] == 1


def test_a_wrong_grace_is_told_before_anybody_is_asked(tmp_path: Path) -> None:
    said = Shell(tmp_path, {"SAFELIGHT_URL": "http://127.0.0.1:9"}).run(
        "reconcile", "--grace", "a while"
    )
    assert "--grace" in said.line


def test_nothing_is_printed_where_nobody_answers(tmp_path: Path) -> None:
    shell = Shell(tmp_path, {"SAFELIGHT_URL": "http://127.0.0.1:9"})
    assert "No server answers" in shell.run("reconcile", "--json").line
