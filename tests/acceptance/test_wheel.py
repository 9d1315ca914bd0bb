"""The wheel, installed where nothing else is, serves."""

import json
import os
import subprocess
import sys
import time
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel and what it asks for, and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
    )
    venv.create(folder / "venv", with_pip=True)
    pip: list[str | Path] = [folder / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet"]
    lock = ROOT / "requirements" / "run.lock"
    subprocess.run([*pip, "--require-hashes", "-r", lock], check=True, capture_output=True)
    wheel = next(folder.glob("*.whl"))
    subprocess.run([*pip, f"{wheel}[embedded]"], check=True, capture_output=True)
    return folder / "venv" / "bin"


@pytest.fixture
def served(installed: Path, open_tmp_path: Path) -> Iterator[str]:
    """`safelight serve` from the wheel, on a port of its own choice."""
    process = subprocess.Popen(
        [installed / "safelight", "serve"],
        cwd=installed,
        env={
            "PATH": os.environ["PATH"],
            "SAFELIGHT_DATA_DIR": str(open_tmp_path / "wheel-data"),
            "SAFELIGHT_PORT": "0",
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "Page" in line:
            break
    yield line.split()[-1].rstrip("/")
    process.terminate()
    assert process.wait(timeout=30) == 0
    process.stdout.close()


def test_the_wheel_serves_from_an_empty_environment(served: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(f"{served}/readyz", timeout=5) as answer:
                assert json.load(answer) == {"status": "ok"}
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            break
    with urllib.request.urlopen(f"{served}/static/style.css", timeout=5) as answer:
        assert answer.headers["content-type"].startswith("text/css")


def test_the_wheel_names_its_version(installed: Path) -> None:
    told = subprocess.run(
        [installed / "safelight", "version"], check=True, capture_output=True, text=True
    )
    assert told.stdout.strip() == "0.1.0"
