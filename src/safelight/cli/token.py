"""The token of an installation that configures none: made at the first start, and kept."""

import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from safelight.cli.terminal import complain, say
from safelight.errors import SettingsError

if TYPE_CHECKING:
    from safelight.settings import Settings  # takes long to import, and clients have no use for it

TOKEN_FILE = Path("secrets", "token")
"""Where the token is kept in the data directory if it isn't configured."""


def data_directory(variables: Mapping[str, str]) -> Path:
    """Tell where the data directory is, whether it exists or not."""
    return Path(variables.get("SAFELIGHT_DATA_DIR") or "safelight-data").absolute()


def show_token(variables: Mapping[str, str]) -> None:
    """Print the token in the data directory. Raises SettingsError if there is none."""
    file = data_directory(variables) / TOKEN_FILE
    token = read(file)
    if not token:
        raise SettingsError(
            f"There is no token in {file}: start 'safelight serve' once, or set SAFELIGHT_DATA_DIR"
            " to its data directory."
        )
    say(token)
    if variables.get("SAFELIGHT_TOKEN"):
        complain("A server that is given SAFELIGHT_TOKEN takes that one instead.")


def rotate_token(variables: Mapping[str, str]) -> None:
    """Put a new token in the data directory. Raises SettingsError if it isn't kept there."""
    directory = data_directory(variables)
    if variables.get("SAFELIGHT_TOKEN"):
        raise SettingsError(
            "The token is the one in SAFELIGHT_TOKEN: change it there, and start the server again."
        )
    if not directory.is_dir():
        raise SettingsError(
            f"There is no data directory {directory}: set SAFELIGHT_DATA_DIR to the server's."
        )
    rotated(directory / TOKEN_FILE)
    say(f"There is a new token in {directory / TOKEN_FILE}: 'safelight token show' prints it.")
    say("The old one lets nobody in any more, and all sessions have ended.")


def token_file(settings: "Settings") -> Path:
    """Tell where the token is kept if it isn't configured."""
    return settings.data_dir.absolute() / TOKEN_FILE


def token_source(settings: "Settings") -> Callable[[], str] | None:
    """Give what tells the token in force; None if nobody is asked for one.

    A token that is rotated while the server runs is in force at once.
    """
    if settings.auth == "none":
        return None
    if settings.token:
        return settings.token.get_secret_value
    return KeptToken(token_file(settings))


class KeptToken:
    """The token in a file, read again whenever that is another file than before."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._token = kept(file)
        self._seen = _state(file)

    def __call__(self) -> str:
        """Give the token; the one that was there last while none can be read."""
        state = _state(self._file)
        if state is not None and state != self._seen:
            with contextlib.suppress(SettingsError):
                self._token = read(self._file) or self._token
                self._seen = state
        return self._token


def _state(file: Path) -> tuple[int, int] | None:
    try:
        now = file.stat()
    except OSError:
        return None
    return (now.st_ino, now.st_mtime_ns)


def kept(file: Path) -> str:
    """Read the token, or make it, readable by us alone. Raises SettingsError."""
    return read(file) or rotated(file)


def read(file: Path) -> str | None:
    """Read the token; None if there is none yet. Raises SettingsError if it can't be read."""
    try:
        return file.read_text("ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The token in {file} can't be read: {_why(error)}. {_HOW}") from error


def rotated(file: Path) -> str:
    """Make a new token in place of the one there is, if there is one. Raises SettingsError.

    A reader finds the old one or the new one, whole, whatever happens meanwhile.
    """
    token = secrets.token_urlsafe(32)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(file, token)
    except OSError as error:
        raise SettingsError(f"No token can be kept in {file}: {_why(error)}. {_HOW}") from error
    return token


_HOW = "Mend that, or set SAFELIGHT_TOKEN."


def _write(file: Path, token: str) -> None:
    """Write it whole or not at all: a crash half-way must not leave an empty token."""
    draft = file.with_suffix(f".{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            _leave_to_owner(descriptor, file)
            stream.write(token + "\n")
            stream.flush()
            os.fsync(descriptor)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def _leave_to_owner(descriptor: int, file: Path) -> None:
    """Let the user whose token it was read the new one too, if root is who makes it."""
    if os.geteuid() == 0 and file.exists():
        before = file.stat()
        os.fchown(descriptor, before.st_uid, before.st_gid)


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
