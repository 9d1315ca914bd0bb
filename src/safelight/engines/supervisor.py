"""Start PostgreSQL and SeaweedFS, restart them when they die, and stop them."""

import asyncio
import logging
import threading
import time
from pathlib import Path
from typing import TypeVar

from safelight import private_files
from safelight.engines import secrets
from safelight.engines.engine import Child, Engine, operator_errors, start_error
from safelight.engines.lock import Lock
from safelight.engines.logfile import LogFile
from safelight.engines.postgres.server import Postgres
from safelight.engines.seaweedfs.disk import has_bucket
from safelight.engines.seaweedfs.server import REGION, Seaweed
from safelight.errors import EngineError

_log = logging.getLogger("safelight.engines")
_MAX_DEATHS = 3
_STABLE_AFTER = 60.0
"""Seconds after which an engine's next death counts as its first."""
_RESTART_PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0)

_Value = TypeVar("_Value")


class EmbeddedEngines:
    """The engines of one data directory; either can be left out.

    All files are below `data_dir`, which is created for its owner only; if root starts them,
    PostgreSQL's files may be elsewhere (see `summary`). `bucket` is created. The message
    of an EngineError explains in one line what to do.
    """

    region = REGION

    def __init__(
        self,
        data_dir: Path,
        *,
        bucket: str,
        postgres: bool = True,
        storage: bool = True,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.bucket = bucket
        self._with_postgres = postgres
        self._with_storage = storage
        self._lock: Lock | None = None
        self._postgres: Postgres | None = None
        self._seaweed: Seaweed | None = None
        self._secrets: secrets.EngineSecrets | None = None
        self._children: dict[str, Child] = {}
        self._ready: dict[str, Child] = {}
        self._stopping = False

    @property
    def database_url(self) -> str:
        """The URL of PostgreSQL's socket, with the password. Available after `start`."""
        return _require_started(self._postgres).url

    @property
    def superuser_url(self) -> str:
        """The URL of a superuser, who may create databases for tests. The service never uses it."""
        return _require_started(self._postgres).superuser_url

    @property
    def s3_endpoint_url(self) -> str:
        """The object store's URL for browsers, http://127.0.0.1:PORT. Available after `start`.

        After a crash, any local user can take this port. The service uses `s3_tls_endpoint_url`.
        """
        return _require_started(self._seaweed).endpoint_url

    @property
    def s3_tls_endpoint_url(self) -> str:
        """The object store's URL for the service, https://127.0.0.1:PORT."""
        return _require_started(self._seaweed).tls_endpoint_url

    @property
    def s3_ca_certificate(self) -> str:
        """The authority, in PEM, of the certificate at `s3_tls_endpoint_url`."""
        return _require_started(self._seaweed).ca_certificate

    @property
    def s3_access_key(self) -> str:
        """The access key of an identity with `iam.service_policy` and no other permission."""
        return _require_started(self._secrets).s3_access_key

    @property
    def s3_secret_key(self) -> str:
        """The secret of `s3_access_key`."""
        return _require_started(self._secrets).s3_secret_key

    @property
    def s3_setup_access_key(self) -> str:
        """The access key of an identity that may set up the bucket, but can't read photos."""
        return _require_started(self._secrets).s3_setup_access_key

    @property
    def s3_setup_secret_key(self) -> str:
        """The secret of `s3_setup_access_key`."""
        return _require_started(self._secrets).s3_setup_secret_key

    @property
    def summary(self) -> tuple[tuple[str, str], ...]:
        """Where the data is, for the start screen, as pairs of label and text."""
        lines = [("Data", str(self.data_dir))]
        if self._postgres is not None and self._postgres.directory.parent != self.data_dir:
            lines.append(("PostgreSQL's files", str(self._postgres.directory)))
        if self._seaweed is not None:
            lines.append(("Photo store", self._seaweed.endpoint_url))
        return tuple(lines)

    def pids(self) -> dict[str, int]:
        """Return the process id of each started engine, by the engine's name."""
        return {title: child.pid for title, child in self._children.items()}

    def is_store_running(self) -> bool:
        """Return whether the object store has become ready and not ended since; from any thread."""
        child = self._ready.get(Seaweed.title)
        return child is not None and child.poll() is None

    def has_bucket(self) -> bool:
        """Return whether the object store has the bucket; it need not be started."""
        return has_bucket(self.data_dir / "seaweedfs", self.bucket)

    def rotate_keys(self) -> None:
        """Replace the object store's keys; it uses the new ones from its next start.

        Links signed with the old keys are invalid from then on. Raises EngineError if the engines
        of this data directory are running, or if it has no object store.
        """
        private_files.check_data_directory(self.data_dir)
        folder = self.data_dir / "secrets"
        if not (folder / "engines.json").is_file():
            raise EngineError(
                f"There is no embedded photo store in {self.data_dir}: set SAFELIGHT_DATA_DIR to"
                " the directory of one."
            )
        lock = Lock(self.data_dir / "lock")
        lock.acquire()
        try:
            secrets.rotate_s3_keys(folder)
        finally:
            lock.release()

    def start(self) -> None:
        """Start the engines, and return when they answer; do nothing if they are started.

        The engines end with this process, at the latest. If it raises EngineError, none of them is
        left running.
        """
        if self._lock is not None:
            return
        self._stopping = False
        try:
            with operator_errors(self.data_dir):
                self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        self._open_directory()
        engines = self._engines()
        for engine in reversed(engines):  # SeaweedFS starts while PostgreSQL is prepared
            engine.prepare()
            engine.log_file.rotate()
            self._children[engine.title] = engine.spawn()
        for engine in engines:
            self._wait_until_ready(engine)

    def _open_directory(self) -> None:
        self.data_dir = private_files.ensure_data_directory(self.data_dir)
        lock = Lock(self.data_dir / "lock")
        lock.acquire()
        self._lock = lock
        logs = private_files.ensure_private_directory(self.data_dir / "logs")
        self._secrets = secrets.load_or_create(self.data_dir / "secrets")
        if self._with_postgres:
            self._postgres = Postgres(self.data_dir, self._secrets, LogFile(logs / "postgres.log"))
        if self._with_storage:
            log_file = LogFile(logs / "seaweedfs.log")
            self._seaweed = Seaweed(self.data_dir, self._secrets, log_file, bucket=self.bucket)

    def _wait_until_ready(self, engine: Engine) -> None:
        """Wait for an engine and configure it; restart it if it dies, hangs or isn't configured."""
        deaths, limits = 0, list(engine.start_limits)
        deadline = time.monotonic() + limits.pop(0)
        while True:
            ready = engine.is_ready()
            if ready:
                try:
                    engine.configure()
                except EngineError:
                    if not limits:
                        raise
                else:
                    self._ready[engine.title] = self._children[engine.title]
                    return
            child = self._children[engine.title]
            if child.poll() is not None:
                deaths += 1
                if deaths == _MAX_DEATHS:
                    raise start_error(engine, "ended while it was starting")
            elif ready or time.monotonic() > deadline:
                if not limits:
                    raise start_error(engine, "does not answer")
                engine.stop(child)
                deadline = time.monotonic() + limits.pop(0)
            else:
                time.sleep(0.02)
                continue
            engine.prepare()
            self._children[engine.title] = engine.spawn()

    def stop(self) -> None:
        """Stop the engines, within about three and a half seconds, and release the directory.

        Never raises, and does nothing if they aren't running.
        """
        self._stopping = True
        engines = {engine.title: engine for engine in self._engines()}
        threads = [
            threading.Thread(target=engines[title].stop, args=(child,))
            for title, child in self._children.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._children.clear()
        self._ready.clear()
        for engine in engines.values():
            engine.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    async def supervise(self) -> None:
        """Restart engines that die, until `stop` is called.

        Deaths and failures are logged, never raised.
        """
        await asyncio.gather(*(self._supervise(engine) for engine in self._engines()))

    async def _supervise(self, engine: Engine) -> None:
        deaths, started_at = 0, time.monotonic()
        while not self._stopping:
            await asyncio.sleep(0.2)
            engine.log_file.rotate()
            child = self._children.get(engine.title)
            if child is None:
                continue
            if child.poll() is None:
                if not await asyncio.to_thread(engine.needs_restart):
                    continue
                _log.info("%s has disk space again", engine.title)
                await asyncio.to_thread(engine.stop, child)
            deaths = 1 if time.monotonic() - started_at > _STABLE_AFTER else deaths + 1
            _log.warning("%s ended; restarting it", engine.title)
            await asyncio.sleep(_RESTART_PAUSES[min(deaths, len(_RESTART_PAUSES)) - 1])
            started_at = time.monotonic()
            limits = engine.start_limits
            await self._restart(engine, limits[min(deaths, len(limits)) - 1])

    async def _restart(self, engine: Engine, limit: float) -> None:
        deadline = time.monotonic() + limit
        try:
            # Not only to stop its orphans: another program may use its ports by now.
            await asyncio.to_thread(engine.prepare)
            if self._stopping:
                return
            self._children[engine.title] = child = engine.spawn()
            while child.poll() is None and not self._stopping:
                if await asyncio.to_thread(engine.is_ready):
                    self._ready[engine.title] = child
                    _log.info("%s is running again", engine.title)
                    return
                if time.monotonic() > deadline:
                    _log.error("%s does not answer", engine.title)
                    await asyncio.to_thread(engine.stop, child)
                    return
                await asyncio.sleep(0.05)
        except (OSError, EngineError) as error:
            _log.error("%s could not be restarted: %s", engine.title, error)

    def _engines(self) -> list[Engine]:
        return [engine for engine in (self._postgres, self._seaweed) if engine is not None]


def _require_started(value: _Value | None) -> _Value:
    if value is None:
        raise EngineError("The requested embedded engine is not running.")
    return value
