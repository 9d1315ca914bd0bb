"""The embedded SeaweedFS, configured so that only signed S3 requests are answered.

By default its filer's HTTP port serves any object unsigned, and its gRPC lets any local user read
and delete. Here it has no HTTP but S3's, keys for its internal tokens, mutual TLS on all other
ports, loopback only, no telemetry and no unused components. Its S3 API has two ports: browsers use
the plain one. The service uses the other by TLS, since any local user can take both after a crash.
"""

import json
import os
import signal
import subprocess
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from safelight.engines import binaries
from safelight.engines.logfile import LogFile
from safelight.engines.processes import Command, run, spawn, stop, stop_orphans
from safelight.engines.seaweedfs import configuration
from safelight.engines.seaweedfs.certificates import HOST, HTTPS
from safelight.engines.seaweedfs.disk import DiskSpace
from safelight.engines.seaweedfs.listeners import is_held_by
from safelight.engines.seaweedfs.ports import Ports, clear_sockets, load_or_choose
from safelight.engines.secrets import EngineSecrets, load_or_create_certificates
from safelight.errors import EngineError
from safelight.private_files import ensure_private_directory, write_private_file

if TYPE_CHECKING:
    from obstore.store import S3Credential  # this exists for type checkers only

REGION = "us-east-1"
MEMORY = "320MiB"
"""The memory limit of Go's garbage collector; see docs/decisions/0002-embedded-engines.md."""

_SYNCED_WRITE_SECONDS = 5.0

_FLAGS = (
    "-dir=.",
    "-ip=127.0.0.1",
    "-ip.bind=127.0.0.1",
    "-disableHttp",
    "-admin.ui=false",
    "-webdav=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    "-s3.iam=false",
    "-s3.autoCreateBucket=false",
    "-s3.allowedOrigins=",
    "-s3.localSocket=s3.sock",
    f"-s3.cert.file=../secrets/seaweedfs/{HTTPS}.crt",
    f"-s3.key.file=../secrets/seaweedfs/{HTTPS}.key",
    "-filer.localSocket=filer.sock",
    "-master.telemetry=false",
    "-master.resumeState=false",
    "-volume.preStopSeconds=0",
)


class Seaweed:
    """One SeaweedFS server below a data directory, with one bucket.

    It has one identity for the service and one that sets up the bucket, with minimal permissions.
    Its paths are relative to its own directory: none is too long for a socket, or contains a comma,
    at which it would split.
    """

    title = "SeaweedFS"
    start_limits: tuple[float, ...] = (10.0, 20.0, 60.0)
    """Seconds that each start may take, before it is restarted.

    If two servers choose the same free ports at the same moment, one may wait forever, or use other
    ports than those it was given.
    """

    def __init__(
        self,
        data_dir: Path,
        engine_secrets: EngineSecrets,
        log_file: LogFile,
        *,
        bucket: str,
    ) -> None:
        self.directory = data_dir / "seaweedfs"
        self._secrets_dir = data_dir / "secrets" / "seaweedfs"
        self._portsfile = data_dir / "ports.json"
        self._secrets = engine_secrets
        self.log_file = log_file
        self._bucket = bucket
        self._ports: Ports | None = None
        self._new_ports = False
        self._required_ports: tuple[str, ...] = ("s3",)
        self._pid = 0
        self._store: S3Store | None = None
        """For the running process; opening it takes longer than a call."""
        self._weed = Path()
        self._disk_space = DiskSpace(self.directory)

    @property
    def ports(self) -> Ports:
        """The ports it listens on. Available after `prepare`."""
        if self._ports is None:
            raise EngineError("SeaweedFS was not started.")
        return self._ports

    @property
    def endpoint_url(self) -> str:
        """The URL of its S3 API for browsers on this machine."""
        return f"http://{HOST}:{self.ports.s3}"

    @property
    def tls_endpoint_url(self) -> str:
        """The URL of its S3 API for the service; `ca_certificate` verifies its certificate."""
        return f"https://{HOST}:{self.ports.s3_tls}"

    @property
    def ca_certificate(self) -> str:
        """The certificate of its authority, in PEM. Available after `prepare`."""
        return (self._secrets_dir / "ca.crt").read_text()

    def prepare(self) -> None:
        """Write its configuration, and stop servers of an earlier run.

        Raises EngineError if another program uses its S3 port, or once it has been ready, the port
        for TLS.
        """
        self._weed = binaries.weed()
        ensure_private_directory(self.directory)
        self.stop_orphans()
        if self._new_ports:  # this start chose them but failed, so no link contains them
            self._portsfile.unlink()
        self._new_ports = not self._portsfile.exists()
        self.close()
        self._ports = load_or_choose(
            self._portsfile, failed=self._ports, required=self._required_ports
        )
        load_or_create_certificates(self._secrets_dir)
        security = configuration.security(self._secrets)
        write_private_file(self._secrets_dir / "security.toml", security.encode())
        identities = configuration.identities(self._secrets, self._bucket)
        write_private_file(self._secrets_dir / "s3.json", json.dumps(identities).encode())
        # From this file it would add the flags of its last run.
        (self.directory / "mini.options").unlink(missing_ok=True)

    def stop_orphans(self) -> None:
        """Stop servers that still run in its directory. Killing them loses no data."""
        stop_orphans(self.directory, "weed", signal.SIGKILL, 2)

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the server. It is killed if this process dies."""
        log = self.log_file.open()
        try:
            child = spawn(self._command("mini", *_FLAGS, *self._flags()), stdout=log)
        finally:
            os.close(log)
        self._pid, self._store = child.pid, None
        return child

    def is_ready(self) -> bool:
        """Return whether it accepts a signed PUT into the bucket, within about two seconds.

        Its certificate proves that it is the one that was started. The plain port has none, so it
        must belong to the same process.
        """
        if self._store is None:
            self._store = self._open_store()
        try:
            obstore.put(self._store, configuration.PROBE, b"ready", use_multipart=False)
            obstore.delete(self._store, configuration.PROBE)
        except (BaseError, OSError):
            return False
        return is_held_by(self._pid, self.ports.s3)

    def needs_restart(self) -> bool:
        """Return whether it refuses writes although the disk has space again.

        Without one it notices that within a minute. May take two seconds.
        """
        return self._disk_space.is_back() and not self.is_ready()

    def configure(self) -> None:
        """Make it sync every PUT to disk. Raises EngineError if that fails.

        This runs at every start: the filer stores the rule among its data, which may have been
        lost, or restored from an older backup.
        """
        prefix = f"/buckets/{self._bucket}/"
        output = self.shell(f"fs.configure -locationPrefix={prefix} -fsync -apply")
        if not _has_fsync_rule(output, prefix):
            raise EngineError(
                "SeaweedFS can't be configured to sync photos to disk: see"
                f" {self.log_file.path}, and start again."
            ) from RuntimeError(output)
        if not self._takes_synced_writes():
            raise EngineError(
                f"SeaweedFS can't store photos: see {self.log_file.path}, and start again."
            )
        self._new_ports = False
        self._required_ports = ("s3", "s3_tls")

    def _takes_synced_writes(self) -> bool:
        """Return whether it accepts writes under the rule, within some seconds.

        It may have accepted one before and refuse all now, if its components share a port with
        another server that started at the same moment.
        """
        deadline = time.monotonic() + _SYNCED_WRITE_SECONDS
        while not self.is_ready():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def shell(self, command: str) -> str:
        """Run one command of `weed shell` with our certificates, and return its output."""
        master = f"-master=127.0.0.1:{self.ports.master}"
        filer = f"-filer=127.0.0.1:{self.ports.filer}"
        return run(self._command("shell", master, filer), f"{command}\n", timeout=10)[1]

    def stop(self, child: subprocess.Popen[bytes]) -> None:
        """Stop it gracefully, or kill it after about three seconds."""
        stop(child, [(signal.SIGTERM, 3.2)])

    def close(self) -> None:
        """Remove the files that it leaves outside its directory."""
        if self._ports is not None:
            clear_sockets(self._ports)

    def _open_store(self) -> S3Store:
        return S3Store(
            self._bucket,
            endpoint=self.tls_endpoint_url,
            region=REGION,
            # With static keys, obstore would add a session token from our environment.
            credential_provider=self._setup_credentials,
            client_options={
                "root_certificate": self.ca_certificate,
                "timeout": "2s",
                "connect_timeout": "1s",
                # Without a proxy of its own, it would use that of the environment.
                "proxy_url": self.tls_endpoint_url,
                "proxy_excludes": HOST,
            },
            retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=1)},
        )

    def _setup_credentials(self) -> "S3Credential":
        return {
            "access_key_id": self._secrets.s3_setup_access_key,
            "secret_access_key": self._secrets.s3_setup_secret_key,
            "token": None,
            "expires_at": None,
        }

    def _command(self, *arguments: str) -> Command:
        return Command(
            argv=[self._weed, "-logtostderr", "-config_dir=../secrets/seaweedfs", *arguments],
            cwd=self.directory,
            environ={"HOME": str(self.directory), "TMPDIR": ".", "GOMEMLIMIT": MEMORY},
        )

    def _flags(self) -> list[str]:
        ports = self.ports
        return [
            "-s3.config=../secrets/seaweedfs/s3.json",
            f"-s3.port={ports.s3}",
            f"-s3.port.https={ports.s3_tls}",
            f"-s3.port.grpc={ports.s3_grpc}",
            f"-filer.port={ports.filer}",
            f"-master.port={ports.master}",
            f"-volume.port={ports.volume}",
            f"-admin.port={ports.admin}",
            f"-bucket={self._bucket}",
        ]


def _has_fsync_rule(output: str, prefix: str) -> bool:
    """Return whether the output of `fs.configure` has a rule that syncs this prefix."""
    try:
        rules = json.loads(output[output.index("{") : output.rindex("}") + 1])["locations"]
    except (ValueError, KeyError):
        return False
    return any(rule["locationPrefix"] == prefix and rule["fsync"] is True for rule in rules)
