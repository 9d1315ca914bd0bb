"""What every test may ask for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from safelight.engines import EmbeddedEngines


@pytest.fixture(scope="session")
def open_tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A temporary folder that any user of the machine may pass through.

    pytest keeps its own closed, and an engine that root starts runs as somebody else.
    """
    folder = tmp_path_factory.mktemp("open")
    folder.chmod(0o711)
    folder.parent.chmod(0o711)
    folder.parent.parent.chmod(0o711)
    return folder


@pytest.fixture(scope="session")
def engines(open_tmp_path: Path) -> Iterator[EmbeddedEngines]:
    """PostgreSQL and SeaweedFS, started once a run. Don't kill these."""
    embedded = EmbeddedEngines(open_tmp_path / "engines", bucket="safelight")
    embedded.start()
    yield embedded
    embedded.stop()
