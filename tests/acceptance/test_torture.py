"""A short run of `make torture`: nothing acknowledged is lost, whichever process is killed."""

import pytest

from support.torture_run import run_torture


@pytest.mark.timeout(660)  # as long as the torture itself may take
def test_nothing_acknowledged_is_lost_when_processes_are_killed() -> None:
    output = run_torture("--seed", "1", "--kills", "6", "--clients", "2", "--job-timeout", "5")
    for victim in ("server", "worker", "darkroom child", "PostgreSQL", "SeaweedFS"):
        assert f"killed: {victim}  " in output
    assert "adopt: " in output
