"""Build and run the container of deploy/ with buildah, without a daemon or an image registry."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.debian import program

ROOT = Path(__file__).parents[2]
BASE = "docker.io/library/python:3.11-slim"
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"


class Buildah:
    """buildah with its images and containers in one folder."""

    def __init__(self, folder: Path) -> None:
        self._storage = ["--root", str(folder / "root"), "--runroot", str(folder / "run")]
        self._environ = {**os.environ, "STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}

    def command(self, *arguments: str) -> list[str]:
        return [program("buildah"), *self._storage, *arguments]

    def run(self, *arguments: str) -> str:
        """Run a command, and return what it prints."""
        done = subprocess.run(
            self.command(*arguments),
            env=self._environ,
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.strip()

    @contextmanager
    def container(self, image: str) -> Iterator[str]:
        """Make a container of an image, which is removed at the end."""
        container = self.run("from", "--pull-never", image)
        try:
            yield container
        finally:
            self.run("rm", container)

    def start(self, container: str, *command: str) -> subprocess.Popen[str]:
        """Run a command in a container, on the network of this machine."""
        return subprocess.Popen(
            self.command("run", container, "--", *command),
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def make_base_image(buildah: Buildah, folder: Path) -> None:
    """Make an image of Debian with Python, in place of the one that only a registry has."""
    archive = folder / "base.tar"
    subprocess.run(
        [
            *(program("mmdebstrap"), "--quiet", "--variant=apt", f"--include={_PACKAGES}"),
            *("bookworm", str(archive)),
        ],
        check=True,
        timeout=600,
    )
    with buildah.container("scratch") as container:
        buildah.run("add", "--quiet", container, str(archive), "/")
        if Path(_CERTIFICATES).exists():  # those that this machine trusts
            buildah.run("add", "--quiet", container, _CERTIFICATES, _CERTIFICATES)
        for name in ("NODE_EXTRA_CA_CERTS", "PIP_CERT"):
            buildah.run("config", "--env", f"{name}={_CERTIFICATES}", container)
        buildah.run("commit", "--quiet", container, BASE)
    archive.unlink()
