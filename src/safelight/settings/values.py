"""What single values have to look like, and the base of every group of settings."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

MiB = 1024 * 1024

_HOST_AND_PORT = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]+)?", re.ASCII | re.IGNORECASE)
_ends_in_a_number = re.compile(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?$").search
"""Such a host is read as an IPv4 address by the WHATWG's rules, which obstore follows."""

_TOKEN = re.compile(r"[!-~]{16,}")
"""What an Authorization header can carry."""


def http_url(value: str | None) -> str | None:
    """Take scheme, host and port of an endpoint; a path, query or login in it is an error."""
    if not value:
        return None
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("give it as http://HOST[:PORT] or https://HOST[:PORT]")
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        raise ValueError("give scheme, host and port only, without path, query or login")
    if not _HOST_AND_PORT.fullmatch(parts.netloc):
        raise ValueError(
            "give HOST as an address without a zone, or as a name in ASCII (xn--… for others)"
        )
    if parts.port == 0:  # which raises ValueError itself for what is past 65535
        raise ValueError("a port is 1 to 65535")
    is_address(parts.hostname)
    return f"{parts.scheme}://{parts.netloc}"


def is_address(host: str) -> bool:
    """Whether it is an IP address. Raises ValueError for what would be one but is wrong."""
    if ":" not in host and not _ends_in_a_number(host):
        return False
    try:
        ip_address(host)
    except ValueError as error:
        raise ValueError(f"{host} is no IP address") from error
    return True


def split(value: object) -> object:
    """Make a list of what is written with commas; anything else stays what it is."""
    return (
        [item.strip() for item in value.split(",") if item.strip()]
        if isinstance(value, str)
        else value
    )


def sendable(token: SecretStr | None) -> SecretStr | None:
    """Take a token that a header can carry. Raises ValueError."""
    if token and not _TOKEN.fullmatch(token.get_secret_value()):
        raise ValueError("give 16 or more printable ASCII characters, without spaces")
    return token


class Group(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
