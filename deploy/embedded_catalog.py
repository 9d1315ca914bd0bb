"""Dump the catalog of a data directory into a file, or restore it from one.

``python embedded_catalog.py dump safelight-data catalog.dump``, and ``restore`` likewise, with the
Python that Safelight is installed for; no server may run on the data directory meanwhile. What it
is restored into must have no catalog yet.
"""

import subprocess
import sys
from pathlib import Path

from safelight.engines import EmbeddedEngines, wheels
from safelight.errors import OperatorError


def _run(what: str, url: str, file: Path) -> int:
    programs = wheels.postgres_package() / f"pginstall{wheels.POSTGRES_MAJOR}" / "bin"
    command = {
        "dump": ["pg_dump", "--format=custom", "--no-owner", f"--file={file}", url],
        "restore": ["pg_restore", "--no-owner", "--exit-on-error", f"--dbname={url}", str(file)],
    }[what]
    return subprocess.run(  # noqa: S603  the programs of the wheel
        [programs / command[0], *command[1:]], check=False
    ).returncode


def main() -> int:
    """Start PostgreSQL alone, and do what was asked for; gives the exit code."""
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
