"""The file with the access token, for installations that don't set SAFELIGHT_TOKEN."""

import contextlib
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from safelight.environment import read_variable
from safelight.errors import SettingsError
from safelight.private_files import (
    check_data_directory,
    check_private_directory,
    ensure_data_directory,
    ensure_private_directory,
    read_private_file,
    write_private_file,
)

if TYPE_CHECKING:
    from safelight.settings import Settings

TOKEN_FILE: Final = Path("secrets", "token")
"""Relative to the data directory."""

_ADVICE: Final = "Fix that, or set SAFELIGHT_TOKEN."


def data_directory(variables: Mapping[str, str]) -> Path:
    """Return the path of the data directory, which may not exist."""
    return Path(read_variable(variables, "SAFELIGHT_DATA_DIR") or "safelight-data").absolute()


def token_file(settings: "Settings") -> Path:
    """Return the path of the token file, which is used if no token is configured."""
    return settings.data_dir.absolute() / TOKEN_FILE


def token_source(settings: "Settings") -> Callable[[], str] | None:
    """Return a function that returns the current token; None if no token is required.

    A running server uses a rotated token at once.
    """
    if settings.auth == "none":
        return None
    if settings.token:
        from safelight.settings.validators import reveal

        token = reveal(settings.token)
        return lambda: token
    return TokenFile(token_file(settings))


class TokenFile:
    """The token in a file, read again when the file has been replaced."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._token = load_or_create(file)
        self._version = _version(file)

    def __call__(self) -> str:
        """Return the token; the last known one while the file can't be read."""
        version = _version(self._file)
        if version is not None and version != self._version:
            with contextlib.suppress(SettingsError):
                self._token = read_token(self._file) or self._token
                self._version = version
        return self._token


def _version(file: Path) -> tuple[int, int] | None:
    try:
        status = file.lstat()
    except OSError:
        return None
    return (status.st_ino, status.st_mtime_ns)


def load_or_create(file: Path) -> str:
    """Return the token, creating the file if necessary. Raises SettingsError."""
    return read_token(file) or rotate(file)


def read_token(file: Path) -> str | None:
    """Return the token; None if there is no file.

    Raises SettingsError if it can't be read, or if another user has, or can read or change, the
    file, its directory or the data directory.
    """
    check_data_directory(file.parents[1])
    try:
        check_private_directory(file.parent, secret=True)
        return read_private_file(file, secret=True).decode("ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"Can't read the token in {file}: {_reason(error)}. {_ADVICE}"
        ) from error


def rotate(file: Path) -> str:
    """Store a new token in the file, readable only by its owner, and return it.

    Readers see either the old or the new token, even after a crash. Raises SettingsError, as
    `read_token` does.
    """
    token = secrets.token_urlsafe(32)
    try:
        ensure_data_directory(file.parents[1])
        ensure_private_directory(file.parent, secret=True)
        write_private_file(file, f"{token}\n".encode("ascii"))
    except OSError as error:
        raise SettingsError(
            f"Can't store a token in {file}: {_reason(error)}. {_ADVICE}"
        ) from error
    return token


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
