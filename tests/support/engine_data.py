"""Copy a prepared data directory of the embedded engines, since a copy starts three times faster.

It is prepared once per test run, by the first test that needs it, and shared by all workers.
"""

import asyncio
import fcntl
import os
import subprocess
from pathlib import Path

from safelight.catalog.catalog import Catalog
from safelight.engines import EmbeddedEngines
from safelight.engines.seaweedfs import ports
from support.databases import MIGRATED, create_database

VARIABLE = "TESTS_ENGINE_DATA"
"""Names the run's directory for the template. The root conftest sets it."""

_LEFT_OUT = ("lock", "ports.json", "logs", "postgres/lock", "seaweedfs/s3.sock")
"""Files of one start."""


def copy_engine_data(data_dir: Path) -> None:
    """Create a data directory whose PostgreSQL has all migrations, and whose bucket is empty."""
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", "--reflink=auto", _template(), data_dir], check=True)
    # Engines keep their S3 port while they are stopped, so it must be one that no others prefer.
    chosen = ports.load_or_choose(data_dir / "ports.json", failed=ports.Ports(**ports.PREFERRED))
    assert chosen.s3 != ports.PREFERRED["s3"]


def _template() -> Path:
    folder = Path(os.environ[VARIABLE])
    template = folder / "template"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            _prepare(folder / "preparing").rename(template)
    return template


def _prepare(directory: Path) -> Path:
    engines = EmbeddedEngines(directory, bucket="safelight")
    engines.start()
    try:
        asyncio.run(_migrate(engines.database_url))
        create_database(engines, MIGRATED, template="safelight")
    finally:
        engines.stop()
    for name in _LEFT_OUT:
        subprocess.run(["rm", "-rf", directory / name], check=True)
    # Tests kill only processes, never the machine, so writes in the page cache are not lost.
    with (directory / "postgres" / "data" / "postgresql.auto.conf").open("a") as settings:
        settings.write("fsync = off\n")
    return directory


async def _migrate(url: str) -> None:
    catalog = Catalog(url)
    try:
        await catalog.upgrade()
    finally:
        await catalog.close()
