"""Failed attempts are limited per address and in total, in bounded memory."""

import sys
from collections.abc import Callable
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from safelight.errors import TooManyAttempts
from safelight.web.auth import throttle
from safelight.web.auth.throttle import FailureThrottle
from safelight.web.http.proxies import parse_address


@pytest.fixture
def seconds() -> list[float]:
    return [1000.0]


@pytest.fixture
def limited(seconds: list[float], monkeypatch: pytest.MonkeyPatch) -> FailureThrottle:
    """A throttle without a total budget."""
    monkeypatch.setattr(throttle, "_TOTAL_BURST", 10**9)
    return FailureThrottle(clock=lambda: seconds[0])


def _failures(attempt: Callable[[], None], count: int) -> int:
    """Return how many of `count` attempts were allowed."""
    allowed = 0
    for _ in range(count):
        try:
            attempt()
        except TooManyAttempts:
            continue
        allowed += 1
    return allowed


def test_limit_is_per_address_and_expires(limited: FailureThrottle, seconds: list[float]) -> None:
    a, b = map(ip_address, ("203.0.113.1", "203.0.113.2"))
    assert _failures(lambda: limited.reject(a), 12) == 10
    with pytest.raises(TooManyAttempts) as caught:
        limited.check(a)
    assert caught.value.retry_after == timedelta(seconds=6)
    limited.check(b)
    seconds[0] += 6
    limited.check(a)
    assert _failures(lambda: limited.reject(a), 2) == 1


def test_addresses_of_one_ipv6_network_count_as_one(limited: FailureThrottle) -> None:
    network = int(IPv6Address("2001:db8:0:1::"))
    addresses = iter([IPv6Address(network + number**3) for number in range(1, 31)])
    assert _failures(lambda: limited.reject(next(addresses)), 30) == 10
    limited.check(IPv6Address("2001:db8:0:2::1"))


def test_ipv4_mapped_addresses_count_as_ipv4(limited: FailureThrottle) -> None:
    texts = iter(["203.0.113.1", "::ffff:203.0.113.1", "::ffff:cb00:7101"] * 10)
    assert _failures(lambda: limited.reject(parse_address(next(texts))), 30) == 10
    limited.check(parse_address("::ffff:203.0.113.2"))


def test_many_addresses_have_a_total_budget(seconds: list[float]) -> None:
    limited = FailureThrottle(clock=lambda: seconds[0])
    addresses = iter([IPv4Address(number * 257) for number in range(1, 100)])
    assert _failures(lambda: limited.reject(next(addresses)), 30) == 20
    seconds[0] += 1
    assert _failures(lambda: limited.reject(next(addresses)), 2) == 1
    limited.check(next(addresses))  # a correct password of another address is not refused


def test_address_over_its_budget_does_not_use_the_total(seconds: list[float]) -> None:
    limited = FailureThrottle(clock=lambda: seconds[0])
    assert _failures(lambda: limited.reject(ip_address("203.0.113.1")), 1000) == 10
    assert _failures(lambda: limited.reject(ip_address("203.0.113.2")), 1000) == 10


def test_clients_without_an_address_share_a_budget(limited: FailureThrottle) -> None:
    assert _failures(lambda: limited.reject(None), 12) == 10


def test_memory_is_bounded(limited: FailureThrottle) -> None:
    for number in range(2 * throttle._MAX_ADDRESSES):
        limited.reject(IPv6Address(number << 64))
    kept = limited._failures
    assert len(kept) == throttle._MAX_ADDRESSES
    assert sum(sys.getsizeof(key) for key in kept) < 500_000
