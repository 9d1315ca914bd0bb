"""`make torture` as a process of its own, and what it has to tell."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def torture(*arguments: str) -> str:
    """Run it, and see that nothing was wrong and something was done; gives what it told."""
    done = subprocess.run(
        [sys.executable, ROOT / "torture" / "torture.py", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        stderr=subprocess.PIPE,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counted = dict(line.rsplit(maxsplit=1) for line in done.stderr.splitlines() if "  " in line)
    assert counted["wrong"] == "0"
    for what in ("form: 201", "complete: 201", "delete: 204", "edit: 200", "look: 200"):
        assert int(counted.get(what, 0)) > 0, done.stderr
    return done.stderr
