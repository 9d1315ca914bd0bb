"""Take chance out of a test run: workers never want the same ports, and links don't change.

Both the tests' processes and those that they fork apply this.
"""

import os
import time
from datetime import timedelta

from safelight import keys
from safelight.catalog import Catalog
from safelight.engines.seaweedfs import ports

_WORKERS = 6
"""More workers share ports, and then rely on luck."""
_WINDOW, _REST = 86_400, 3_600
"""Seconds: the default window of links, and how long the links of new photos stay the same."""

_random_id = keys.new_storage_id
_is_patient = False


def worker_number() -> int:
    """Return the number of this worker of pytest-xdist, from 0; 0 without workers."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def share(of: range, worker: int) -> range:
    """Return the part of a range of ports that belongs to a worker."""
    size = len(of) // _WORKERS
    start = of.start + worker % _WORKERS * size
    return range(start, start + size)


def apply(worker: int) -> None:
    """Choose the ports of embedded stores from the worker's share, and ids whose links last.

    The share leaves out the gRPC ports, which are 10,000 higher, of all workers. A link is signed
    for a day that begins at a time of its own for each photo: in a hundred photos that a test lists
    twice, one link may have changed.
    """
    ports._BELOW_EPHEMERAL = share(range(10_000, 20_000), worker)
    keys.new_storage_id = _lasting_id


def be_patient() -> None:
    """Give PostgreSQL a minute for each statement instead of four seconds.

    On a machine that stalls for five, requests would get a 503. The torture is not patient.
    """
    global _is_patient  # noqa: PLW0603  for the processes that this one starts
    _is_patient = True
    set_database_deadline(timedelta(minutes=1))


def is_patient() -> bool:
    return _is_patient


def set_database_deadline(deadline: timedelta) -> timedelta:
    """Set the default deadline, and return the former one."""
    defaults = Catalog.__init__.__kwdefaults__
    assert defaults is not None
    former: timedelta = defaults["deadline"]
    defaults["deadline"] = deadline
    return former


def _lasting_id() -> str:
    while True:
        storage_id = _random_id()
        if (int(time.time()) - int(storage_id, 16)) % _WINDOW < _WINDOW - _REST:
            return storage_id
