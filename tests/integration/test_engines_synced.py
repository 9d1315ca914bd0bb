"""That what was acknowledged is on the disk, and not only on its way there."""

import ctypes
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.engine_driver import put, row
from safelight.engines import EmbeddedEngines
from safelight.engines.seaweed import Seaweed

_CACHESTAT = 451
_SIZE = 2_400_000


def _unsynced(path: Path) -> int:
    """How many pages of a file are not on the disk yet, by cachestat(2) of Linux 6.5; or -1."""
    ranges = (ctypes.c_uint64 * 2)(0, 0)
    counts = (ctypes.c_uint64 * 5)()  # cached, dirty, being written, evicted, lately evicted
    fd = os.open(path, os.O_RDONLY)
    try:
        if ctypes.CDLL(None).syscall(_CACHESTAT, fd, ranges, counts, 0) != 0:
            return -1
    finally:
        os.close(fd)
    return counts[1] + counts[2]


def _can_tell() -> bool:
    """Whether this kernel and this disk show the difference between written and synced."""
    with tempfile.NamedTemporaryFile(dir="/var/tmp") as file:
        file.write(secrets.token_bytes(_SIZE))
        file.flush()
        before = _unsynced(Path(file.name))
        os.fsync(file.fileno())
        return before > 0 and _unsynced(Path(file.name)) == 0


@pytest.fixture(scope="module")
def on_disk() -> Iterator[EmbeddedEngines]:
    """Engines whose files lie on a real disk, which /tmp need not be."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        engines = EmbeddedEngines(Path(folder) / "data", bucket="safelight", postgres=False)
        engines.start()
        yield engines
        engines.stop()


def _seaweed(engines: EmbeddedEngines) -> Seaweed:
    assert engines._seaweed is not None
    return engines._seaweed


def _pages_left_by_a_put(engines: EmbeddedEngines) -> int:
    put(engines, f"photos/{secrets.token_hex(8)}/original", secrets.token_bytes(_SIZE))
    volumes = _seaweed(engines).directory.glob("safelight_*.dat")
    return sum(map(_unsynced, volumes))


if _can_tell():

    def test_nothing_of_a_photo_is_unsynced_when_its_put_is_answered(
        on_disk: EmbeddedEngines,
    ) -> None:
        assert [_pages_left_by_a_put(on_disk) for _ in range(5)] == [0] * 5

    def test_without_the_rule_a_put_leaves_pages_unsynced(on_disk: EmbeddedEngines) -> None:
        """Or else the test above would show nothing; and the next start puts the rule back."""
        shell = _seaweed(on_disk).shell
        said = shell("fs.configure -locationPrefix=/buckets/safelight/ -delete -apply")
        assert '"fsync":  true' not in said
        assert _pages_left_by_a_put(on_disk) > _SIZE // 4096 // 2
        on_disk.stop()
        on_disk.start()
        assert _pages_left_by_a_put(on_disk) == 0


def test_the_rule_is_there_after_every_start(on_disk: EmbeddedEngines) -> None:
    shell = _seaweed(on_disk).shell
    shell("fs.configure -locationPrefix=/buckets/safelight/ -delete -apply")
    assert '"fsync":  true' not in shell("fs.configure")
    on_disk.stop()
    on_disk.start()
    assert '"fsync":  true' in shell("fs.configure")


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_postgresql_syncs_every_commit(engines: EmbeddedEngines, setting: str) -> None:
    assert row(engines.database_url, f"SHOW {setting}") == "on"


def test_postgresql_checks_its_pages(engines: EmbeddedEngines) -> None:
    assert row(engines.database_url, "SHOW data_checksums") == "on"
