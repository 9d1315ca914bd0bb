"""Who PostgreSQL runs as when we are root, and where that user can reach its files.

PostgreSQL refuses to run as root. It gets a number that no account has, drawn for this data
directory alone: `postgres` may be somebody else's server, and `nobody` is shared with whatever else
was told to run as nobody. Only `initdb` insists on a number that has a name; it runs as `nobody`
with our group, in a directory that this group alone can enter, and its files are given over then.
"""

import os
import pwd
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

from safelight.engines.processes import Account
from safelight.errors import EngineError

_UNUSED = (range(0x7000_0000, 0x7100_0000), range(60_578, 60_706))
"""Numbers that neither distributions, containers nor systemd give out; the second lot for machines
(containers, mostly) that know only the first 65,536."""


def drawn() -> Account | None:
    """Draw an account for a new data directory; None unless we are root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_uid for entry in pwd.getpwall()}
    for numbers in _UNUSED:
        number = numbers[secrets.randbelow(len(numbers))]
        if number not in names and _mapped(number, "uid") and _mapped(number, "gid"):
            return Account(uid=number, gid=number)
    raise EngineError(
        "PostgreSQL does not run as root, and no other user can be had here: run Safelight as an"
        " ordinary user, or set SAFELIGHT_DATABASE_URL to use your own PostgreSQL."
    )


def named(account: Account) -> Account:
    """Find a user who has a name, with the group of `account`: what `initdb` runs as."""
    for name in ("nobody", "daemon", "bin"):
        try:
            return Account(uid=pwd.getpwnam(name).pw_uid, gid=account.gid)
        except KeyError:
            continue
    raise EngineError("There is no user 'nobody' here for initdb to run as: make one.")


def has_name() -> bool:
    """Whether the user that we are has an entry in the user database, as `initdb` wants it."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return True


def _mapped(number: int, kind: str) -> bool:
    try:
        lines = Path(f"/proc/self/{kind}_map").read_text().splitlines()
    except OSError:
        return True
    spans = [list(map(int, line.split())) for line in lines]
    return any(inside <= number < inside + count for inside, _, count in spans)


def can_reach(path: Path, account: Account | None) -> bool:
    """Whether the account can pass through every directory above `path`; by mode bits alone."""
    return account is None or all(_passable(each, account) for each in path.parents)


def _passable(directory: Path, account: Account) -> bool:
    facts = directory.stat()
    if facts.st_uid == account.uid:
        return bool(facts.st_mode & stat.S_IXUSR)
    if facts.st_gid == account.gid:
        return bool(facts.st_mode & stat.S_IXGRP)
    return bool(facts.st_mode & stat.S_IXOTH)


def let_pass(directory: Path, account: Account) -> None:
    """Let the account's group through a directory of ours that gave no group anything before."""
    facts = directory.stat()
    if facts.st_uid == os.geteuid() and not facts.st_mode & (stat.S_IRWXG | stat.S_IXOTH):
        os.chown(directory, -1, account.gid)
        directory.chmod(stat.S_IMODE(facts.st_mode) | stat.S_IXGRP)


def give(tree: Path, account: Account) -> None:
    """Make the account the owner of a directory and of everything in it."""
    for _, directories, files, fd in os.fwalk(tree):
        for name in (*directories, *files):
            os.chown(name, account.uid, account.gid, dir_fd=fd, follow_symlinks=False)
    os.chown(tree, account.uid, account.gid)


def open_to_all(tree: Path) -> None:
    """Make a copied tree of programs readable, and owned by us, whoever made it."""
    for _, directories, files, fd in os.fwalk(tree):
        for name in _not_links((*directories, *files), fd):
            mode = os.stat(name, dir_fd=fd).st_mode
            executable = stat.S_ISDIR(mode) or mode & stat.S_IXUSR
            os.chmod(name, 0o755 if executable else 0o644, dir_fd=fd)
    tree.chmod(0o755)


def _not_links(names: Iterable[str], fd: int) -> Iterable[str]:
    for name in names:
        if not stat.S_ISLNK(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
            yield name
