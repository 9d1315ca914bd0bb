"""The embedded PostgreSQL: no TCP, passwords for all roles, its socket in a private directory."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

import psycopg

from safelight.engines.lock import Lock
from safelight.engines.logfile import LogFile
from safelight.engines.postgres import account as accounts
from safelight.engines.postgres.cluster import ensure_cluster
from safelight.engines.postgres.layout import Layout, install_programs, load_or_choose
from safelight.engines.processes import Command, spawn, stop, stop_orphans
from safelight.engines.secrets import EngineSecrets
from safelight.errors import EngineError
from safelight.private_files import read_private_file, write_private_file

NAME = "safelight"
"""The name of the database, and of the role that owns it; it is no superuser."""

_SOCKET = ".s.PGSQL.5432"
_MAX_SOCKET_LENGTH = 100
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "io_method": "sync",
    "jit": "off",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_timezone": "UTC",
    "TimeZone": "UTC",
}
"""fsync and full_page_writes keep their default: on."""


class Postgres:
    """One PostgreSQL server below a data directory."""

    title = "PostgreSQL"
    start_limits: tuple[float, ...] = (60.0,)
    """Seconds that a start may take: after a crash it may have a long log to replay."""

    def __init__(self, data_dir: Path, engine_secrets: EngineSecrets, log_file: LogFile) -> None:
        self._data_dir = data_dir
        self._password = engine_secrets.postgres_password
        self._superuser_password = engine_secrets.postgres_superuser_password
        self.log_file = log_file
        self._lock: Lock | None = None
        self._layout: Layout | None = None
        self._sockets: Path | None = None
        self._programs = Path()

    @property
    def directory(self) -> Path:
        """The directory of its files. Available after `prepare`, as is `url`."""
        return self._require_layout().directory

    @property
    def url(self) -> str:
        """The URL for clients, with the password."""
        return self._url(NAME, self._password)

    @property
    def superuser_url(self) -> str:
        """The URL of the superuser's own database, with the password."""
        return self._url("postgres", self._superuser_password)

    def _url(self, name: str, password: str) -> str:
        host = quote(str(self._sockets), safe="")
        return f"postgresql://{name}:{password}@/{name}?host={host}"

    def prepare(self) -> None:
        """Create its files if there are none, and stop servers of an earlier run.

        Takes seconds at the first start. Raises EngineError.
        """
        self._layout = load_or_choose(self._data_dir)
        if self._lock is None:
            self._lock = Lock(self._layout.directory / "lock")
            self._lock.acquire()
        self._programs = install_programs(self._layout)
        self.stop_orphans()
        ensure_cluster(
            self._layout,
            self._programs,
            name=NAME,
            password=self._password,
            superuser_password=self._superuser_password,
        )

    def stop_orphans(self) -> None:
        """Stop servers that still run on these files, and remove their lock files."""
        data = self._require_layout().data
        stop_orphans(data, "postgres", signal.SIGINT, 5)
        # Another process may have the ids in them by now, and the server would refuse to start.
        (data / "postmaster.pid").unlink(missing_ok=True)
        (self._socket_directory() / f"{_SOCKET}.lock").unlink(missing_ok=True)

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the server. It shuts down cleanly if this process dies."""
        log = self.log_file.open()
        try:
            return spawn(self._command(), stdout=log)
        finally:
            os.close(log)

    def is_ready(self) -> bool:
        """Return whether it answers a query, within about two seconds.

        Raises EngineError if it rejects the password.
        """
        try:
            with psycopg.connect(self.url, connect_timeout=2) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise EngineError(
                    f"PostgreSQL in {self.directory} rejects the password in"
                    f" {self._data_dir / 'secrets'}: restore the secrets from a backup."
                ) from error
            return False
        return True

    def needs_restart(self) -> bool:
        """Return False: it uses new disk space at once."""
        return False

    def configure(self) -> None:
        """Do nothing: it needs no configuration after its start."""

    def stop(self, child: subprocess.Popen[bytes]) -> None:
        """Stop it gracefully, or kill it after about three seconds."""
        stop(child, [(signal.SIGINT, 2.0), (signal.SIGQUIT, 0.7)])

    def close(self) -> None:
        """Release the lock and remove a temporary socket directory."""
        if self._sockets is not None and self._sockets.parent != self.directory:
            shutil.rmtree(self._sockets, ignore_errors=True)
        self._sockets = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _require_layout(self) -> Layout:
        if self._layout is None:
            raise EngineError("PostgreSQL was not started.")
        return self._layout

    def _command(self) -> Command:
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        paths = ["-D", str(self._require_layout().data), "-k", str(self._sockets)]
        return Command(
            argv=[self._programs / "postgres", *paths, *settings],
            account=self._require_layout().account,
            death_signal=signal.SIGINT,
        )

    def _socket_directory(self) -> Path:
        if self._sockets is not None:
            return self._sockets
        layout = self._require_layout()
        sockets = layout.directory / "socket"
        # Servers and clients parse a list of directories: commas and quotes have a meaning.
        if len(os.fsencode(sockets / _SOCKET)) > _MAX_SOCKET_LENGTH or set(str(sockets)) & set(
            ',"'
        ):
            self._sockets = self._short_socket_directory(layout)
            return self._sockets
        sockets.mkdir(mode=0o700, exist_ok=True)
        if layout.account is not None:
            accounts.chown_tree(sockets, layout.account)
        self._sockets = sockets
        return sockets

    def _short_socket_directory(self, layout: Layout) -> Path:
        """Create a private directory with a short path; remove that of a run that was killed."""
        path_file = self._data_dir / "socket"
        if path_file.exists():
            _remove_if_ours(Path(os.fsdecode(read_private_file(path_file))), layout)
        sockets = Path(tempfile.mkdtemp(prefix="safelight-", dir=_short_parent()))
        if layout.account is not None:
            accounts.chown_tree(sockets, layout.account)
        write_private_file(path_file, os.fsencode(sockets))
        return sockets


def _short_parent() -> Path:
    """Return a directory with a short path that PostgreSQL's user can enter."""
    preferred = (
        Path("/run") if os.geteuid() == 0 else Path(os.environ.get("XDG_RUNTIME_DIR") or "/")
    )
    if len(os.fsencode(preferred)) <= _MAX_SOCKET_LENGTH // 2 and os.access(preferred, os.W_OK):
        return preferred
    return Path("/tmp")  # noqa: S108  mkdtemp creates a private directory with a random name


def _remove_if_ours(sockets: Path, layout: Layout) -> None:
    owner = layout.account.uid if layout.account else os.geteuid()
    try:
        info = sockets.lstat()
    except OSError:
        return
    if sockets.name.startswith("safelight-") and info.st_uid == owner:
        shutil.rmtree(sockets, ignore_errors=True)
