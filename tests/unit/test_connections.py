"""Bounds of connections, and of the files that they take."""

import resource

import pytest

from safelight.server.connection_limits import make_connection_limits, raise_file_limit
from safelight.settings import Settings
from safelight.web.http.connections import ConnectionLimiter


class Connection:
    """A connection that records whether it was evicted."""

    def __init__(self) -> None:
        self.is_open = True

    def evict(self) -> None:
        self.is_open = False


class Clients:
    """Clients of a limiter whose clock advances with every call."""

    def __init__(self, *, total: int = 100, per_address: int = 100, **options: float) -> None:
        self.now = 0.0
        self.limiter = ConnectionLimiter(
            "server",
            total=total,
            per_address=per_address,
            is_proxy=lambda address: address == "10.0.0.1",
            clock=self.tick,
            **options,
        )

    def tick(self) -> float:
        self.now += 0.001
        return self.now

    def connect(self, address: str, *, busy: bool = False) -> Connection | None:
        connection = Connection()
        if not self.limiter.admit(connection, address):
            return None
        if busy:
            self.limiter.mark_busy(connection)
        return connection

    def connect_many(self, address: str, count: int, *, busy: bool = False) -> list[Connection]:
        made = [self.connect(address, busy=busy) for _ in range(count)]
        return [connection for connection in made if connection]


def _open(connections: list[Connection]) -> list[bool]:
    return [connection.is_open for connection in connections]


def test_longest_idle_connection_of_the_same_address_makes_place() -> None:
    clients = Clients(per_address=3)
    other = clients.connect("192.0.2.9")
    mine = clients.connect_many("192.0.2.1", 3)
    clients.limiter.mark_idle(mine[0])  # a request has just ended
    assert clients.connect("192.0.2.1")
    assert _open(mine) == [True, False, True]
    assert other
    assert other.is_open
    assert clients.limiter.count == 4


def test_busy_connections_are_never_closed() -> None:
    clients = Clients(per_address=3, total=5)
    mine = clients.connect_many("192.0.2.1", 3, busy=True)
    assert clients.connect("192.0.2.1") is None
    others = clients.connect_many("192.0.2.2", 2, busy=True)
    assert clients.connect("192.0.2.3") is None
    assert all(_open(mine + others))
    clients.limiter.release(mine[0])
    clients.limiter.release(mine[0])
    assert clients.connect("192.0.2.3")


def test_the_client_with_the_most_connections_makes_place() -> None:
    clients = Clients(total=6)
    few = clients.connect_many("192.0.2.1", 2)
    many = clients.connect_many("192.0.2.2", 4)
    assert clients.connect("192.0.2.3")
    assert (_open(few), _open(many)) == ([True, True], [False, True, True, True])


def test_a_large_client_takes_no_place_of_a_smaller_one() -> None:
    clients = Clients(total=6)
    few = clients.connect_many("192.0.2.1", 2)
    assert len(clients.connect_many("192.0.2.2", 5, busy=True)) == 4
    assert _open(few) == [True, True]


def test_proxy_is_bound_by_the_total_alone() -> None:
    clients = Clients(total=10, per_address=3)
    assert len(clients.connect_many("10.0.0.1", 10, busy=True)) == 10
    assert clients.connect("10.0.0.1") is None


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
def test_ipv6_addresses_count_by_their_network(first: str, second: str, *, same: bool) -> None:
    clients = Clients(per_address=1)
    connection = clients.connect(first)
    assert connection
    assert clients.connect(second)
    assert connection.is_open is not same


def test_connection_that_was_active_lately_is_not_idle() -> None:
    clients = Clients(per_address=1, min_idle=10)
    connection = clients.connect("192.0.2.1")
    assert connection
    assert clients.connect("192.0.2.1") is None
    clients.now += 10
    assert clients.connect("192.0.2.1")
    assert not connection.is_open


def test_met_bound_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clients = Clients(per_address=1)
    for _ in range(5):
        clients.connect("192.0.2.1")
    assert len(caplog.messages) == 1
    assert "192.0.2.1" in caplog.text
    clients.connect_many("192.0.2.2", 5, busy=True)
    assert len(caplog.messages) == 2
    clients.now += 60
    clients.connect("192.0.2.1")
    assert len(caplog.messages) == 3


def test_limits_leave_files_for_everything_else(caplog: pytest.LogCaptureFixture) -> None:
    few = make_connection_limits(Settings(), 1024)
    assert few.server.total + 2 * few.relay.total + few.backlog < 1024
    assert few.relay.per_address < few.relay.total
    assert "1024" in caplog.text
    caplog.clear()
    many = make_connection_limits(Settings(), 65_536)
    assert (many.server.total, many.relay.total) == (2_000, 256)
    assert not caplog.messages


@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [
        (1024, 4096, 4096),
        (1024, 1_000_000_000, 65_536),
        (1024, resource.RLIM_INFINITY, 65_536),
        (200_000, 524_288, None),
        (4096, 4096, None),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, None),
    ],
)
def test_soft_limit_of_files_is_raised(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: int | None
) -> None:
    made = list[tuple[int, int]]()
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: made.append(limits))
    limit = raise_file_limit()
    assert made == ([(raised, hard)] if raised else [])
    assert limit == (raised or (soft if soft != resource.RLIM_INFINITY else 65_536))
