"""Acknowledged writes are synced to disk."""

import ctypes
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from safelight.engines import EmbeddedEngines
from safelight.engines.seaweedfs.server import Seaweed
from support.engine_driver import put, query_value

_CACHESTAT = 451
_SIZE = 2_400_000


def _unsynced(path: Path) -> int:
    """Count a file's pages that aren't on disk, by cachestat(2) of Linux 6.5; -1 if unknown."""
    ranges = (ctypes.c_uint64 * 2)(0, 0)
    counts = (ctypes.c_uint64 * 5)()  # cached, dirty, being written, evicted, lately evicted
    fd = os.open(path, os.O_RDONLY)
    try:
        if ctypes.CDLL(None).syscall(_CACHESTAT, fd, ranges, counts, 0) != 0:
            return -1
    finally:
        os.close(fd)
    return counts[1] + counts[2]


def _shows_syncs() -> bool:
    """Check whether this kernel and disk distinguish written from synced pages."""
    with tempfile.NamedTemporaryFile(dir="/var/tmp") as file:
        file.write(secrets.token_bytes(_SIZE))
        file.flush()
        before = _unsynced(Path(file.name))
        os.fsync(file.fileno())
        return before > 0 and _unsynced(Path(file.name)) == 0


@pytest.fixture(scope="module")
def on_disk() -> Iterator[EmbeddedEngines]:
    """Engines with files on a real disk: /tmp may be in memory."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        engines = EmbeddedEngines(Path(folder) / "data", bucket="safelight", postgres=False)
        engines.start()
        yield engines
        engines.stop()


def _seaweed(engines: EmbeddedEngines) -> Seaweed:
    assert engines._seaweed is not None
    return engines._seaweed


def _volumes(engines: EmbeddedEngines) -> list[Path]:
    return list(_seaweed(engines).directory.glob("safelight_*.dat"))


def _pages_left_by_a_put(engines: EmbeddedEngines) -> int:
    for volume in _volumes(engines):  # earlier writes, such as the record of a deletion
        with volume.open("rb") as file:
            os.fsync(file.fileno())
    put(engines, f"photos/{secrets.token_hex(8)}/original", secrets.token_bytes(_SIZE))
    return sum(map(_unsynced, _volumes(engines)))


_needs_cachestat = pytest.mark.skipif(
    not _shows_syncs(), reason="this kernel or disk does not show which pages are synced"
)


@_needs_cachestat
def test_put_is_synced_before_its_response(
    on_disk: EmbeddedEngines,
) -> None:
    assert [_pages_left_by_a_put(on_disk) for _ in range(5)] == [0] * 5


@_needs_cachestat
def test_put_without_the_rule_leaves_unsynced_pages(on_disk: EmbeddedEngines) -> None:
    """Otherwise the test above would prove nothing. The next start restores the rule."""
    shell = _seaweed(on_disk).shell
    output = shell("fs.configure -locationPrefix=/buckets/safelight/ -delete -apply")
    assert '"fsync":  true' not in output
    # A busy kernel may write some of them at once.
    assert max(_pages_left_by_a_put(on_disk) for _ in range(5)) > _SIZE // 4096 // 2
    on_disk.stop()
    on_disk.start()
    assert _pages_left_by_a_put(on_disk) == 0


def test_fsync_rule_exists_after_every_start(on_disk: EmbeddedEngines) -> None:
    shell = _seaweed(on_disk).shell
    shell("fs.configure -locationPrefix=/buckets/safelight/ -delete -apply")
    assert '"fsync":  true' not in shell("fs.configure")
    on_disk.stop()
    on_disk.start()
    assert '"fsync":  true' in shell("fs.configure")


@pytest.fixture(scope="module")
def new_postgres(open_tmp_path: Path) -> Iterator[EmbeddedEngines]:
    """A PostgreSQL with our settings only: the shared one doesn't sync."""
    engines = EmbeddedEngines(open_tmp_path / "synced", bucket="safelight", storage=False)
    engines.start()
    yield engines
    engines.stop()


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_postgresql_syncs_every_commit(new_postgres: EmbeddedEngines, setting: str) -> None:
    assert query_value(new_postgres.database_url, f"SHOW {setting}") == "on"


def test_postgresql_has_page_checksums(new_postgres: EmbeddedEngines) -> None:
    assert query_value(new_postgres.database_url, "SHOW data_checksums") == "on"
