"""Fixtures and hooks for all tests."""

import contextlib
import functools
import gc
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, settings

from safelight.engines import EmbeddedEngines
from safelight.engines.seaweedfs.ports import PREFERRED
from support import determinism, engine_data

pytest_plugins = ["safelight.testing"]

_IS_CI = os.environ.get("CI", "").lower() == "true"

# On a busy machine the slowest example says nothing about the code. `timeout` limits the test.
settings.register_profile(
    "tests",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    # Where a failure stops a change, each run tries the same examples. Others try fewer, but new
    # ones each time.
    derandomize=_IS_CI,
    max_examples=100 if _IS_CI else 50,
)
settings.load_profile("tests")

_MEMORY_DISK = Path("/dev/shm")
_SPACE = 6 << 30
"""Bytes that the files of a test run may need at once."""

_LONGEST = (
    *("acceptance/test_gallery_uploads", "acceptance/test_torture", "acceptance/test_faults"),
    *("integration/test_pixel_limit", "acceptance/test_fleet", "integration/test_http_outages"),
    *("integration/test_engines_survival", "integration/test_corpus", "acceptance/test_gallery"),
    *("acceptance/test_cli", "acceptance/test_serve", "acceptance/test_cli_import"),
    *("acceptance/test_crashes", "integration/test_engines_start", "integration/test_worker"),
    *("acceptance/test_wheel", "acceptance/test_lan", "acceptance/test_observed"),
    *("acceptance/test_cli_trouble", "integration/test_backup", "integration/test_http_names"),
    *("acceptance/test_pages_photos", "acceptance/test_pages", "integration/test_darkroom"),
)
"""The files that take longest. They come first, so that no worker is alone at the end."""

# Each program that the tests start would compile all modules again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

_open = contextlib.ExitStack()
_patches = _open.enter_context(pytest.MonkeyPatch.context())


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C reach the programs of the tests, also if a shell runs pytest in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # For each client httpx reads the certificates of all authorities, which takes 50 ms of CPU.
    transport = "httpx._transports.default.create_ssl_context"
    _patches.setattr(transport, functools.cache(httpx.create_ssl_context))
    # Its five seconds are less than a busy machine may need for a response.
    for step in ("connect", "read", "write", "pool"):
        setattr(httpx._config.DEFAULT_TIMEOUT_CONFIG, step, 120)
    # Servers close idle connections after five seconds, maybe just when a request is sent.
    httpx._config.DEFAULT_LIMITS.keepalive_expiry = 1
    # Looking for garbage among the items of all tests again and again takes a tenth of the time.
    gc.set_threshold(50_000)
    determinism.apply(determinism.worker_number())
    determinism.be_patient()
    _reserve_preferred_ports()
    if not hasattr(config, "workerinput"):  # xdist's workers inherit the environment
        _prefer_memory_to_disk()
        os.environ[engine_data.VARIABLE] = str(_open.enter_context(_traversable_folder()))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        ranks = {name: rank for rank, name in enumerate(_LONGEST)}
        tests = Path(__file__).parent
        items.sort(
            key=lambda item: ranks.get(
                item.path.relative_to(tests).with_suffix("").as_posix(), len(ranks)
            )
        )


def pytest_collection_finish() -> None:
    gc.freeze()  # the items stay until the end


def _prefer_memory_to_disk() -> None:
    """Keep temporary files in memory if it has room: engines sync theirs at each write.

    Tests of syncing always use a disk.
    """
    has_room = os.access(_MEMORY_DISK, os.W_OK) and shutil.disk_usage(_MEMORY_DISK).free > _SPACE
    if "TMPDIR" not in os.environ and has_room:
        os.environ["TMPDIR"] = str(_MEMORY_DISK)
        tempfile.tempdir = None


def _reserve_preferred_ports() -> None:
    """Occupy the ports that all embedded stores prefer, so that each chooses others at random.

    Otherwise those that start at the same moment want the same ports, and a store that is stopped
    for a moment loses its S3 port to that of another test.
    """
    for port in PREFERRED.values():
        with contextlib.suppress(OSError):
            _open.enter_context(socket.create_server(("127.0.0.1", port)))


def pytest_unconfigure() -> None:
    _open.close()


@contextlib.contextmanager
def _traversable_folder() -> Iterator[Path]:
    """Create a temporary folder that every user of the machine may enter, unlike `tmp_path`.

    If root starts the engines, PostgreSQL runs as another user.
    """
    with tempfile.TemporaryDirectory(prefix="safelight-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture(scope="session")
def open_tmp_path() -> Iterator[Path]:
    """A temporary folder that every user of the machine may enter."""
    with _traversable_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def engines(open_tmp_path: Path) -> Iterator[EmbeddedEngines]:
    """PostgreSQL and SeaweedFS, started once per worker. Tests must not stop or kill them."""
    engine_data.copy_engine_data(open_tmp_path / "engines")
    embedded = EmbeddedEngines(open_tmp_path / "engines", bucket="safelight")
    embedded.start()
    yield embedded
    embedded.stop()
