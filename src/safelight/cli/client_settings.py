"""Where the server is, and what lets in: all that the commands that talk to one have to know."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Self
from urllib.parse import urlsplit

from safelight.cli.token import TOKEN_FILE, data_directory, read
from safelight.errors import SettingsError

_PORTS = range(1, 65536)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """What the commands that talk to a server are told by the environment.

    The server's own variables are looked at as far as a client needs them, and no further: a
    machine that holds none of the server's settings can run these commands.
    """

    url: str
    """Without a slash at its end. It may have a path, where a proxy serves under one."""
    token: str | None = field(repr=False)
    """None: nothing is sent, which is right where the server asks nobody."""

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """Read the variables; empty ones count as not set. Raises SettingsError."""
        written = variables.get("SAFELIGHT_URL")
        url = _url(written) if written else f"http://127.0.0.1:{_port(variables)}"
        return cls(url=url, token=_token(variables, url))

    @property
    def on_loopback(self) -> bool:
        """Whether the server runs on this machine."""
        return on_loopback(self.url)


def _port(variables: Mapping[str, str]) -> int:
    written = variables.get("SAFELIGHT_PORT") or "8000"
    if not (written.isascii() and written.isdecimal()) or int(written) not in _PORTS:
        raise SettingsError(
            "SAFELIGHT_PORT doesn't tell where the server is: set SAFELIGHT_URL to the address"
            " that 'safelight serve' prints."
        )
    return int(written)


def _url(written: str) -> str:
    """Check an address. It is not repeated in the error, since it might hold a password."""
    try:
        written.encode()  # like the next, raises UnicodeError, which is a ValueError
        parts = urlsplit(written)
        (parts.hostname or "").encode("idna")
        place = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        more = parts.username is not None or parts.query or parts.fragment
    except ValueError:
        parts, place, more = urlsplit(""), None, None
    if not place or more or re.search(r"[\s\x00-\x1f\x7f]", written):
        raise SettingsError(
            "SAFELIGHT_URL is not an address: give it as http://HOST[:PORT] or"
            " https://HOST[:PORT], without login or query."
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def _token(variables: Mapping[str, str], url: str) -> str | None:
    """Find the token.

    The one in a data directory goes to this machine, or to where somebody who names that
    directory sends it; never to any other server just because it lies in the working directory.
    """
    told = variables.get("SAFELIGHT_TOKEN")
    if not told and (on_loopback(url) or variables.get("SAFELIGHT_DATA_DIR")):
        told = read(data_directory(variables) / TOKEN_FILE)
    if told and not re.fullmatch(r"[!-~]+", told):
        raise SettingsError(
            "The token holds spaces or other characters that no token has: correct SAFELIGHT_TOKEN."
        )
    return told or None


def on_loopback(url: str) -> bool:
    """Whether what is at an address runs on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
