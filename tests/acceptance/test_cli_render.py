"""Renditions made up for, after the settings were changed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.served import Served
from acceptance.shell import Shell
from pictures import jpeg

WIDTHS = "SAFELIGHT_RENDITIONS__WIDTHS"


@pytest.fixture
def server(open_tmp_path: Path) -> Iterator[Served]:
    served = Served(open_tmp_path / "render" / "safelight-data")
    yield served
    served.stop()


def _shell(server: Served, folder: Path) -> Shell:
    told = {"SAFELIGHT_URL": server.url, "SAFELIGHT_DATA_DIR": str(server.data_dir)}
    return Shell(folder, told)


def _renditions(server: Served) -> list[list[str]]:
    with server.client() as client:
        photos = client.get("/api/photos").json()
    return [[made["name"] for made in photo["renditions"]] for photo in photos]


def test_what_changed_presets_lack_is_made(server: Served, tmp_path: Path) -> None:
    server.settings = {WIDTHS: "300"}
    server.start()
    for height in (700, 800, 900):
        with server.client() as client:
            photo = {"photo": ("a.jpg", jpeg(1000, height))}
            assert client.post("/api/photos", files=photo).status_code == 201
    assert _renditions(server) == [["w300"]] * 3
    assert "No photo lacks" in _shell(server, tmp_path).run("render", "--missing").out

    server.stop()
    server.settings = {WIDTHS: "300,500,900"}
    server.start()
    shell = _shell(server, tmp_path)
    said = shell.run("render", "--missing")
    assert (said.code, said.out) == (0, "3 of 3 photos have all their renditions.\n")
    assert _renditions(server) == [["w300", "w500", "w900"]] * 3
    again = shell.run("render", "--missing", "--json")
    assert (again.code, json.loads(again.out)) == (0, {"photos": 0, "failed": 0})


def test_render_alone_says_what_to_say(tmp_path: Path) -> None:
    said = Shell(tmp_path).run("render")
    assert said.code == 1
    assert "--missing" in said.err
