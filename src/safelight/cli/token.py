"""The token of an installation that configures none: made at the first start, and kept."""

import os
import secrets
from pathlib import Path

from safelight.errors import SettingsError
from safelight.settings import Settings


def token_file(settings: Settings) -> Path:
    """Tell where the token is kept if it isn't configured."""
    return settings.data_dir.absolute() / "secrets" / "token"


def token_of(settings: Settings) -> str | None:
    """Give the token that bearers must carry; None if nobody is asked for one."""
    if settings.auth == "none":
        return None
    if settings.token:
        return settings.token.get_secret_value()
    return kept(token_file(settings))


def kept(file: Path) -> str:
    """Read the token, or make it, readable by us alone. Raises SettingsError."""
    try:
        if not file.exists():
            _make(file)
        return file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The token in {file} can't be kept: {error}. Mend that, or set SAFELIGHT_TOKEN."
        ) from error


def _make(file: Path) -> None:
    """Write it whole or not at all: a crash half-way must not leave an empty token."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(secrets.token_urlsafe(32) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    draft.rename(file)
