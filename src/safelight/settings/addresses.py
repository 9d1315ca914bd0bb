"""Validators for the addresses of the service, of its hosts, and of other pages.

People write these in many ways. What can't be used is refused with the right spelling, if there is
one.
"""

import re
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from safelight.settings.validators import parse_endpoint

_HOST: Final = re.compile(r"\[[0-9a-f:.]+\]|[\w-]+(?:\.[\w-]+)*\.?", re.ASCII | re.IGNORECASE)
_ADDRESS_AND_PORT: Final = re.compile(r"(\[[0-9a-f:.]+\]):[0-9]*", re.ASCII | re.IGNORECASE)
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
_QUOTES: Final = "\"'`\u201c\u201d\u2018\u2019 "
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def parse_origin(text: str) -> str:
    """Return an origin as browsers send it: in lower case, without a default port or a slash.

    Raises ValueError, with the right spelling if there is one.
    """
    try:
        return _parse_origin(text)
    except ValueError as error:
        raise ValueError(_explain_origin(text, str(error))) from error


def parse_public_url(value: str | None) -> str | None:
    """Return the service's address: an origin, and the path that it is served at, if any.

    Raises ValueError for anything else.
    """
    if not value:
        return None
    parts = urlsplit(value)
    path = parts.path.rstrip("/")
    if parts.query or parts.fragment or parts.username:
        raise ValueError("give only scheme, host, port and path, without query or login")
    if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        raise ValueError(
            "the path may contain letters, digits, and the characters . _ ~ - between single"
            " slashes, like https://home.example/photos"
        )
    return _parse_origin(parts._replace(path="", query="", fragment="").geturl()) + path


def check_host_names(hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Raise ValueError unless all are host names or addresses without ports, or ``*``."""
    for host in hosts:
        if not (host == "*" or _is_host(host)):
            raise ValueError(f"{host!r} is not a host name{_explain_host(host)}")
    return hosts


def _parse_origin(text: str) -> str:
    endpoint = parse_endpoint(text)
    if endpoint is None:
        raise ValueError("write it as http://HOST[:PORT] or https://HOST[:PORT]")
    return _origin(urlsplit(endpoint))


def _origin(parts: SplitResult) -> str:
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    is_default = parts.port in {None, _DEFAULT_PORTS.get(parts.scheme)}
    return f"{parts.scheme}://{host}{'' if is_default else f':{parts.port}'}"


def _explain_origin(text: str, problem: str) -> str:
    plain = text.strip(_QUOTES + "[]")
    if "*" in plain:
        return f"{text!r}: wildcards are not supported; list each origin, like https://app.example"
    if plain and " " not in plain:
        scheme, separator, rest = plain.partition("://")
        candidate = f"{scheme if separator else 'https'}://{re.split('[/?#]', rest or plain)[0]}"
        try:
            return f"{text!r} is not an origin: write {_parse_origin(candidate)}"
        except ValueError:
            pass
    return f"{text!r}: {problem}"


def _explain_host(text: str) -> str:
    plain = text.strip(_QUOTES).removeprefix("*.").removeprefix(".")
    if "*" in text or text.startswith("."):
        return ": wildcards are not supported; list each name, or write * to accept any"
    if " " in plain:
        return ": separate names by commas"
    plain = re.split("[/?#]", plain.partition("://")[2] or plain)[0].rpartition("@")[2]
    if found := _ADDRESS_AND_PORT.fullmatch(plain):
        return f": write {found[1]}"
    plain = plain.strip("[]" + _QUOTES)  # the brackets are those of a list
    plain = re.sub(r"\A([^:]*):[0-9]*\Z", r"\1", plain)
    if not plain.isascii():
        try:
            plain = plain.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    return f": write {plain}" if _is_host(plain) else ""


def _is_host(text: str) -> bool:
    if _HOST.fullmatch(text):
        return True
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True
