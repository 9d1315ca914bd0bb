"""Validators for single values, and the base class of groups of settings."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr

from safelight.http_clients import read_authorities

MiB = 1024 * 1024

_HOST_AND_PORT = re.compile(
    r"(\[[0-9a-f:.]+\]|[\w-]+(?:\.[\w-]+)*\.?)(:[0-9]+)?", re.ASCII | re.IGNORECASE
)
_ends_in_a_number = re.compile(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?$").search
"""The WHATWG's rules, which obstore follows, parse such a host as an IPv4 address."""

_CONTACT = re.compile(r"(mailto:[!-~]+@[!-~]+|https://[!-~]+|tel:[!-~]+)")
_MAPPED_BITS = 96
"""The prefix of IPv4-mapped IPv6 addresses, in which clients never appear."""

_TOKEN = re.compile(r"[!-~]{16,}")
"""Characters that are valid in an Authorization header."""


def parse_endpoint(value: str | None) -> str | None:
    """Return an endpoint's scheme, host and port. Raises ValueError if it has anything else."""
    if not value:
        return None
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("write it as http://HOST[:PORT] or https://HOST[:PORT]")
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        raise ValueError("give only scheme, host and port, without path, query or login")
    if not _HOST_AND_PORT.fullmatch(parts.netloc):
        raise ValueError(
            "HOST must be an address without a zone, or a name in ASCII (xn--… for others)"
        )
    if parts.port == 0:  # above 65535, the property raises ValueError
        raise ValueError("the port must be 1 to 65535")
    is_ip_address(parts.hostname)
    return f"{parts.scheme}://{parts.netloc}"


def is_ip_address(host: str) -> bool:
    """Whether a host is an IP address. Raises ValueError for an invalid one."""
    if ":" not in host and not _ends_in_a_number(host):
        return False
    try:
        ip_address(host)
    except ValueError as error:
        raise ValueError(f"{host} is not a valid IP address") from error
    return True


def split_list(value: object) -> object:
    """Split a string at commas; return any other value unchanged."""
    return (
        [item.strip() for item in value.split(",") if item.strip()]
        if isinstance(value, str)
        else value
    )


def parse_networks(value: object) -> object:
    """Return the networks in a comma-separated string; ``none`` is an empty list."""
    items = split_list(value)
    if not isinstance(items, list):
        return value
    return () if items == ["none"] else tuple(map(_parse_network, items))


def _parse_network(text: str) -> IPv4Network | IPv6Network:
    """Return an address or a network, an IPv4-mapped one as IPv4. Raises ValueError."""
    try:
        network = ip_network(text.strip("[]"))
    except ValueError as error:
        raise ValueError(
            f"{text!r} is not an address like 10.0.0.5 or a network like 10.0.0.0/24; to trust no"
            " proxy, write none"
        ) from error
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped and network.prefixlen >= _MAPPED_BITS:
        return ip_network((mapped, network.prefixlen - _MAPPED_BITS))
    return network


def check_contact(contact: str | None) -> str | None:
    """Check that a contact is a URI of a kind that RFC 9116 names. Raises ValueError."""
    if contact and not _CONTACT.fullmatch(contact):
        raise ValueError("write it as mailto:ADDRESS, https://PAGE or tel:NUMBER")
    return contact


Secret = Annotated[
    SecretStr | str, BeforeValidator(lambda x: SecretStr(x) if isinstance(x, str) else x)
]
"""A secret. Programs may pass it as text, and type checkers accept that; it is always stored as a
SecretStr, which no log shows."""


def reveal(secret: SecretStr | str) -> str:
    """Return a secret as text."""
    return secret if isinstance(secret, str) else secret.get_secret_value()


def check_token(token: SecretStr | str | None) -> SecretStr | str | None:
    """Check that a token is long enough and valid in a header. Raises ValueError."""
    if token and not _TOKEN.fullmatch(reveal(token)):
        raise ValueError("it must have at least 16 printable ASCII characters and no spaces")
    return token


class Group(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def check_ca_file(path: Path | None) -> Path | None:
    """Check that a file has certificates."""
    if path is not None:
        try:
            read_authorities(path)
        except OSError as error:
            raise ValueError(f"can't read {path}: {error.strerror}") from error
    return path
