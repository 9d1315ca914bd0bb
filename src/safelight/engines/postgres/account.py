"""The user that PostgreSQL runs as when we are root, and that user's access to its files.

PostgreSQL refuses to run as root. It runs as a random user id without an account, chosen for one
data directory: `postgres` may own another server, and the user `nobody` is shared with other
services. Only `initdb` requires a user with a name. It runs as `nobody` with our group, in a
directory that only this group can enter; afterwards its files change their owner.
"""

import os
import pwd
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from safelight.engines.processes import Account
from safelight.errors import EngineError

_UNUSED_IDS = (range(0x7000_0000, 0x7100_0000), range(60_578, 60_706))
"""Ids that neither distributions, containers nor systemd assign. The second range is for systems,
mostly containers, that map only the first 65,536."""


def choose_account() -> Account | None:
    """Choose an account for a new data directory; None unless we are root."""
    if os.geteuid() != 0:
        return None
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    for ids in _UNUSED_IDS:
        new_id = ids[secrets.randbelow(len(ids))]
        if new_id not in taken and _is_mapped(new_id, "uid") and _is_mapped(new_id, "gid"):
            return Account(uid=new_id, gid=new_id)
    raise EngineError(
        "PostgreSQL does not run as root, and no other user id is available: run Safelight as an"
        " ordinary user, or set SAFELIGHT_DATABASE_URL to use your own PostgreSQL."
    )


def is_unused_id(number: int) -> bool:
    """Return whether `choose_account` may have chosen this id."""
    return any(number in ids for ids in _UNUSED_IDS)


def look_up_account(account: Account) -> Account:
    """Return a user with a name, and the group of `account`, for `initdb`."""
    for name in ("nobody", "daemon", "bin"):
        try:
            return Account(uid=pwd.getpwnam(name).pw_uid, gid=account.gid)
        except KeyError:
            continue
    raise EngineError("initdb needs a user 'nobody', which this system doesn't have: create it.")


def has_name() -> bool:
    """Return whether our user has a name, which `initdb` requires."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return True


def _is_mapped(number: int, kind: str) -> bool:
    try:
        lines = Path(f"/proc/self/{kind}_map").read_text().splitlines()
    except OSError:
        return True
    ranges = [list(map(int, line.split())) for line in lines]
    return any(inside <= number < inside + count for inside, _, count in ranges)


def can_reach(path: Path, account: Account | None) -> bool:
    """Return whether the account can enter every directory above `path`, by mode bits only."""
    return account is None or all(_can_enter(directory, account) for directory in path.parents)


def _can_enter(directory: Path, account: Account) -> bool:
    info = directory.stat()
    if info.st_uid == account.uid:
        return bool(info.st_mode & stat.S_IXUSR)
    if info.st_gid == account.gid:
        return bool(info.st_mode & stat.S_IXGRP)
    return bool(info.st_mode & stat.S_IXOTH)


def allow_traversal(directory: Path, account: Account) -> None:
    """Let the account's group enter our directory, unless some group already has access."""
    with _open_directory(directory) as fd:
        info = os.fstat(fd)
        if info.st_uid == os.geteuid() and not info.st_mode & (stat.S_IRWXG | stat.S_IXOTH):
            os.fchown(fd, -1, account.gid)
            os.fchmod(fd, stat.S_IMODE(info.st_mode) | stat.S_IXGRP)


def chown_tree(tree: Path, account: Account) -> None:
    """Change the owner of a directory and of everything in it; links are not followed."""
    with _open_directory(tree) as top:
        for _, directories, files, fd in os.fwalk(".", dir_fd=top):
            for name in (*directories, *files):
                os.chown(name, account.uid, account.gid, dir_fd=fd, follow_symlinks=False)
        os.fchown(top, account.uid, account.gid)


@contextmanager
def _open_directory(path: Path) -> Iterator[int]:
    """Yield a descriptor of a directory. Raises OSError for a link."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def make_world_readable(tree: Path) -> None:
    """Make a copied tree of programs readable for all users."""
    for _, directories, files, fd in os.fwalk(tree):
        for name in _exclude_links((*directories, *files), fd):
            mode = os.stat(name, dir_fd=fd).st_mode
            executable = stat.S_ISDIR(mode) or mode & stat.S_IXUSR
            os.chmod(name, 0o755 if executable else 0o644, dir_fd=fd)
    tree.chmod(0o755)


def _exclude_links(names: Iterable[str], fd: int) -> Iterable[str]:
    for name in names:
        if not stat.S_ISLNK(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
            yield name
