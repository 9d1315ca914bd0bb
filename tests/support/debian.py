"""Programs that only Debian has, for the tests of `make test-system`."""

import os
import shutil
import subprocess
from functools import cache

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@cache
def program(name: str, package: str | None = None) -> str:
    """Return the path of a program; install its package if it is missing."""
    if found := shutil.which(name, path=_PATH):
        return found
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package or name],
    ):
        subprocess.run(command, env=environ, check=True, timeout=120, stdout=subprocess.DEVNULL)
    found = shutil.which(name, path=_PATH)
    assert found, f"the package of {name} has no such program"
    return found
