"""What the supervisor calls, and the errors of a start."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from safelight.engines.logfile import LogFile
from safelight.errors import EngineError

Child = subprocess.Popen[bytes]


class Engine(Protocol):
    """An engine, as the supervisor sees it; the two engines document the details."""

    title: str
    log_file: LogFile
    start_limits: tuple[float, ...]

    def prepare(self) -> None:
        """Write its files, and stop servers of an earlier run."""

    def spawn(self) -> Child:
        """Start the server."""

    def is_ready(self) -> bool:
        """Return whether the started server can be used."""

    def needs_restart(self) -> bool:
        """Return whether the running server should be restarted."""

    def configure(self) -> None:
        """Configure the server, once it is ready."""

    def stop(self, child: Child) -> None:
        """Stop the server gracefully, or kill it."""

    def close(self) -> None:
        """Release what it holds outside its process."""


def start_error(engine: Engine, problem: str) -> EngineError:
    """Return an error with the end of the engine's log as its cause."""
    error = EngineError(f"{engine.title} {problem}: see {engine.log_file.path}, and start again.")
    error.__cause__ = RuntimeError(engine.log_file.tail())
    return error


@contextmanager
def operator_errors(data_dir: Path) -> Iterator[None]:
    """Raise EngineError for an OSError, with what to do."""
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror or error} ({error.filename or data_dir})"
        raise EngineError(
            f"The engines can't be started in {data_dir}: {reason}. Fix that, or set"
            " SAFELIGHT_DATA_DIR to another directory."
        ) from error
