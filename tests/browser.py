"""Finds a Chromium for the tests of the pages, or gets one: ``python tests/browser.py``.

It is looked for where SAFELIGHT_TEST_CHROMIUM points, on PATH, and among Playwright's downloads.
Where there is none, root on Debian gets it by apt, and anybody else by ``playwright install``.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

VARIABLE = "SAFELIGHT_TEST_CHROMIUM"
MISSING = (
    "no Chromium was found and none could be got, so the pages are not tested in a browser:"
    f" install one, or set {VARIABLE}"
)
ARGUMENTS = (
    "--headless",
    "--no-sandbox",  # Root has no other way; nothing but our own pages is opened.
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

_COMMANDS = ("chromium", "google-chrome", "google-chrome-stable")
_DOWNLOADS = ("chromium-*/chrome-linux*/chrome", "chromium_headless_shell-*/*/*headless*shell")
_SECONDS = 600


def find() -> Path | None:
    """Tell where a Chromium is. What the variable names is taken as it is, or is an error."""
    if named := os.environ.get(VARIABLE):
        if not os.access(named, os.X_OK):
            sys.exit(f"{VARIABLE} is {named}, which is no program that can be run")
        return Path(named)
    on_path = filter(None, map(shutil.which, _COMMANDS))
    return next(map(Path, on_path), None) or _downloaded()


def _downloaded() -> Path | None:
    kept = os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright"
    programs = (found for pattern in _DOWNLOADS for found in sorted(Path(kept).glob(pattern)))
    return next((each for each in programs if os.access(each, os.X_OK)), None)


def get() -> Path | None:
    """Install one, quietly; None if that can't be done here."""
    print("Getting a Chromium for the tests of the pages …", flush=True)  # noqa: T201  this is a program
    if os.geteuid() == 0 and _on_debian():
        packages = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]
        if _succeeds("apt-get", "update", "-qq") and _succeeds(*packages):
            return find()
    _succeeds(sys.executable, "-m", "playwright", "install", "chromium")
    return find()


def _on_debian() -> bool:
    """Ubuntu is none: its package of that name brings a snap, which doesn't run as it should."""
    release = Path("/etc/os-release")
    return release.exists() and "ID=debian" in release.read_text().splitlines()


def _succeeds(*command: str) -> bool:
    try:
        ended = subprocess.run(
            command,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ended.returncode == 0


def demanded() -> bool:
    """Whether a missing browser is a failure: where the tests run for everybody."""
    return os.environ.get("CI", "").lower() == "true"


def main() -> None:
    """Have a browser, or say in one line that there is none."""
    if find() or get():
        return
    print(f"tests: {MISSING}", file=sys.stderr)  # noqa: T201  this is a program
    sys.exit(1 if demanded() else 0)


if __name__ == "__main__":
    main()
