"""Dump the catalog of a data directory to a file, or restore it from one.

Run ``python embedded_catalog.py dump safelight-data catalog.dump``, or ``restore`` instead of
``dump``, with the Python of Safelight's environment and with the server stopped. Restore only into
a data directory that has no catalog yet.
"""

import subprocess
import sys
from pathlib import Path

from safelight.engines import EmbeddedEngines, binaries
from safelight.errors import OperatorError


def _run(what: str, url: str, file: Path) -> int:
    programs = binaries.postgres_package() / f"pginstall{binaries.POSTGRES_MAJOR}" / "bin"
    command = {
        "dump": ["pg_dump", "--format=custom", "--no-owner", f"--file={file}", url],
        "restore": ["pg_restore", "--no-owner", "--exit-on-error", f"--dbname={url}", str(file)],
    }[what]
    return subprocess.run(  # noqa: S603  programs from the wheel
        [programs / command[0], *command[1:]], check=False
    ).returncode


def main() -> int:
    """Start only PostgreSQL, dump or restore, and return the exit code."""
    what, folder, file = sys.argv[1:]
    if what not in {"dump", "restore"} or not Path(folder).is_dir():
        sys.exit(__doc__)
    engines = EmbeddedEngines(Path(folder), bucket="safelight", storage=False)
    try:
        engines.start()
        return _run(what, engines.database_url.replace("+psycopg", "", 1), Path(file))
    except OperatorError as error:
        sys.exit(f"embedded_catalog: {error}")
    finally:
        engines.stop()


if __name__ == "__main__":
    sys.exit(main())
