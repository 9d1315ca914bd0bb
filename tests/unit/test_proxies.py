"""X-Forwarded headers are used from trusted proxies only, and only what these appended."""

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from safelight.web.http.proxies import PROXY_HOST, TrustedProxies, parse_address

PROXIES = TrustedProxies(map(ip_network, ("127.0.0.0/8", "::1/128", "10.0.0.0/8")))
PEER = ip_address("127.0.0.1")
GARBAGE = [
    b"unknown",
    b"_hidden",
    b"",
    b" ",
    b"203.0.113.256",
    b"203.0.113.9:port",
    b"203.0.113.9 x",
    b"2130706433",
    b"<script>",
    b"\xff\xfe",
    b"[::2",
    b"\xd9\xa1.1.1.1",
    b"1" * 60_000,
]


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ([], "127.0.0.1"),
        ([b"203.0.113.9"], "203.0.113.9"),
        ([b"203.0.113.9:4711"], "203.0.113.9"),
        ([b"[2001:db8::9]:4711"], "2001:db8::9"),
        ([b"[2001:DB8:0::9]"], "2001:db8::9"),
        ([b"::ffff:203.0.113.9"], "203.0.113.9"),
        ([b"fe80::1%eth0"], "fe80::1"),
        ([b"198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        ([b"198.51.100.1", b"203.0.113.9"], "203.0.113.9"),
        ([b"198.51.100.1, 203.0.113.9, 10.0.0.7"], "203.0.113.9"),
        ([b"203.0.113.9,10.0.0.7, ::ffff:10.0.0.8,::1"], "203.0.113.9"),
        ([b"10.0.0.9, 10.0.0.7"], "10.0.0.9"),
    ],
)
def test_client_is_the_last_address_that_is_no_proxy(forwarded: list[bytes], client: str) -> None:
    assert str(PROXIES.find_client(PEER, forwarded)) == client


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_never_an_address(garbage: bytes) -> None:
    assert PROXIES.find_client(PEER, [garbage]) == PEER
    assert (
        str(PROXIES.find_client(PEER, [b"203.0.113.9, " + garbage + b", 10.0.0.7"])) == "10.0.0.7"
    )
    assert str(PROXIES.find_client(PEER, [garbage + b",203.0.113.9"])) == "203.0.113.9"


def test_a_zone_is_never_part_of_an_address() -> None:
    assert str(parse_address("fe80::1%<script>\n")) == "fe80::1"


def test_long_list_of_proxies_is_not_read_to_its_start() -> None:
    forwarded = b"203.0.113.9" + b",10.0.0.7" * 5_000
    assert str(PROXIES.find_client(PEER, [forwarded])) == "10.0.0.7"


def _scope(peer: str, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {
        "type": "http",
        "scheme": "http",
        "client": (peer, 5000),
        "headers": [(b"host", b"127.0.0.1:8000"), *headers],
    }


FORWARDED = (
    (b"x-forwarded-for", b"203.0.113.9"),
    (b"x-forwarded-proto", b"HTTPS"),
    (b"x-forwarded-host", b"photos.example"),
)


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:10.1.2.3"])
def test_trusted_proxy_determines_client_scheme_and_host(peer: str) -> None:
    scope = _scope(peer, *FORWARDED)
    PROXIES.apply(scope)
    assert (scope["client"], scope["scheme"]) == (("203.0.113.9", 0), "https")
    assert [value for name, value in scope["headers"] if name == b"host"] == [b"photos.example"]
    assert scope[PROXY_HOST] == "127.0.0.1:8000"


@pytest.mark.parametrize("peer", ["203.0.113.1", "11.0.0.1", "::2", "::ffff:192.0.2.1"])
def test_headers_of_other_peers_are_ignored(peer: str) -> None:
    scope = _scope(peer, *FORWARDED)
    PROXIES.apply(scope)
    assert scope["client"] == (peer.removeprefix("::ffff:"), 5000)
    assert scope["scheme"] == "http"
    assert scope["headers"][0] == (b"host", b"127.0.0.1:8000")
    assert PROXY_HOST not in scope


def test_without_trusted_proxies_all_headers_are_ignored() -> None:
    scope = _scope("127.0.0.1", *FORWARDED)
    TrustedProxies(()).apply(scope)
    assert scope == _scope("127.0.0.1", *FORWARDED)


@pytest.mark.parametrize("scheme", [b"ftp", b"", b"https, http", b"javascript"])
def test_other_schemes_are_ignored(scheme: bytes) -> None:
    scope = _scope("127.0.0.1", (b"x-forwarded-proto", scheme))
    PROXIES.apply(scope)
    assert scope["scheme"] == "http"


def test_connection_without_an_address_is_unchanged() -> None:
    for client in (None, ("", 0), ("/run/socket", 0)):
        scope = _scope("", *FORWARDED) | {"client": client}
        expected = dict(scope)
        PROXIES.apply(scope)
        assert scope == expected
