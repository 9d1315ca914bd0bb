"""Read the URL of a PostgreSQL server, or of several of which one takes writes."""

import re
from typing import Any, Final

from psycopg import ProgrammingError
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from safelight.errors import SettingsError

_PORT: Final = "5432"
_host_and_port: Final = re.compile(
    r"(?:\[(?P<ipv6>[0-9a-fA-F:.]+)\]|(?P<name>[^\[\]:]+))(?::(?P<port>\d+))?"
).fullmatch


def parse_url(url: str) -> URL:
    """Return the URL for SQLAlchemy with psycopg. Raises SettingsError if it isn't valid.

    Several servers are written as libpq does, ``postgresql://USER@HOST:PORT,HOST:PORT/NAME``. The
    first that takes writes is used, unless the URL has its own `target_session_attrs`.
    """
    try:
        parsed = make_url(_with_hosts_as_options(url)).set(drivername="postgresql+psycopg")
    except (SQLAlchemyError, ValueError) as error:
        raise SettingsError(
            "SAFELIGHT_DATABASE_URL is not a valid URL. Write it as"
            " postgresql://USER:PASSWORD@HOST:PORT/NAME."
        ) from error
    if "@" in _parameters(parsed).get("host", "") or _count_at_signs(url) > 1:
        raise SettingsError(
            "SAFELIGHT_DATABASE_URL has more than one @. In the user and the password, write @ as"
            " %40, / as %2F, : as %3A and % as %25."
        )
    if count_hosts(parsed) > 1 and "target_session_attrs" not in parsed.query:
        parsed = parsed.update_query_dict({"target_session_attrs": "read-write"})
    try:
        conninfo(parsed)
    except ProgrammingError as error:
        raise SettingsError(
            "SAFELIGHT_DATABASE_URL has an option that PostgreSQL doesn't know. Correct it:"
            f" {str(error).strip()}"
        ) from error
    return parsed


def conninfo(url: URL) -> str:
    """Return the connection string of a parsed URL, with the password, for psycopg and libpq."""
    return make_conninfo(**_parameters(url))


def count_hosts(url: URL) -> int:
    """Return the number of servers that a parsed URL names."""
    return len(_parameters(url).get("host", "").split(","))


def _parameters(url: URL) -> dict[str, Any]:
    return dict(url.get_dialect()().create_connect_args(url)[1])


def _count_at_signs(url: str) -> int:
    """Return how many there are between the scheme and the path."""
    return re.split(r"[/?]", url.partition("://")[2], maxsplit=1)[0].count("@")


def _with_hosts_as_options(url: str) -> str:
    """Move several hosts from where libpq accepts them to the options, where SQLAlchemy does."""
    scheme, separator, rest = url.partition("://")
    end = min((rest.find(mark) for mark in "/?" if mark in rest), default=len(rest))
    user, at, hosts = rest[:end].rpartition("@")
    if "," not in hosts:
        return url
    pairs = [_split_port(host) for host in hosts.split(",")]
    names, ports = (",".join(each) for each in zip(*pairs, strict=True))
    path, mark, query = rest[end:].partition("?")
    return f"{scheme}{separator}{user}{at}{path}?host={names}&port={ports}{mark and '&'}{query}"


def _split_port(host: str) -> tuple[str, str]:
    """Split "HOST", "HOST:PORT", "[IPv6]" or "[IPv6]:PORT". Raises ValueError for others."""
    parts = _host_and_port(host)
    if parts is None:
        raise ValueError(f"{host!r} is not HOST:PORT")
    return parts["ipv6"] or parts["name"], parts["port"] or _PORT
