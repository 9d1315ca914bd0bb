"""What every test may ask for."""

import contextlib
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from safelight.engines import EmbeddedEngines
from safelight.engines.ports import USUAL

_held: list[socket.socket] = []


def pytest_configure() -> None:
    """Let Ctrl-C reach what the tests start, also when they run in a shell's background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _hold_the_usual_port()


def _hold_the_usual_port() -> None:
    """Keep every engine of the tests off the S3 port that comes first to all of them.

    One that is stopped for a moment would lose it to another, and may not take a new one.
    """
    with contextlib.suppress(OSError):
        _held.append(socket.create_server(("127.0.0.1", USUAL["s3"])))


def pytest_unconfigure() -> None:
    """Let it go."""
    for each in _held:
        each.close()


@pytest.fixture(scope="session")
def open_tmp_path() -> Iterator[Path]:
    """A temporary folder that any user of the machine may pass through.

    pytest closes its own, and whenever another run of it begins; but an engine that root starts
    runs as somebody else.
    """
    with tempfile.TemporaryDirectory(prefix="safelight-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture(scope="session")
def engines(open_tmp_path: Path) -> Iterator[EmbeddedEngines]:
    """PostgreSQL and SeaweedFS, started once a run. Don't kill these."""
    embedded = EmbeddedEngines(open_tmp_path / "engines", bucket="safelight")
    embedded.start()
    yield embedded
    embedded.stop()
