"""A short turn of `make torture`: nothing that was acknowledged is lost, whatever is killed."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def torture(*arguments: str) -> str:
    """Run it in a process of its own, as `make torture` does; gives what it told."""
    done = subprocess.run(
        [sys.executable, ROOT / "torture" / "torture.py", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        stderr=subprocess.PIPE,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_nothing_acknowledged_is_lost_whoever_is_killed() -> None:
    told = torture("--seed", "1", "--kills", "6", "--patience", "5")
    for victim in ("server", "worker", "darkroom child", "PostgreSQL", "SeaweedFS"):
        assert f"killed: {victim}" in told
    something_was_done(told)


def something_was_done(told: str) -> None:
    counted = dict(line.rsplit(maxsplit=1) for line in told.splitlines() if "  " in line)
    assert counted["wrong"] == "0"
    for what in ("form: 201", "complete: 201", "delete: 204", "edit: 200", "look: 200"):
        assert int(counted[what]) > 0, told
