"""The embedded SeaweedFS: an S3 server, and nothing else that answers a stranger.

As it comes it gives any object unsigned at its filer's HTTP port, and its gRPC lets anyone on the
machine read and delete. So: no HTTP but S3's, keys for its own tokens, mutual TLS on gRPC,
loopback only, and neither telemetry nor the parts that we don't use.
"""

import json
import os
import signal
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from safelight import permissions
from safelight.engines import ports, wheels
from safelight.engines.credentials import ROLES, Credentials, keep_certificates
from safelight.engines.journal import Journal
from safelight.engines.paths import private_directory, write_whole
from safelight.engines.ports import Ports
from safelight.engines.processes import Command, end, end_leftovers, run, spawn
from safelight.errors import EngineError

if TYPE_CHECKING:
    from obstore.store import S3Credential  # which is there for type checkers alone

REGION = "us-east-1"
MEMORY = "320MiB"
"""What Go's collector is told to stay below; docs/decisions/0002-embedded-engines.md has why."""

_PROBE = "ready"
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
    "-filer.localSocket=filer.sock",
    "-master.telemetry=false",
    "-master.resumeState=false",
    "-volume.preStopSeconds=0",
)


class Seaweed:
    """One SeaweedFS server below a data directory, with one bucket.

    It has an identity for the service and one that sets the bucket up; neither may do more. Paths
    are given to it relative to its own directory, so that none is too long for a socket or has a
    comma, which it would split at.
    """

    title = "SeaweedFS"
    patience: tuple[float, ...] = (10.0, 20.0, 60.0)
    """Seconds that each of its starts may take until it answers, before another is tried.

    Of two that choose the same free ports at the same moment, one may wait for the other for ever,
    or move to ports that nobody is told of.
    """

    def __init__(
        self,
        data_dir: Path,
        credentials: Credentials,
        journal: Journal,
        *,
        bucket: str,
    ) -> None:
        self.directory = data_dir / "seaweedfs"
        self._secrets = data_dir / "secrets" / "seaweedfs"
        self._ports_note = data_dir / "ports.json"
        self._credentials = credentials
        self.journal = journal
        self._bucket = bucket
        self._ports: Ports | None = None
        self._new_ports = False
        self._weed = Path()

    @property
    def ports(self) -> Ports:
        """Where it listens. Known from `prepare` on."""
        if self._ports is None:
            raise EngineError("SeaweedFS was not started.")
        return self._ports

    @property
    def endpoint_url(self) -> str:
        """Where S3 is served, on this machine."""
        return f"http://127.0.0.1:{self.ports.s3}"

    def prepare(self) -> None:
        """Write its settings, and end what an earlier run left; then it can be spawned.

        EngineError if its S3 port is somebody else's.
        """
        self._weed = wheels.weed()
        private_directory(self.directory)
        self.end_leftovers()
        if self._new_ports:  # chosen by this start, but it came to nothing; no link names them
            self._ports_note.unlink()
        self._new_ports = not self._ports_note.exists()
        self._ports = ports.kept(self._ports_note)
        keep_certificates(self._secrets)
        write_whole(self._secrets / "security.toml", self._security().encode())
        write_whole(self._secrets / "s3.json", json.dumps(self._identities()).encode())
        # It adds the flags of its last run to those of the next by this file.
        (self.directory / "mini.options").unlink(missing_ok=True)

    def end_leftovers(self) -> None:
        """End the servers that still run in its directory. Being killed loses them nothing."""
        end_leftovers(self.directory, "weed", signal.SIGKILL, 2)

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start it; from the main thread. If we die, it is killed."""
        log = self.journal.open()
        try:
            return spawn(self._command("mini", *_FLAGS, *self._flags()), stdout=log)
        finally:
            os.close(log)

    def answers(self) -> bool:
        """Whether it takes a signed PUT into the bucket; at most about two seconds."""
        try:
            obstore.put(self._store(), _PROBE, b"ready", use_multipart=False)
            obstore.delete(self._store(), _PROBE)
        except (BaseError, OSError):
            return False
        return True

    def settle(self) -> None:
        """Have every PUT into the bucket synced to disk; EngineError if that can't be had.

        Asked for at every start: the filer keeps the rule among its data, which may have been
        lost, or put back from a time before the rule.
        """
        prefix = f"/buckets/{self._bucket}/"
        said = self.shell(f"fs.configure -locationPrefix={prefix} -fsync -apply")
        if not _says_fsync(said, prefix):
            raise EngineError(
                "SeaweedFS can't be told to sync photos to disk: see"
                f" {self.journal.path}, and start again."
            ) from RuntimeError(said)
        self._new_ports = False

    def shell(self, command: str) -> str:
        """Run one command of `weed shell` with our certificates; all it printed."""
        master = f"-master=127.0.0.1:{self.ports.master}"
        filer = f"-filer=127.0.0.1:{self.ports.filer}"
        return run(self._command("shell", master, filer), f"{command}\n", timeout=10)[1]

    def stop(self, child: subprocess.Popen[bytes]) -> None:
        """End it in good order, or within about three seconds in any."""
        end(child, [(signal.SIGTERM, 3.2)])

    def close(self) -> None:
        """Remove what it leaves outside of its directory."""
        if self._ports is not None:
            ports.clear_sockets(self._ports)

    def _store(self) -> S3Store:
        return S3Store(
            self._bucket,
            endpoint=self.endpoint_url,
            region=REGION,
            # Keys given plainly would be joined by a session token from our environment.
            credential_provider=self._keys,
            client_options={"allow_http": True, "timeout": "2s", "connect_timeout": "1s"},
            retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=1)},
        )

    def _keys(self) -> "S3Credential":
        return {
            "access_key_id": self._credentials.s3_setup_access_key,
            "secret_access_key": self._credentials.s3_setup_secret_key,
            "token": None,
            "expires_at": None,
        }

    def _command(self, *words: str) -> Command:
        return Command(
            argv=[self._weed, "-logtostderr", "-config_dir=../secrets/seaweedfs", *words],
            cwd=self.directory,
            environ={"HOME": str(self.directory), "TMPDIR": ".", "GOMEMLIMIT": MEMORY},
        )

    def _flags(self) -> list[str]:
        at = self.ports
        return [
            "-s3.config=../secrets/seaweedfs/s3.json",
            f"-s3.port={at.s3}",
            f"-s3.port.grpc={at.s3_grpc}",
            f"-filer.port={at.filer}",
            f"-master.port={at.master}",
            f"-volume.port={at.volume}",
            f"-admin.port={at.admin}",
            f"-bucket={self._bucket}",
        ]

    def _security(self) -> str:
        keys = self._credentials
        tokens = {
            "jwt.signing": keys.jwt_signing,
            "jwt.signing.read": keys.jwt_signing_read,
            "jwt.filer_signing": keys.jwt_filer_signing,
            "jwt.filer_signing.read": keys.jwt_filer_signing_read,
        }
        lines = [f'[{part}]\nkey = "{key}"' for part, key in tokens.items()]
        lines.append('[grpc]\nca = "../secrets/seaweedfs/ca.crt"')
        for role in ROLES:
            path = f"../secrets/seaweedfs/{role}"
            lines.append(f'[grpc.{role}]\ncert = "{path}.crt"\nkey = "{path}.key"')
        return "\n".join(lines) + "\n"

    def _identities(self) -> dict[str, object]:
        keys = self._credentials
        service = _identity("safelight", keys.s3_access_key, keys.s3_secret_key)
        setup = _identity("setup", keys.s3_setup_access_key, keys.s3_setup_secret_key)
        policies = {
            "safelight": permissions.service_policy(self._bucket),
            "setup": permissions.setup_policy(self._bucket, probe=_PROBE),
        }
        written = [{"name": name, "content": json.dumps(each)} for name, each in policies.items()]
        return {"identities": [service, setup], "policies": written}


def _identity(name: str, access_key: str, secret_key: str) -> dict[str, object]:
    """Give an identity the policy of its own name, and nothing else."""
    pair = {"accessKey": access_key, "secretKey": secret_key}
    return {"name": name, "credentials": [pair], "policyNames": [name]}


def _says_fsync(said: str, prefix: str) -> bool:
    """Whether `fs.configure` printed a rule that syncs this prefix."""
    try:
        rules = json.loads(said[said.index("{") : said.rindex("}") + 1])["locations"]
    except (ValueError, KeyError):
        return False
    return any(rule["locationPrefix"] == prefix and rule["fsync"] is True for rule in rules)
