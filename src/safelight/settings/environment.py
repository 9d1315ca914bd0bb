"""Read a server's settings from environment variables."""

from pydantic import ValidationError

from safelight.errors import SettingsError
from safelight.settings.settings import Settings


def read_settings() -> Settings:
    """Read the settings. Raises a SettingsError that names every invalid variable."""
    try:
        return Settings()
    except ValidationError as error:
        problems = [_describe(problem["loc"], problem["msg"]) for problem in error.errors()]
        raise SettingsError("; ".join(problems)) from error


def _describe(location: tuple[int | str, ...], message: str) -> str:
    """Prefix a message with its variable or group; top-level messages name their variables."""
    name = "__".join(str(step) for step in location).upper()
    message = message.removeprefix("Value error, ")
    return f"SAFELIGHT_{name}: {message}" if name else message
