"""The wheel works in a fresh environment."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(900)  # it builds and installs

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with only the wheel and its locked dependencies.

    These are copied, since pip would take a minute. pip then checks that the wheel needs no others.
    """
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
    )
    venv.create(folder / "venv")
    _copy_locked_packages(next(folder.glob("venv/lib/*/site-packages")))
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", folder / "venv"]
    install = ["install", "--quiet", "--disable-pip-version-check", "--no-compile", "--no-index"]
    wheel = next(folder.glob("*.whl"))
    subprocess.run([*pip, *install, f"{wheel}[embedded]"], check=True, capture_output=True)
    return folder / "venv" / "bin"


def _copy_locked_packages(target: Path) -> None:
    """Copy the packages of the lock that are installed here: not those for other platforms."""
    source = Path(sysconfig.get_path("purelib"))
    lock = (ROOT / "requirements" / "run.lock").read_text()
    for name in re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE):
        try:
            files = metadata.distribution(name).files or []
        except metadata.PackageNotFoundError:
            continue
        for file in files:
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / file, target / file)


@pytest.fixture
def served(installed: Path, open_tmp_path: Path) -> Iterator[str]:
    """`safelight serve` from the wheel, on a free port."""
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
    assert process.wait(timeout=120) == 0
    process.stdout.close()


def test_installed_wheel_serves(served: str) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(f"{served}/readyz", timeout=60) as response:
                assert json.load(response) == {"status": "ok"}
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            break
    with urllib.request.urlopen(f"{served}/static/style.css", timeout=60) as response:
        assert response.headers["content-type"].startswith("text/css")


def test_installed_wheel_prints_its_version(installed: Path) -> None:
    process = subprocess.run(
        [installed / "safelight", "version"], check=True, capture_output=True, text=True
    )
    assert process.stdout.strip() == "0.1.0"
