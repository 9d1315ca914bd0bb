"""Create a PostgreSQL data directory, or check the version of an existing one."""

import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from safelight.engines import binaries
from safelight.engines.postgres import account as accounts
from safelight.engines.postgres.layout import Layout
from safelight.engines.processes import Account, Command, run
from safelight.errors import EngineError
from safelight.private_files import sync_directory


def ensure_cluster(
    layout: Layout, programs: Path, *, name: str, password: str, superuser_password: str
) -> None:
    """Ensure that `layout.data` is a cluster with a database `name`, owned by a role of that name.

    It is created under a temporary name and renamed when it is complete, so that a crash never
    leaves a partial one. Raises EngineError if there is one of another major version, or if it
    can't be created.
    """
    for partial in layout.directory.glob("half-*"):
        shutil.rmtree(partial, ignore_errors=True)
    if layout.data.exists():
        _check_version(layout.data)
        return
    if not accounts.has_name():
        raise EngineError(
            f"The user that runs Safelight (number {os.geteuid()}) has no name, and PostgreSQL's"
            " initdb requires one: add it to /etc/passwd, or set SAFELIGHT_DATABASE_URL to use your"
            " own PostgreSQL."
        )
    account = accounts.look_up_account(layout.account) if layout.account else None
    temporary = layout.directory / f"half-{secrets.token_hex(4)}"
    temporary.mkdir(mode=0o700)
    if account is not None:
        accounts.chown_tree(temporary, account)
    _initdb(temporary, programs, account)
    _run_sql(
        temporary,
        programs,
        account,
        (
            f"ALTER ROLE postgres PASSWORD '{superuser_password}'",
            f"CREATE ROLE {name} LOGIN PASSWORD '{password}'",
            f"CREATE DATABASE {name} OWNER {name}",
            "REVOKE ALL ON DATABASE postgres FROM PUBLIC",
        ),
    )
    _overwrite(temporary / "pg_hba.conf", b"local all all scram-sha-256\n")
    if layout.account is not None:
        accounts.chown_tree(temporary, layout.account)
    temporary.rename(layout.data)
    sync_directory(layout.directory)


def _overwrite(path: Path, data: bytes) -> None:
    """Replace the content of a file in a directory of another user; links are not followed."""
    fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(fd, "wb") as file:
        file.write(data)


def _check_version(data: Path) -> None:
    try:
        version = (data / "PG_VERSION").read_text().strip()
    except OSError:
        version = "unknown"
    if version != str(binaries.POSTGRES_MAJOR):
        raise EngineError(
            f"The database in {data} was created by PostgreSQL {version}, and this Safelight has"
            f" PostgreSQL {binaries.POSTGRES_MAJOR}: dump it with the Safelight that created it,"
            " and restore it with this one (docs/backup.md, 'Another major version of PostgreSQL')."
        )


def _initdb(temporary: Path, programs: Path, account: Account | None) -> None:
    """Create the files of a server that rejects all logins for now."""
    options = [
        *("-D", str(temporary), "--username=postgres", "--auth=reject"),
        *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        "--no-instructions",
    ]
    _run_or_raise([programs / "initdb", *options], temporary, account, "")


def _run_sql(
    temporary: Path, programs: Path, account: Account | None, commands: Sequence[str]
) -> None:
    """Run SQL in the server's single-user mode, which reads one command per line."""
    argv: list[str | Path] = [programs / "postgres", "--single", "-D", str(temporary), "postgres"]
    _run_or_raise(argv, temporary, account, "".join(f"{command}\n" for command in commands))


def _run_or_raise(
    argv: Sequence[str | Path], temporary: Path, account: Account | None, text: str
) -> None:
    command = Command(argv=argv, environ={"TZ": "UTC"}, account=account)
    status, output = run(command, text)
    if status != 0 or "ERROR:" in output:
        shutil.rmtree(temporary, ignore_errors=True)
        raise EngineError(
            f"PostgreSQL's files could not be created in {temporary.parent}: {_last_line(output)}."
            " Fix that, and start again."
        ) from RuntimeError(output)


def _last_line(output: str) -> str:
    return output.splitlines()[-1] if output else "no output"
