"""Read a server's settings from environment variables."""

import os
import re
from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError
from pydantic_settings import SettingsError as PydanticSettingsError

from safelight.environment import clean_variables
from safelight.errors import SettingsError
from safelight.settings.names import PREFIX, known_variables, suggest_variable
from safelight.settings.settings import Settings

_LOGIN: Final = re.compile(r"[^\s/'\"]*:[^\s/'\"]*@")
"""The user and password in a URL, which no message repeats."""
_OF_TESTS: Final = "SAFELIGHT_TEST_"
_EXPLAIN_QUOTES: Final = frozenset({"SAFELIGHT_ALLOWED_HOSTS", "SAFELIGHT_ORIGINS"})
"""Lists whose own checks show the right spelling."""


def read_settings() -> Settings:
    """Read the settings. Raises a SettingsError that names every invalid variable."""
    problems = find_invalid_variables(os.environ)
    try:
        settings = Settings()
    except ValidationError as error:
        # A member that a group doesn't have is already among the problems, with a suggestion.
        problems += [
            _describe(problem["loc"], problem["msg"])
            for problem in error.errors()
            if not (problem["type"] == "extra_forbidden" and problems)
        ]
        raise SettingsError("; ".join(problems)) from error
    except PydanticSettingsError as error:  # of a group's own variable, whose value is JSON
        raise SettingsError("; ".join([*problems, _describe_group(str(error))])) from error
    if problems:
        raise SettingsError("; ".join(problems))
    return settings


def find_invalid_variables(variables: Mapping[str, str]) -> list[str]:
    """Describe the variables that no setting has, and values in quotes."""
    problems = []
    for name, value in clean_variables(variables).items():
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper.startswith(_OF_TESTS):
            continue
        if upper not in known_variables():
            problems.append(f"{name} is not a setting{_suggest(upper)}")
        elif value[0] == value[-1] and value[0] in "\"'" and upper not in _EXPLAIN_QUOTES:
            problems.append(f"{name}: remove the quotes around its value")
    return problems


def _suggest(name: str) -> str:
    suggestion = suggest_variable(name.removeprefix(PREFIX))
    return f": did you mean {suggestion}?" if suggestion else ": docs/settings.md lists all"


def _describe(location: tuple[int | str, ...], message: str) -> str:
    """Prefix a message with its variable or group; top-level messages name their variables."""
    # A step that isn't the name of a setting is one of the kinds of value that it may have.
    name = "__".join(step for step in map(str, location) if step.isidentifier()).upper()
    message = _LOGIN.sub("…@", message.removeprefix("Value error, "))
    return f"SAFELIGHT_{name}: {message}" if name else message


def _describe_group(message: str) -> str:
    found = re.search(r'field "(\w+)"', message)
    name = f"{PREFIX}{found[1].upper()}" if found else "A variable of a group"
    return f"{name}: write it as JSON, or set its members one by one, like {name}__NAME"
