"""The README's commands, code and links work as written."""

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from support.fork_server import SCRIPT
from support.pictures import jpeg
from support.serve_process import ServeProcess

README = (Path(__file__).parents[2] / "README.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


@pytest.mark.timeout(900)
def test_commands_run(open_tmp_path: Path) -> None:
    folder = open_tmp_path / "readme"
    served = ServeProcess(folder / "safelight-data").start()
    try:
        (folder / "photo.jpg").write_bytes(jpeg(330))
        (folder / ".venv").symlink_to(SCRIPT.parents[1])
        address = httpx.URL(served.url)
        blocks = _blocks("sh")
        assert len(blocks) == 2
        for block in blocks:
            process = subprocess.run(
                [
                    "bash",
                    "-euo",
                    "pipefail",
                    "-c",
                    block.replace("127.0.0.1:8000", address.netloc.decode()),
                ],
                check=False,
                cwd=folder,
                env={"PATH": "/usr/bin:/bin", "SAFELIGHT_PORT": str(address.port)},
                capture_output=True,
                text=True,
                timeout=180,
            )
            assert process.returncode == 0, process.stderr
            assert '"code"' not in process.stdout, "a request failed"
        with served.client() as client:
            assert client.get("/api/photos").json() == [], (
                "the last command should delete the photo"
            )
    finally:
        served.kill()


def test_embedding_code_runs(tmp_path: Path) -> None:
    (block,) = _blocks("python")
    code = f"def current_user_id() -> str:\n    return 'me'\n{block}print(len(app.routes))\n"
    process = subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True, text=True
    )
    assert int(process.stdout) > 0
    assert not list(tmp_path.iterdir()), "nothing should start before the app does"


def test_linked_pages_exist() -> None:
    root = Path(__file__).parents[2]
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert len(links) > 8
    assert [link for link in links if not (root / link).exists()] == []
