"""The URL of PostgreSQL, as SQLAlchemy and libpq read it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from safelight.catalog.connections.url import conninfo, count_hosts, parse_url
from safelight.errors import SettingsError

_NAMES = st.text("az09.-", max_size=20).map(lambda name: name.lstrip(".-") or "b")
_PORTS = st.integers(1, 65535)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://u:p%40%2F@a:1,b/photos",
            {"user": "u", "password": "p@/", "host": "a,b", "port": "1,5432", "dbname": "photos"},
        ),
        ("postgres://[::1]:1,[fe80::1]/db", {"host": "::1,fe80::1", "port": "1,5432"}),
        ("postgresql://a,b", {"host": "a,b", "port": "5432,5432"}),
        ("postgresql://u@/db?host=/run/one,two&port=1,2", {"host": "/run/one,two"}),
    ],
)
def test_first_of_several_servers_that_takes_writes_is_used(
    url: str, expected: dict[str, str]
) -> None:
    parsed = parse_url(url)
    found = conninfo_to_dict(conninfo(parsed))
    assert expected.items() <= found.items()
    assert found["target_session_attrs"] == "read-write"
    assert count_hosts(parsed) == 2


def test_own_choice_of_the_server_is_kept() -> None:
    found = conninfo_to_dict(conninfo(parse_url("postgresql://a,b/db?target_session_attrs=any")))
    assert found["target_session_attrs"] == "any"


def test_one_server_and_its_options_are_left_alone() -> None:
    url = parse_url("postgresql://u@h/db?options=-c%20search_path%3Dphotos&sslmode=require")
    assert count_hosts(url) == 1
    assert conninfo_to_dict(conninfo(url)) == {
        "user": "u",
        "host": "h",
        "dbname": "db",
        "options": "-c search_path=photos",
        "sslmode": "require",
    }


@given(st.lists(st.tuples(_NAMES, _PORTS), min_size=2, max_size=4))
def test_every_server_of_a_url_is_named(servers: list[tuple[str, int]]) -> None:
    hosts = ",".join(f"{name}:{port}" for name, port in servers)
    found = conninfo_to_dict(conninfo(parse_url(f"postgresql://u:p@{hosts}/db?sslmode=prefer")))
    assert found["host"] == ",".join(name for name, _ in servers)
    assert found["port"] == ",".join(str(port) for _, port in servers)
    assert found["sslmode"] == "prefer"


@pytest.mark.parametrize(
    "url", ["postgresql://h:port/db", "postgresql://a:x,b/db", "postgresql:/h"]
)
def test_url_that_cannot_be_read_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="SAFELIGHT_DATABASE_URL"):
        parse_url(url)


@pytest.mark.parametrize("url", ["postgresql://u:a@hush@h/d", "postgresql://u:a@hush@h,i/d"])
def test_password_with_an_unencoded_at_sign_is_not_taken_for_a_host(url: str) -> None:
    """The message about a host that can't be resolved would contain it."""
    with pytest.raises(SettingsError, match="write @ as %40") as caught:
        parse_url(url)
    assert "hush" not in str(caught.value)
    assert parse_url("postgresql://u:a%40hush@h/d").host == "h"
