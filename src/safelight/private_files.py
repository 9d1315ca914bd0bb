"""Files and directories that only their owner can use, read and written without trusting others.

What is here decides who gets the photos, and root may run us. So, like PostgreSQL and sshd, we use
no directory that belongs to another user or that others can change: they could put a link in the
place of any file in it.
"""

import logging
import os
import pwd
import secrets
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from safelight.errors import SettingsError

_log = logging.getLogger(__name__)

_WRITABLE: Final = stat.S_IWGRP | stat.S_IWOTH
_ACCESSIBLE: Final = stat.S_IRWXG | stat.S_IRWXO
_MAX_LINKS: Final = 40
_MAX_SIZE: Final = 1024 * 1024


def ensure_data_directory(path: Path) -> Path:
    """Create the data directory, unless it exists, and check it; return its real path.

    Raises SettingsError if another user has, or can change, the directory or a link that leads to
    it; OSError if it can't be created.
    """
    check_data_directory(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    directory = ensure_private_directory(path).resolve()
    if os.geteuid() == 0 and (parent := exposed_parent(directory)):
        _log.warning("other users can replace %s, since they can change %s", directory, parent)
    return directory


def check_data_directory(path: Path) -> None:
    """Raise SettingsError for a data directory that another user has or can change.

    A missing one is accepted.
    """
    _check_links(path, "set SAFELIGHT_DATA_DIR to the directory itself.")
    with suppress(FileNotFoundError, NotADirectoryError):
        _check(path, path.stat(), _WRITABLE)


def ensure_private_directory(path: Path, *, secret: bool = False) -> Path:
    """Create a directory that only its owner can use, unless it exists; return its path.

    Raises SettingsError for an existing one, or a link to one, that belongs to another user, or
    that others can change or, if it is `secret`, use at all.
    """
    path.mkdir(mode=0o700, exist_ok=True)
    check_private_directory(path, secret=secret)
    return path


def check_private_directory(path: Path, *, secret: bool = False) -> None:
    """Raise SettingsError as `ensure_private_directory` does, or OSError if there is none."""
    _check_links(path, "replace it by the directory itself.")
    _check(path, path.stat(), _ACCESSIBLE if secret else _WRITABLE)


def read_private_file(path: Path, *, secret: bool = False) -> bytes:
    """Return a file's content. Raises OSError, and SettingsError as for a directory.

    `path` is never followed if it is a link.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        _check(path, status, _ACCESSIBLE if secret else _WRITABLE)
        if not stat.S_ISREG(status.st_mode):
            raise SettingsError(f"{path} is not a file: remove it, and start again.")
        return file.read(_MAX_SIZE)


def write_private_file(path: Path, data: bytes) -> None:
    """Write a file that only its owner can use, and sync it to disk.

    A crash leaves either the old file or the new one. Raises OSError, and SettingsError if others
    can change the directory.
    """
    with _open_directory(path.parent) as directory:
        temporary = f".{path.name}.{secrets.token_hex(16)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(temporary, flags, 0o600, dir_fd=directory)
        try:
            with os.fdopen(fd, "wb") as file:
                os.fchmod(fd, 0o600)
                file.write(data)
                file.flush()
                os.fsync(fd)
            os.rename(temporary, path.name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=directory)
            raise
        os.fsync(directory)


def sync_directory(path: Path) -> None:
    """Sync a directory to disk, so that a crash loses none of its names."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def exposed_parent(path: Path) -> Path | None:
    """Return a directory above `path` in which another user can replace it; None if there is none.

    Others can't replace what isn't theirs in a directory with the sticky bit, as /tmp.
    """
    for directory in path.resolve().parents:
        status = directory.stat()
        is_open = status.st_mode & _WRITABLE and not status.st_mode & stat.S_ISVTX
        if is_open or not _is_trusted(status.st_uid):
            return directory
    return None


def exposed_part(path: Path) -> Path | None:
    """Return what lets other users change the content of a file; None if they can't.

    It is the file, a link on the way to it, or a directory above it. Nothing on a file system that
    is mounted read-only can be changed, as in the volumes of a container.
    """
    if link := _foreign_link(path.absolute()):
        return link
    real = path.resolve()
    status = real.stat()
    if os.statvfs(real).f_flag & os.ST_RDONLY:
        return None
    if status.st_mode & _WRITABLE or not _is_trusted(status.st_uid):
        return real
    return exposed_parent(path)


@contextmanager
def _open_directory(path: Path) -> Iterator[int]:
    """Yield a descriptor of a directory that no other user can change."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _check(path, os.fstat(fd), _WRITABLE)
        yield fd
    finally:
        os.close(fd)


def _check(path: Path, status: os.stat_result, forbidden: int) -> None:
    """Raise SettingsError for another user's file, or one with any of the `forbidden` mode bits."""
    quoted, us = shlex.quote(str(path)), os.geteuid()
    recursive = "-R " if stat.S_ISDIR(status.st_mode) else ""
    if status.st_uid != us:
        raise SettingsError(
            f"{path} belongs to {_name(status.st_uid)}, but Safelight runs as {_name(us)}: run it"
            f" as the owner (sudo -u {_sudo_name(status.st_uid)}) or, if you trust what is in"
            f" there, run chown {recursive}{us} {quoted}"
        )
    if status.st_mode & forbidden:
        change, verb = ("go-w", "change") if forbidden == _WRITABLE else ("go=", "read or change")
        raise SettingsError(
            f"Other users can {verb} {path}: run chmod {recursive}{change} {quoted}"
        )


def _check_links(path: Path, advice: str) -> None:
    """Raise SettingsError, with advice, if a link on the way to `path` belongs to another user."""
    if link := _foreign_link(path.absolute()):
        raise SettingsError(
            f"{link} is a link that belongs to {_name(link.lstat().st_uid)}, and Safelight runs as"
            f" {_name(os.geteuid())}: {advice}"
        )


def _foreign_link(path: Path, depth: int = 0) -> Path | None:
    """Return a link on the way to `path` that belongs neither to us nor to root."""
    for part in (*reversed(path.parents), path):
        try:
            status = part.lstat()
            target = part.readlink() if stat.S_ISLNK(status.st_mode) else None
        except OSError:
            return None
        if target is None:
            continue
        if not _is_trusted(status.st_uid) or depth > _MAX_LINKS:
            return part
        return _foreign_link(part.parent / target / path.relative_to(part), depth + 1)
    return None


def _is_trusted(uid: int) -> bool:
    return uid in {0, os.geteuid()}


def _name(uid: int) -> str:
    try:
        return f"the user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"the user with the number {uid}"


def _sudo_name(uid: int) -> str:
    try:
        return shlex.quote(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return f"'#{uid}'"
