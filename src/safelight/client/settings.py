"""Where the server is, and which token to send: the settings of the client commands."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from safelight.environment import clean_variables, read_variable
from safelight.errors import SettingsError
from safelight.http_clients import on_loopback, read_authorities
from safelight.terminal import print_note
from safelight.token_file import TOKEN_FILE, data_directory, read_token

_PORTS = range(1, 65536)
_NAMES = {
    *("SAFELIGHT_URL", "SAFELIGHT_TOKEN", "SAFELIGHT_PORT", "SAFELIGHT_DATA_DIR"),
    "SAFELIGHT_CA_FILE",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """The address of the server, and the token.

    Of the server's own variables, only those that a client needs are read, so these commands run
    on a machine without the server's settings.
    """

    url: str
    """Without a trailing slash. May have a path, for a server behind a proxy."""
    token: str | None = field(repr=False)
    """None: send no token, which is right for a server with SAFELIGHT_AUTH=none."""
    authorities: str | None = field(default=None, repr=False)
    """Certificate authorities to trust besides the usual ones, in PEM."""

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """Read environment variables; empty ones count as unset. Raises SettingsError."""
        address = read_variable(variables, "SAFELIGHT_URL")
        url = _parse_url(address) if address else f"http://127.0.0.1:{_port(variables)}"
        return cls(
            url=url, token=_find_token(variables, url), authorities=_find_authorities(variables)
        )

    @property
    def on_loopback(self) -> bool:
        """Whether the server runs on this machine."""
        return on_loopback(self.url)


def _check_names(variables: Mapping[str, str]) -> None:
    """Raise SettingsError for a variable that neither this program nor the server has."""
    names = {name for name in clean_variables(variables) if name.upper().startswith("SAFELIGHT_")}
    if names <= _NAMES:
        return  # the usual case, in which the server's settings are not imported
    from safelight.settings.environment import find_invalid_variables

    if problems := find_invalid_variables(variables):
        raise SettingsError("; ".join(problems))


def _port(variables: Mapping[str, str]) -> int:
    port = read_variable(variables, "SAFELIGHT_PORT") or "8000"
    if not (port.isascii() and port.isdecimal()) or int(port) not in _PORTS:
        raise SettingsError(
            "SAFELIGHT_PORT is not the port of a running server: set SAFELIGHT_URL to the address"
            " that 'safelight serve' prints."
        )
    return int(port)


def _parse_url(address: str) -> str:
    """Check an address. Errors don't repeat it, since it may contain a password."""
    try:
        address.encode()  # this and the next raise UnicodeError, a ValueError
        parts = urlsplit(address)
        (parts.hostname or "").encode("idna")
        is_url = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        has_extras = parts.username is not None or parts.query or parts.fragment
    except ValueError:
        parts, is_url, has_extras = urlsplit(""), None, None
    if not is_url or has_extras or re.search(r"[\s\x00-\x1f\x7f]", address):
        raise SettingsError(
            "SAFELIGHT_URL is not a valid address: write it as http://HOST[:PORT] or"
            " https://HOST[:PORT], without login or query."
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def _find_authorities(variables: Mapping[str, str]) -> str | None:
    if not (path := read_variable(variables, "SAFELIGHT_CA_FILE")):
        return None
    try:
        return read_authorities(Path(path))
    except OSError as error:
        raise SettingsError(
            f"Can't read SAFELIGHT_CA_FILE ({error.strerror}): correct it."
        ) from error
    except ValueError as error:
        raise SettingsError(f"SAFELIGHT_CA_FILE is wrong: {error}.") from error


def _find_token(variables: Mapping[str, str], url: str) -> str | None:
    """Return SAFELIGHT_TOKEN, or the token in the data directory.

    The data directory's token goes to other machines only if SAFELIGHT_DATA_DIR is set: that a
    data directory is in the working directory is not enough.
    """
    token = read_variable(variables, "SAFELIGHT_TOKEN")
    if not token and (on_loopback(url) or read_variable(variables, "SAFELIGHT_DATA_DIR")):
        token = read_token(data_directory(variables) / TOKEN_FILE)
    if token and not re.fullmatch(r"[!-~]+", token):
        raise SettingsError(
            "The token contains spaces or other invalid characters: correct SAFELIGHT_TOKEN."
        )
    return token or None


def client_settings() -> ClientSettings:
    """Read the client's settings from the environment, and warn if they are risky.

    Call this once per command. Raises SettingsError.
    """
    _check_names(os.environ)
    settings = ClientSettings.from_environment(os.environ)
    if settings.token and settings.url.startswith("http:") and not settings.on_loopback:
        print_note(
            f"The token and the photos are sent unencrypted to {settings.url}: use https:// if the"
            " network is not your own."
        )
    return settings
