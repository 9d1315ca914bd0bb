"""Where PostgreSQL's files lie, as whom it runs, and which copy of its programs it runs from.

As an ordinary user: in the data directory, as that user, from the wheel. As root: as an account of
its own; in the data directory if that account can reach it, else below /var/lib/safelight; from the
wheel if it can be reached, else from a copy beside the files. What was chosen is written down in
the data directory before anything is made there, and holds from then on.
"""

import json
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from safelight.engines import account as accounts
from safelight.engines import wheels
from safelight.engines.paths import private_directory, write_whole
from safelight.engines.processes import Account
from safelight.errors import EngineError

OUTSIDE = Path("/var/lib/safelight")
_PROGRAMS = (
    Path("bin/initdb"),
    Path("bin/postgres"),
    Path("lib/postgresql"),
    Path("share"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The directory that holds everything of PostgreSQL's, and the account it runs as.

    The directory belongs to us; a group of that account's may pass through it, and nobody else.
    `account` None means that it runs as we do.
    """

    directory: Path
    account: Account | None

    @property
    def data(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.directory / "data"


def settled(data_dir: Path) -> Place:
    """Find the place chosen for a data directory, or choose it now; its directory exists."""
    note = data_dir / "postgres.json"
    place = _read(note, data_dir) if note.exists() else _choose(note, data_dir)
    private_directory(place.directory)
    if place.account is not None:
        accounts.let_pass(place.directory, place.account)
    if not accounts.can_reach(place.data, place.account):
        raise EngineError(
            f"PostgreSQL's user can't reach its files in {place.directory} any more: some directory"
            " above it was closed to others; open it again for passing through (chmod o+x)."
        )
    return place


def _choose(note: Path, data_dir: Path) -> Place:
    account = accounts.drawn()
    inside = data_dir / "postgres"
    directory = inside
    if account is not None:
        accounts.let_pass(data_dir, account)
        if not accounts.can_reach(inside, account):
            OUTSIDE.mkdir(mode=0o711, exist_ok=True)
            directory = OUTSIDE / secrets.token_hex(8)
    choice = {
        "directory": None if directory == inside else str(directory),
        "user": account.uid if account else None,
    }
    write_whole(note, json.dumps(choice).encode())
    return Place(directory=directory, account=account)


def _read(note: Path, data_dir: Path) -> Place:
    try:
        choice = json.loads(note.read_bytes())
        directory = Path(choice["directory"] or data_dir / "postgres")
        user = choice["user"] and int(choice["user"])
    except (ValueError, TypeError, KeyError) as error:
        raise EngineError(f"{note} can't be read: put back a copy of it.") from error
    return Place(directory=directory, account=_runs_as(user, directory / "data"))


def _runs_as(user: int | None, data: Path) -> Account | None:
    if os.geteuid() != 0:
        return None
    if user is None:  # made by an ordinary user, and started by root now
        facts = data.stat() if data.exists() else None
        if facts is None or facts.st_uid == 0:
            return accounts.drawn()
        return Account(uid=facts.st_uid, gid=facts.st_gid)
    return Account(uid=user, gid=user)


def programs(place: Place) -> Path:
    """Find the `bin` to run PostgreSQL from: the wheel's, or a copy if the account can't reach it.

    EngineError if the wheel isn't installed.
    """
    package = wheels.postgres_package()
    install = package / f"pginstall{wheels.POSTGRES_MAJOR}"
    if accounts.can_reach(install / "bin" / "postgres", place.account):
        return install / "bin"
    copy = place.directory / f"programs-{wheels.postgres_version()}"
    if not copy.exists():
        _copy(package, copy)
    return copy / package.name / install.name / "bin"


def _copy(package: Path, copy: Path) -> None:
    """Copy what a server needs, laid out as in the wheel: its programs find their libraries so."""
    for old in copy.parent.glob("programs-*"):
        shutil.rmtree(old)
    half = copy.with_name(f"programs-half-{secrets.token_hex(4)}")
    install = f"pginstall{wheels.POSTGRES_MAJOR}"
    for part in _PROGRAMS:
        source, target = package / install / part, half / package.name / install / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("pgxs"))
        else:
            shutil.copy2(source, target)
    libraries = f"{package.name}.libs"
    shutil.copytree(package.parent / libraries, half / libraries)
    accounts.open_to_all(half)
    half.rename(copy)
