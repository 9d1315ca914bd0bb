"""The recipes of docs/uploads.md work unchanged."""

import re
import subprocess
from pathlib import Path

import httpx
import pytest

from support import pictures
from support.serve_process import ServeProcess

PAGE = (Path(__file__).parents[2] / "docs" / "uploads.md").read_text()
MiB = 1024 * 1024


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def served(open_tmp_path: Path) -> ServeProcess:
    return ServeProcess(open_tmp_path / "uploads-page" / "safelight-data")


def _run(served: ServeProcess, script: str) -> str:
    address = httpx.URL(served.url)
    api = f"API=http://{address.netloc.decode()}/api"
    ran = subprocess.run(
        [
            *("bash", "-euo", "pipefail", "-c"),
            f"export {api}\n" + script.replace("127.0.0.1:8000", address.netloc.decode()),
        ],
        check=False,
        cwd=served.data_dir.parent,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.timeout(900)
def test_recipes_run_as_written(served: ServeProcess) -> None:
    curl, python = _blocks("sh")
    (program,) = _blocks("python")
    folder = served.data_dir.parent
    large = pictures.png_with(pictures.png_chunk(b"saFe", bytes(17 * MiB)))
    served.start()
    try:
        (folder / "upload.py").write_text(program)
        (folder / "photo.jpg").write_bytes(pictures.jpeg(331))
        _run(served, curl)
        again = _run(served, python)
        (folder / "photo.jpg").write_bytes(pictures.jpeg(332))
        _run(served, python)
        (folder / "photo.jpg").write_bytes(large)
        url = _run(served, python).split()[1]
        assert httpx.get(url).content == large
        with served.client() as client:
            listed = client.get("/api/photos").json()
        assert [photo["size"] for photo in listed] == [
            len(large),
            len(pictures.jpeg(332)),
            len(pictures.jpeg(331)),
        ]
        assert again.split()[0] == str(listed[2]["id"])
    finally:
        served.kill()
