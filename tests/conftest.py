"""What every test may ask for."""

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from safelight.engines import EmbeddedEngines


def pytest_configure() -> None:
    """Let Ctrl-C reach what the tests start, also when they run in a shell's background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
