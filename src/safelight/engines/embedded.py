"""PostgreSQL and SeaweedFS, started with us, kept running, and stopped with us."""

import asyncio
import logging
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from safelight.engines import credentials
from safelight.engines.journal import Journal
from safelight.engines.lock import Lock
from safelight.engines.paths import private_directory
from safelight.engines.postgres import Postgres
from safelight.engines.seaweed import REGION, Seaweed
from safelight.errors import EngineError

_log = logging.getLogger("safelight.engines")
_TRIES = 3
_LONG_ENOUGH = 60.0
"""Seconds that an engine has to run for its next death to count as its first."""
_PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0)


_Part = TypeVar("_Part")


class _Engine(Protocol):
    """What is asked of an engine; the docstrings are in the two that there are."""

    title: str
    journal: Journal
    patience: tuple[float, ...]

    def prepare(self) -> None: ...
    def spawn(self) -> subprocess.Popen[bytes]: ...
    def answers(self) -> bool: ...
    def settle(self) -> None: ...
    def stop(self, child: subprocess.Popen[bytes]) -> None: ...
    def close(self) -> None: ...


class EmbeddedEngines:
    """The engines of one data directory; either can be left out when the user brings his own.

    Everything lies below `data_dir`, which is made for its owner alone if it isn't there; only
    PostgreSQL's files may have to lie elsewhere, when root starts it (see `facts`). `bucket` is
    made. EngineError carries one line that says what to do.
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
        self._wanted = (postgres, storage)
        self._lock: Lock | None = None
        self._postgres: Postgres | None = None
        self._seaweed: Seaweed | None = None
        self._credentials: credentials.Credentials | None = None
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._stopping = False

    @property
    def database_url(self) -> str:
        """PostgreSQL, by its socket, with the password: postgresql://…; from `start` on."""
        return self._started(self._postgres).url

    @property
    def s3_endpoint_url(self) -> str:
        """The object store on this machine, as http://127.0.0.1:PORT; from `start` on."""
        return self._started(self._seaweed).endpoint_url

    @property
    def s3_access_key(self) -> str:
        """Of an identity that may do what `permissions.service_policy` allows, and nothing else."""
        return self._started(self._credentials).s3_access_key

    @property
    def s3_secret_key(self) -> str:
        """Belongs to `s3_access_key`."""
        return self._started(self._credentials).s3_secret_key

    @property
    def s3_setup_access_key(self) -> str:
        """Of an identity that may set the bucket up, and can read no photo; for nobody else."""
        return self._started(self._credentials).s3_setup_access_key

    @property
    def s3_setup_secret_key(self) -> str:
        """Belongs to `s3_setup_access_key`."""
        return self._started(self._credentials).s3_setup_secret_key

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What a start screen should tell, as (label, text): where the data really lies."""
        facts = [("Data", str(self.data_dir))]
        if self._postgres is not None and self._postgres.directory.parent != self.data_dir:
            facts.append(("PostgreSQL's files", str(self._postgres.directory)))
        if self._seaweed is not None:
            facts.append(("Photo store", self._seaweed.endpoint_url))
        return tuple(facts)

    def pids(self) -> dict[str, int]:
        """Tell the process of each engine that was started, by the engine's name."""
        return {title: child.pid for title, child in self._children.items()}

    def rotate_keys(self) -> None:
        """Give the object store new keys, which it takes when it is started next.

        Every link signed by the old ones is refused from then on. EngineError if the engines of
        this data directory are running, or if there is none.
        """
        secrets = self.data_dir / "secrets"
        if not (secrets / "engines.json").is_file():
            raise EngineError(
                f"There is no embedded photo store in {self.data_dir}: set SAFELIGHT_DATA_DIR to"
                " the directory of one."
            )
        lock = Lock(self.data_dir / "lock")
        lock.acquire()
        try:
            credentials.rotate_s3_keys(secrets)
        finally:
            lock.release()

    def start(self) -> None:
        """Start both and return when both answer; nothing happens if they were started.

        Call it from the main thread: when the thread that started them ends, so do they.
        EngineError if it can't be done; then nothing of ours is left running.
        """
        if threading.current_thread() is not threading.main_thread():
            raise EngineError("The embedded engines must be started from the main thread.")
        if self._lock is not None:
            return
        self._stopping = False
        try:
            with _operator_errors(self.data_dir):
                self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        self._take_directory()
        engines = self._engines()
        for engine in reversed(engines):  # SeaweedFS gets ready while PostgreSQL is prepared
            engine.prepare()
            engine.journal.cut()
            self._children[engine.title] = engine.spawn()
        for engine in engines:
            self._settle(engine)

    def _take_directory(self) -> None:
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        private_directory(self.data_dir)
        self.data_dir = self.data_dir.resolve()
        lock = Lock(self.data_dir / "lock")
        lock.acquire()
        self._lock = lock
        secrets = private_directory(self.data_dir / "secrets")
        logs = private_directory(self.data_dir / "logs")
        keys = self._credentials = credentials.kept(secrets)
        if self._wanted[0]:
            self._postgres = Postgres(self.data_dir, keys, Journal(logs / "postgres.log"))
        if self._wanted[1]:
            journal = Journal(logs / "seaweedfs.log")
            self._seaweed = Seaweed(self.data_dir, keys, journal, bucket=self.bucket)

    def _settle(self, engine: _Engine) -> None:
        """Settle it once it answers. One that ends before, hangs or fails is started again."""
        deaths, patience = 0, list(engine.patience)
        deadline = time.monotonic() + patience.pop(0)
        while True:
            answers = engine.answers()
            if answers and _settled(engine, last=not patience):
                return
            child = self._children[engine.title]
            if child.poll() is not None:
                deaths += 1
                if deaths == _TRIES:
                    raise _failed(engine, "ended while it was starting")
            elif answers or time.monotonic() > deadline:
                if not patience:
                    raise _failed(engine, "does not answer")
                engine.stop(child)
                deadline = time.monotonic() + patience.pop(0)
            else:
                time.sleep(0.02)
                continue
            engine.prepare()
            self._children[engine.title] = engine.spawn()

    def stop(self) -> None:
        """End both, within about three and a half seconds, and give the directory up.

        Nothing is raised, and nothing happens if they don't run.
        """
        self._stopping = True
        engines = {engine.title: engine for engine in self._engines()}
        stops = [
            threading.Thread(target=engines[title].stop, args=(child,))
            for title, child in self._children.items()
        ]
        for each in stops:
            each.start()
        for each in stops:
            each.join()
        self._children.clear()
        for engine in engines.values():
            engine.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    async def supervise(self) -> None:
        """Start again whatever engine dies, for ever; run it on the main thread's loop.

        Returns when `stop` was called. Deaths and failures are logged, never raised.
        """
        await asyncio.gather(*(self._supervise(engine) for engine in self._engines()))

    async def _supervise(self, engine: _Engine) -> None:
        deaths, since = 0, time.monotonic()
        while not self._stopping:
            await asyncio.sleep(0.2)
            engine.journal.cut()
            child = self._children.get(engine.title)
            if child is None or child.poll() is None:
                continue
            deaths = 1 if time.monotonic() - since > _LONG_ENOUGH else deaths + 1
            _log.warning("%s ended and is started again.", engine.title)
            await asyncio.sleep(_PAUSES[min(deaths, len(_PAUSES)) - 1])
            since = time.monotonic()
            await self._restart(engine, engine.patience[min(deaths, len(engine.patience)) - 1])

    async def _restart(self, engine: _Engine, patience: float) -> None:
        deadline = time.monotonic() + patience
        try:
            # Not only its leftovers are ended: what it needs may be somebody else's by now.
            await asyncio.to_thread(engine.prepare)
            if self._stopping:
                return
            self._children[engine.title] = child = engine.spawn()
            while child.poll() is None and not self._stopping:
                if await asyncio.to_thread(engine.answers):
                    _log.info("%s is back.", engine.title)
                    return
                if time.monotonic() > deadline:
                    _log.error("%s does not answer.", engine.title)
                    await asyncio.to_thread(engine.stop, child)
                    return
                await asyncio.sleep(0.05)
        except (OSError, EngineError) as error:
            _log.error("%s could not be started again: %s", engine.title, error)

    def _engines(self) -> list[_Engine]:
        return [engine for engine in (self._postgres, self._seaweed) if engine is not None]

    @staticmethod
    def _started(part: _Part | None) -> _Part:
        if part is None:
            raise EngineError("The embedded engine that was asked for is not running.")
        return part


def _settled(engine: _Engine, *, last: bool) -> bool:
    """Settle it, and tell whether that could be done; EngineError if it couldn't the last time."""
    try:
        engine.settle()
    except EngineError:
        if last:
            raise
        return False
    return True


def _failed(engine: _Engine, what: str) -> EngineError:
    error = EngineError(f"{engine.title} {what}: see {engine.journal.path}, and start again.")
    error.__cause__ = RuntimeError(engine.journal.last())
    return error


@contextmanager
def _operator_errors(data_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = f"{error.strerror or error} ({error.filename or data_dir})"
        raise EngineError(
            f"The engines can't be started in {data_dir}: {what}. Mend that, or set"
            " SAFELIGHT_DATA_DIR to another directory."
        ) from error
