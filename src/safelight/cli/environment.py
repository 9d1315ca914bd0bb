"""What the environment tells the commands, read when one is run."""

import os
from typing import TYPE_CHECKING

from safelight.errors import SettingsError

if TYPE_CHECKING:
    from safelight.cli.client_settings import ClientSettings
    from safelight.settings import Settings

# `safelight --help` must not wait for what reads them.
# ruff: noqa: PLC0415


def read_settings() -> "Settings":
    """Read the settings of a server. Raises SettingsError that names every wrong variable."""
    from pydantic import ValidationError

    from safelight.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        wrong = [_wrong(each["loc"], each["msg"]) for each in error.errors()]
        raise SettingsError("; ".join(wrong)) from error


def client_settings() -> "ClientSettings":
    """Read where the server is. Raises SettingsError."""
    from safelight.cli.client_settings import ClientSettings

    return ClientSettings.from_environment(os.environ)


def _wrong(location: tuple[int | str, ...], message: str) -> str:
    """Say what is wrong with which variable, or group of them; at the top it says so itself."""
    name = "__".join(str(step) for step in location).upper()
    message = message.removeprefix("Value error, ")
    return f"SAFELIGHT_{name}: {message}" if name else message
