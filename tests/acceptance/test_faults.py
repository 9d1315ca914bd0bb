"""Faults between the service and its engines: documented answers, nothing lost, no restart."""

import pytest

from support.torture_run import run_torture


@pytest.mark.timeout(660)  # as long as the torture itself may take
def test_faults_lose_nothing_and_need_no_restart() -> None:
    lines = run_torture(
        "--faults", "--seed", "1", "--rounds", "2", "--clients", "3", "--job-timeout", "5"
    ).splitlines()
    for engine in ("PostgreSQL", "store"):
        faults = {line.split("  ")[0] for line in lines if line.startswith(f"{engine}: ")}
        assert len(faults - {f"{engine}: passed"}) >= 3, lines  # which ones is random
    taken = next(line for line in lines if line.startswith("connections to another program"))
    assert int(taken.split()[-1]) > 0
