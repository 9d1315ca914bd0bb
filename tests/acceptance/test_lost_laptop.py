"""The commands of docs/lost-laptop.md revoke what the page says."""

import re
import subprocess
from pathlib import Path

import httpx
import pytest

from support.pictures import jpeg
from support.serve_process import ServeProcess
from support.shell import Shell

PAGE = (Path(__file__).parents[2] / "docs/lost-laptop.md").read_text()
AGENT = {b"User-Agent": b"Mosaic"}


def _blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def _run(shell: Shell, block: str) -> None:
    process = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        check=False,
        cwd=shell.folder,
        env=shell.env(),
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert process.returncode == 0, (block, process.stderr)


def _sign_in(browser: httpx.Client, screen: str) -> None:
    code = screen.partition("sign-in?code=")[2].split()[0]
    own = {"Origin": str(browser.base_url).rstrip("/")}
    assert browser.post("/sign-in", data={"code": code}, headers=own).status_code == 303


@pytest.mark.timeout(900)
def test_each_step_revokes_its_kind_of_access(open_tmp_path: Path) -> None:
    folder = open_tmp_path / "lost"
    served = ServeProcess(folder / "safelight-data").start()
    shell = Shell(folder, {"SAFELIGHT_PORT": str(httpx.URL(served.url).port)})
    sessions, token = _blocks("sh")
    (keys,) = _blocks("sh stopped")
    try:
        with served.client() as client:
            client.post("/api/photos", files={"photo": ("a.jpg", jpeg(280))})
            link = client.get("/api/photos").json()[0]["photo_url"]
        with httpx.Client(base_url=served.url, headers=AGENT) as browser:
            _sign_in(browser, served.screen)
            assert "Mosaic" in shell.run("token", "sessions").out
            assert browser.get("/api/photos").status_code == 200
            _run(shell, sessions)
            assert browser.get("/api/photos").status_code == 401
        lost = {"Authorization": f"Bearer {served.token}"}
        assert httpx.get(f"{served.url}/api/photos", headers=lost).status_code == 200
        _run(shell, token)
        assert httpx.get(f"{served.url}/api/photos", headers=lost).status_code == 401
        assert httpx.get(link).status_code == 200
        served.stop()
        _run(shell, keys)
        served.start()
        assert httpx.get(link).status_code == 403
        with served.client() as client:
            assert httpx.get(client.get("/api/photos").json()[0]["photo_url"]).status_code == 200
    finally:
        served.stop()
