"""A PostgreSQL data directory: made whole or not at all, and of the version we run."""

import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from safelight.engines import account as accounts
from safelight.engines import wheels
from safelight.engines.paths import sync_directory
from safelight.engines.place import Place
from safelight.engines.processes import Account, Command, run
from safelight.errors import EngineError


def ensure(
    place: Place, programs: Path, *, name: str, password: str, superuser_password: str
) -> None:
    """See that `place.data` is a cluster with a database `name`, owned by a role of that name.

    It is made under another name first, and gets its own when it is complete, so that a crash at
    any point leaves nothing half-made there. EngineError if there is one of another major version,
    or none can be made.
    """
    for half in place.directory.glob("half-*"):
        shutil.rmtree(half, ignore_errors=True)
    if place.data.exists():
        _check_version(place.data)
        return
    if not accounts.has_name():
        raise EngineError(
            f"The user that runs Safelight (number {os.geteuid()}) has no name, and PostgreSQL's"
            " initdb wants one: add it to /etc/passwd, or set SAFELIGHT_DATABASE_URL to use your"
            " own PostgreSQL."
        )
    maker = accounts.named(place.account) if place.account else None
    half = place.directory / f"half-{secrets.token_hex(4)}"
    half.mkdir(mode=0o700)
    if maker is not None:
        accounts.give(half, maker)
    _initdb(half, programs, maker)
    _command(
        half,
        programs,
        maker,
        (
            f"ALTER ROLE postgres PASSWORD '{superuser_password}'",
            f"CREATE ROLE {name} LOGIN PASSWORD '{password}'",
            f"CREATE DATABASE {name} OWNER {name}",
            "REVOKE ALL ON DATABASE postgres FROM PUBLIC",
        ),
    )
    (half / "pg_hba.conf").write_text("local all all scram-sha-256\n")
    if place.account is not None:
        accounts.give(half, place.account)
    half.rename(place.data)
    sync_directory(place.directory)


def _check_version(data: Path) -> None:
    try:
        version = (data / "PG_VERSION").read_text().strip()
    except OSError:
        version = "unknown"
    if version != str(wheels.POSTGRES_MAJOR):
        raise EngineError(
            f"The database in {data} was made by PostgreSQL {version}, and this Safelight brings"
            f" PostgreSQL {wheels.POSTGRES_MAJOR}: dump it with the Safelight that made it, and"
            " restore it with this one (docs/backup.md, 'Another major version of PostgreSQL')."
        )


def _initdb(half: Path, programs: Path, maker: Account | None) -> None:
    """Make the files, for a server that lets nobody in yet."""
    options = [
        *("-D", str(half), "--username=postgres", "--auth=reject"),
        *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        "--no-instructions",
    ]
    _succeed([programs / "initdb", *options], half, maker, "")


def _command(half: Path, programs: Path, maker: Account | None, commands: Sequence[str]) -> None:
    """Run SQL in the server's single-user mode, which takes a command a line."""
    argv: list[str | Path] = [programs / "postgres", "--single", "-D", str(half), "postgres"]
    _succeed(argv, half, maker, "".join(f"{command}\n" for command in commands))


def _succeed(argv: Sequence[str | Path], half: Path, maker: Account | None, text: str) -> None:
    command = Command(argv=argv, environ={"TZ": "UTC"}, account=maker)
    status, said = run(command, text)
    if status != 0 or "ERROR:" in said:
        shutil.rmtree(half, ignore_errors=True)
        raise EngineError(
            f"PostgreSQL's files could not be made in {half.parent}: {_last_line(said)}"
        ) from RuntimeError(said)


def _last_line(said: str) -> str:
    return said.splitlines()[-1] if said else "it said nothing"
