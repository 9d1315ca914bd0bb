"""Copy a prepared data directory of the embedded engines, since a copy starts three times faster.

It is prepared once per test run, by the first test that needs it, and shared by all workers.
"""

import os
from dataclasses import asdict
from pathlib import Path

from safelight.engines.seaweedfs import ports
from safelight.testing.databases import EngineTemplate

VARIABLE = "TESTS_ENGINE_DATA"
"""Names the run's directory for the template. The root conftest sets it."""

_chosen: set[int] = set()
"""The ports of all engines that this process has made."""


def copy_engine_data(data_dir: Path) -> None:
    """Create a data directory whose PostgreSQL has all migrations, and whose bucket is empty."""
    EngineTemplate(Path(os.environ[VARIABLE]), storage=True).copy(data_dir)
    # Engines keep their S3 port while they are stopped, so it must be one that no others choose.
    path = data_dir / "ports.json"
    while True:
        chosen = ports.load_or_choose(path, failed=ports.Ports(**ports.PREFERRED))
        assert chosen.s3 != ports.PREFERRED["s3"]
        if not _chosen.intersection(asdict(chosen).values()):
            break
        path.unlink()
    _chosen.update(asdict(chosen).values())
