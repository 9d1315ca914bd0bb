"""`safelight render`."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from support.pictures import jpeg
from support.serve_process import ServeProcess
from support.shell import Shell

WIDTHS = "SAFELIGHT_RENDITIONS__WIDTHS"
PRESETS = "SAFELIGHT_RENDITIONS__PRESETS"


@pytest.fixture
def server(open_tmp_path: Path) -> Iterator[ServeProcess]:
    served = ServeProcess(open_tmp_path / "render" / "safelight-data")
    yield served
    served.kill()


def _shell(server: ServeProcess, folder: Path) -> Shell:
    variables = {"SAFELIGHT_URL": server.url, "SAFELIGHT_DATA_DIR": str(server.data_dir)}
    return Shell(folder, variables)


def _renditions(server: ServeProcess) -> list[list[str]]:
    with server.client() as client:
        photos = client.get("/api/photos").json()
    return [[made["name"] for made in photo["renditions"]] for photo in photos]


@pytest.mark.timeout(900)
def test_render_creates_renditions_of_new_presets_and_removes_old_ones(
    server: ServeProcess, tmp_path: Path
) -> None:
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
    result = shell.run("render", "--missing")
    assert (result.code, result.out) == (0, "3 of 3 photos have all their renditions.\n")
    assert _renditions(server) == [["w300", "w500", "w900"]] * 3
    again = shell.run("render", "--missing", "--json")
    assert (again.code, json.loads(again.out)) == (0, {"photos": 0, "failed": 0})

    server.stop()
    server.settings = {
        WIDTHS: "300",
        "SAFELIGHT_RENDITIONS__PRESETS": "w900 900, square 80x80 cover",
    }
    server.start()
    shell = _shell(server, tmp_path)
    counted = shell.run("render", "--prune")
    assert counted.out.startswith("3 renditions of 3 photos are named by no preset.")
    assert _renditions(server) == [["w300", "w500"]] * 3, "without what is on demand now"
    pruned = shell.run("render", "--prune", "--apply")
    assert (pruned.code, pruned.out) == (0, "Removed 3 renditions of 3 photos.\n")
    assert "No photo has" in shell.run("render", "--prune").out
    assert _renditions(server) == [["w300"]] * 3
    assert "No photo lacks" in shell.run("render", "--missing").out
    assert "3 of 3 photos" in shell.run("render", "--all").out
    square = shell.run("url", "1", "--rendition", "square").out.strip()
    assert Image.open(io.BytesIO(httpx.get(square).content)).size == (80, 80)


def test_render_without_an_option_is_an_error(tmp_path: Path) -> None:
    assert Shell(tmp_path).run("render", "--missing", "--apply").code != 0
    result = Shell(tmp_path).run("render")
    assert result.code == 2
    assert "--missing" in result.err
