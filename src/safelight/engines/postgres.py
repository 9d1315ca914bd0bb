"""The embedded PostgreSQL: no TCP, a password for everyone, a socket in a directory of its own."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

import psycopg

from safelight.engines import account as accounts
from safelight.engines import cluster, place
from safelight.engines.credentials import Credentials
from safelight.engines.journal import Journal
from safelight.engines.lock import Lock
from safelight.engines.paths import private_directory, write_whole
from safelight.engines.processes import Command, end, end_leftovers, spawn
from safelight.errors import EngineError

NAME = "safelight"
"""Of the database, and of the role that owns it and is no superuser."""

_SOCKET = ".s.PGSQL.5432"
_LONGEST_SOCKET = 100
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
"""fsync and full_page_writes stay as they come: on."""


class Postgres:
    """One PostgreSQL server below a data directory."""

    title = "PostgreSQL"
    patience: tuple[float, ...] = (60.0,)
    """Seconds that it may take until it answers: after a crash it may have much to read."""

    def __init__(self, data_dir: Path, credentials: Credentials, journal: Journal) -> None:
        self._data_dir = data_dir
        self._password = credentials.postgres_password
        self._superuser_password = credentials.postgres_superuser_password
        self.journal = journal
        self._lock: Lock | None = None
        self._place: place.Place | None = None
        self._sockets: Path | None = None
        self._programs = Path()

    @property
    def directory(self) -> Path:
        """Where its files lie. Known from `prepare` on, as is `url`."""
        return self._settled().directory

    @property
    def url(self) -> str:
        """What a client connects by, its password included."""
        host = quote(str(self._sockets), safe="")
        return f"postgresql://{NAME}:{self._password}@/{NAME}?host={host}"

    def prepare(self) -> None:
        """Find or make its files, and end what an earlier run left; then it can be spawned.

        May take seconds at the first start. EngineError says what is in the way.
        """
        self._place = place.settled(self._data_dir)
        if self._lock is None:
            self._lock = Lock(self._place.directory / "lock")
            self._lock.acquire()
        self._programs = place.programs(self._place)
        self.end_leftovers()
        cluster.ensure(
            self._place,
            self._programs,
            name=NAME,
            password=self._password,
            superuser_password=self._superuser_password,
        )

    def end_leftovers(self) -> None:
        """End the servers that still run on these files, and clear the notes that they left."""
        data = self._settled().data
        end_leftovers(data, "postgres", signal.SIGINT, 5)
        # Whoever has the number in them now is a stranger, whom a server would give way to.
        (data / "postmaster.pid").unlink(missing_ok=True)
        (self._socket_directory() / f"{_SOCKET}.lock").unlink(missing_ok=True)

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start it; from the main thread. If we die, it shuts down at once and in good order."""
        log = self.journal.open()
        try:
            return spawn(self._command(), stdout=log)
        finally:
            os.close(log)

    def answers(self) -> bool:
        """Whether it takes our password and answers a query; at most about two seconds.

        EngineError if it refuses the password.
        """
        try:
            with psycopg.connect(self.url, connect_timeout=2) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise EngineError(
                    f"PostgreSQL in {self.directory} does not take the password in"
                    f" {self._data_dir / 'secrets'}: put back the secrets that it was made with."
                ) from error
            return False
        return True

    def settle(self) -> None:
        """Nothing is left to do once it answers."""

    def stop(self, child: subprocess.Popen[bytes]) -> None:
        """End it in good order, or within about three seconds in any."""
        end(child, [(signal.SIGINT, 2.0), (signal.SIGQUIT, 0.7)])

    def close(self) -> None:
        """Give up what `prepare` took."""
        if self._sockets is not None and self._sockets.parent != self.directory:
            shutil.rmtree(self._sockets, ignore_errors=True)
        self._sockets = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _settled(self) -> place.Place:
        if self._place is None:
            raise EngineError("PostgreSQL was not started.")
        return self._place

    def _command(self) -> Command:
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        where = ["-D", str(self._settled().data), "-k", str(self._sockets)]
        return Command(
            argv=[self._programs / "postgres", *where, *settings],
            account=self._settled().account,
            death_signal=signal.SIGINT,
        )

    def _socket_directory(self) -> Path:
        if self._sockets is not None:
            return self._sockets
        at = self._settled()
        sockets = at.directory / "socket"
        # Servers and clients take several directories, with commas between and quotes around.
        if len(os.fsencode(sockets / _SOCKET)) > _LONGEST_SOCKET or set(str(sockets)) & set(',"'):
            self._sockets = self._short_socket_directory(at)
            return self._sockets
        private_directory(sockets)
        if at.account is not None:
            accounts.give(sockets, at.account)
        self._sockets = sockets
        return sockets

    def _short_socket_directory(self, at: place.Place) -> Path:
        """Make a private directory with a short name, and remove one that a killed run left."""
        note = self._data_dir / "socket"
        if note.exists():
            _remove_ours(Path(note.read_text()), at)
        sockets = Path(tempfile.mkdtemp(prefix="safelight-", dir=_short_parent()))
        if at.account is not None:
            accounts.give(sockets, at.account)
        write_whole(note, os.fsencode(sockets))
        return sockets


def _short_parent() -> Path:
    """Where short names for private directories can be had, and PostgreSQL's user can pass."""
    wanted = Path("/run") if os.geteuid() == 0 else Path(os.environ.get("XDG_RUNTIME_DIR") or "/")
    if len(os.fsencode(wanted)) <= _LONGEST_SOCKET // 2 and os.access(wanted, os.W_OK):
        return wanted
    return Path("/tmp")  # noqa: S108  mkdtemp makes it, private and under a name nobody can foresee


def _remove_ours(sockets: Path, at: place.Place) -> None:
    owner = at.account.uid if at.account else os.geteuid()
    try:
        facts = sockets.lstat()
    except OSError:
        return
    if sockets.name.startswith("safelight-") and facts.st_uid == owner:
        shutil.rmtree(sockets, ignore_errors=True)
