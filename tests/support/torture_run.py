"""Run `make torture` in a separate process."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_torture(*arguments: str) -> str:
    """Run it, check that it did something and found no violation, and return its output."""
    done = subprocess.run(
        [sys.executable, ROOT / "torture" / "torture.py", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        stderr=subprocess.PIPE,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counted = dict(line.rsplit(maxsplit=1) for line in done.stderr.splitlines() if "  " in line)
    assert counted["violations"] == "0"
    for outcome in ("form: 201", "complete: 201", "delete: 204", "edit: 200", "view: 200"):
        assert int(counted.get(outcome, 0)) > 0, done.stderr
    return done.stderr
