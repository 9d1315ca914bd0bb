"""The README: what it tells to type works as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import httpx

from acceptance.served import SCRIPT, Served
from pictures import jpeg

README = (Path(__file__).parents[2] / "README.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_the_commands_run_as_written(open_tmp_path: Path) -> None:
    folder = open_tmp_path / "readme"
    served = Served(folder / "safelight-data").start()
    try:
        (folder / "photo.jpg").write_bytes(jpeg(330))
        (folder / ".venv").symlink_to(SCRIPT.parents[1])
        address = httpx.URL(served.url)
        blocks = _blocks("sh")
        assert len(blocks) == 2
        for block in blocks:
            ran = subprocess.run(
                [
                    "bash",
                    "-euo",
                    "pipefail",
                    "-c",
                    block.replace("localhost:8000", address.netloc.decode()),
                ],
                check=False,
                cwd=folder,
                env={"PATH": "/usr/bin:/bin", "SAFELIGHT_PORT": str(address.port)},
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert ran.returncode == 0, ran.stderr
            assert '"code"' not in ran.stdout, "no problem was answered"
        with served.client() as client:
            assert client.get("/api/photos").json() == [], "the last command deletes it"
    finally:
        served.stop()


def test_the_lines_that_embed_it_run_as_written(tmp_path: Path) -> None:
    (block,) = _blocks("python")
    told = f"def current_user_id() -> str:\n    return 'me'\n{block}print(len(app.routes))\n"
    ran = subprocess.run(
        [sys.executable, "-c", told], check=True, cwd=tmp_path, capture_output=True, text=True
    )
    assert int(ran.stdout) > 0
    assert not list(tmp_path.iterdir()), "nothing is started before the app is"


def test_every_page_that_it_names_is_there() -> None:
    root = Path(__file__).parents[2]
    named = re.findall(r"\]\(([^)#:]+)\)", README)
    assert len(named) > 8
    assert [name for name in named if not (root / name).exists()] == []
