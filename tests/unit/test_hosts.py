"""A Host header becomes part of a link only if it is a host, and nothing else."""

from ipaddress import IPv6Address
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from safelight.signing.sigv4 import Address
from safelight.web.hosts import is_on_loopback, request_host

PIECES = st.sampled_from(
    [
        *("a", "Photos", "example", ".", "..", "-", "_", "127.0.0.1", "[", "]", "::1", ":"),
        *(":8000", "/", "\\", "@", "?", "#", "%2f", "%eth0", " ", "\t", "\xff"),
    ]
)
HOSTS = st.one_of(
    st.text(st.characters(max_codepoint=255)),
    st.lists(PIECES, max_size=6).map("".join),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
)


def _request_host(value: str) -> str | None:
    return request_host(Headers({"host": value}))


@given(HOSTS)
@example("[:::]")
@example("a..b")
@example("..")
@example(".a")
@example("[::1%eth0]")
@example("localhost:8000\n")
def test_host_is_signed_for_as_it_is_or_not_accepted(value: str) -> None:
    host = _request_host(value)
    if host is None:
        return
    assert not set(host) & set("/\\@?#%[] \t\r\n")
    address = Address.of(f"http://{f'[{host}]' if ':' in host else host}:8333", "photos")
    parts = urlsplit(f"{address.origin}{address.path}key?query")
    assert (parts.port, parts.path, parts.query) == (8333, "/photos/key", "query")
    assert parts.hostname == (str(IPv6Address(host)) if ":" in host else host)


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("Photos.Example:8000", "photos.example"),
        ("studio.local.", "studio.local."),
        ("my_host-1", "my_host-1"),
        ("[::1]:8000", "::1"),
        ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
        ("192.168.1.5", "192.168.1.5"),
    ],
)
def test_valid_host_is_accepted(value: str, host: str) -> None:
    assert _request_host(value) == host


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("localhost.", True),
        ("photos.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("notlocalhost", False),
        ("localhost.example", False),
        ("192.168.1.5", False),
        ("2001:db8::1", False),
    ],
)
def test_names_and_addresses_of_loopback_are_recognized(host: str, *, expected: bool) -> None:
    assert is_on_loopback(host) is expected
