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
        wrong = [f"{_variable(each['loc'])}: {each['msg']}" for each in error.errors()]
        raise SettingsError("; ".join(wrong)) from error


def client_settings() -> "ClientSettings":
    """Read where the server is. Raises SettingsError."""
    from safelight.cli.client_settings import ClientSettings

    return ClientSettings.from_environment(os.environ)


def _variable(location: tuple[int | str, ...]) -> str:
    return "SAFELIGHT_" + "__".join(str(step) for step in location).upper()
