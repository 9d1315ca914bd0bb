"""The relay to the embedded store, in front of fake stores."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from datetime import timedelta

import psutil
import pytest

from safelight.web.http.connections import ConnectionLimiter
from support.relay import echo, run_relay

MiB = 1024 * 1024


def _read_all(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65536), b""))


def _wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    pause = threading.Event()
    for _ in range(int(seconds * 100)):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("the condition was not met in time")


def _sockets(*ports: int) -> int:
    """Count this process's sockets at these ports, from either side."""
    found = psutil.Process().net_connections("inet")
    ends = [{end.port for end in (each.laddr, each.raddr) if end} for each in found]
    return sum(bool(each & set(ports)) for each in ends)


def test_bytes_arrive_whole_and_in_order() -> None:
    data = bytes(range(256)) * 4096
    with run_relay(echo) as relay, relay.connect() as client:

        def send() -> None:
            client.sendall(data * 8)
            _close_write(client)

        sender = threading.Thread(target=send)
        sender.start()
        assert _read_all(client) == data * 8
        sender.join()


def _close_write(client: socket.socket) -> None:
    client.shutdown(socket.SHUT_WR)


def test_client_that_closed_its_side_still_gets_the_response() -> None:
    async def respond_at_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read(-1)
        writer.write(b"received " + data)
        writer.close()

    with run_relay(respond_at_end) as relay, relay.connect() as client:
        client.sendall(b"all of it")
        _close_write(client)
        assert _read_all(client) == b"received all of it"


def test_bytes_sent_before_the_store_is_connected_are_kept() -> None:
    """A client that sent 256 KB while connecting was slow was once disconnected."""
    data = bytes(4 * MiB)
    with run_relay(echo) as relay:
        clients = [relay.connect() for _ in range(8)]
        threads = [threading.Thread(target=client.sendall, args=(data,)) for client in clients]
        for thread in threads:
            thread.start()
        for client in clients:
            left = len(data)
            while left:
                received = client.recv(65536)
                assert received, "the connection was closed early"
                left -= len(received)
        for thread, client in zip(threads, clients, strict=True):
            thread.join()
            client.close()


@pytest.mark.parametrize("client_closes_first", [True, False])
def test_closed_connections_leave_no_sockets(*, client_closes_first: bool) -> None:
    """Each once leaked two sockets, whichever side closed first."""

    async def close_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"bye")
        writer.close()

    with run_relay(echo if client_closes_first else close_first) as relay:
        ports = relay.port, relay.relay._port
        before = _sockets(*ports)
        for _ in range(50):
            with relay.connect() as client:
                client.sendall(b"hello")
                if client_closes_first:
                    _close_write(client)
                assert _read_all(client)
        _wait_for(lambda: relay.open_connections() == 0)
        _wait_for(lambda: _sockets(*ports) <= before)


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_disconnected_client_leaves_no_connection(*, reset: bool) -> None:
    disconnected = threading.Event()

    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                writer.write(bytes(65536))
                await writer.drain()
        disconnected.set()

    with run_relay(endless) as relay:
        client = relay.connect()
        assert client.recv(1000)
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        _wait_for(lambda: relay.open_connections() == 0)
        assert disconnected.wait(120)


def test_connection_is_closed_at_once_without_a_store() -> None:
    with run_relay(None) as relay, relay.connect() as client:
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(100) == b""
        _wait_for(lambda: relay.open_connections() == 0)


def test_aborted_store_connection_aborts_the_clients() -> None:
    async def abort(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.transport.abort()

    with run_relay(abort) as relay, relay.connect() as client:
        client.sendall(b"hello")
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(100) == b""
        _wait_for(lambda: relay.open_connections() == 0)


def test_early_response_reaches_a_client_that_is_still_sending() -> None:
    received = threading.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"refused")
        writer.write_eof()
        await asyncio.to_thread(received.wait, 120)
        writer.transport.abort()

    with run_relay(refuse) as relay, relay.connect() as client:

        def send() -> None:
            with contextlib.suppress(OSError):
                for _ in range(1000):
                    client.sendall(bytes(65536))

        sender = threading.Thread(target=send)
        sender.start()
        assert client.recv(100) == b"refused"
        received.set()
        sender.join()


def test_slow_reader_of_20_mb_costs_little_memory() -> None:
    size = 20 * MiB
    written = 0

    async def send_all(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        while written < size:
            writer.write(bytes(65536))
            await writer.drain()
            written += 65536
        writer.close()

    with run_relay(send_all) as relay, relay.connect(small=True) as client:
        before = psutil.Process().memory_info().rss
        peak, left = 0, size
        for _ in range(100):
            left -= len(client.recv(16384))
            peak = max(peak, psutil.Process().memory_info().rss - before)
        # The kernel's buffers on both sides of the relay hold some of it, never all.
        assert written < size - 8 * MiB
        while left:
            left -= len(client.recv(65536))
            peak = max(peak, psutil.Process().memory_info().rss - before)
        assert peak < 12 * MiB  # other threads of this process may need some of it
        assert client.recv(1) == b""


def test_slow_readers_get_the_last_byte_long_after_the_store_sent_it() -> None:
    """However much the kernel buffers, the relay holds the last bytes for one of these sizes."""
    data = bytes(range(256)) * 3200
    sizes = range(32_000, len(data), 32_000)

    async def send_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data[: int(await reader.readline())])
        writer.close()

    with run_relay(send_all) as relay, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(relay.connect(small=True)) for _ in sizes]
        for size, client in zip(sizes, clients, strict=True):
            client.sendall(b"%d\n" % size)
        threading.Event().wait(3)
        assert [len(_read_all(client)) for client in clients] == list(sizes)


def test_excess_connection_is_closed_and_others_continue() -> None:
    limiter = ConnectionLimiter("relay", total=3, per_address=3, min_idle=60)
    with run_relay(echo, limiter=limiter) as relay:
        clients = [relay.connect() for _ in range(3)]
        for client in clients:
            client.sendall(b"x")
            assert client.recv(1) == b"x"
        with relay.connect() as excess, contextlib.suppress(ConnectionResetError):
            assert excess.recv(1) == b""
        clients.pop().close()
        _wait_for(lambda: relay.open_connections() == 2)
        with relay.connect() as next_client:
            next_client.sendall(b"y")
            assert next_client.recv(1) == b"y"
        for client in clients:
            client.sendall(b"z")
            assert client.recv(1) == b"z"
            client.close()


def test_idle_connection_makes_place_for_another() -> None:
    limiter = ConnectionLimiter("relay", total=4, per_address=3)
    with run_relay(echo, limiter=limiter) as relay, contextlib.ExitStack() as stack:

        def connect(source: str) -> socket.socket:
            client = stack.enter_context(relay.connect(source=source))
            assert _echoes(client)
            return client

        first, second, third = (connect("127.0.0.2") for _ in range(3))
        assert _echoes(first)
        fourth = connect("127.0.0.2")  # its own longest idle one goes
        assert second.recv(1) == b""
        others = [connect("127.0.0.3") for _ in range(2)]  # then that of the largest client
        assert third.recv(1) == b""
        assert all(map(_echoes, [first, fourth, *others]))
        _wait_for(lambda: limiter.count == relay.open_connections() == 4)


def _echoes(client: socket.socket) -> bool:
    client.sendall(b"x")
    return client.recv(1) == b"x"


def test_idle_client_is_disconnected_and_a_slow_one_is_not() -> None:
    with run_relay(echo, idle=timedelta(seconds=2)) as relay:
        for _ in range(20):
            with relay.connect() as idle, relay.connect() as busy:
                if _is_served_for_longer(busy) and idle.recv(1) == b"" and _echoes(busy):
                    return
    raise AssertionError("the slow client was disconnected each time")


def _is_served_for_longer(busy: socket.socket) -> bool:
    """Return whether a client was served; this machine may stop it for too long."""
    with contextlib.suppress(ConnectionError):
        for _ in range(25):
            if not _echoes(busy):
                return False
            threading.Event().wait(0.1)
        return True
    return False


def test_client_that_reads_nothing_is_disconnected() -> None:
    disconnected = threading.Event()

    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                writer.write(bytes(65536))
                await writer.drain()
        disconnected.set()

    with (
        run_relay(endless, idle=timedelta(seconds=0.5)) as relay,
        relay.connect(small=True) as client,
    ):
        assert client.recv(1000)
        assert disconnected.wait(120)
        _wait_for(lambda: relay.open_connections() == 0)


def test_close_ends_open_connections() -> None:
    with run_relay(echo) as relay:
        client = relay.connect()
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    with client, contextlib.suppress(ConnectionResetError):
        assert client.recv(1) == b""


def test_only_allowed_addresses_are_relayed() -> None:
    """A store behind a proxy on another machine is open to that proxy alone."""
    with run_relay(echo, is_allowed=lambda address: address == "127.0.0.2") as relay:
        with relay.connect(source="127.0.0.2") as proxy:
            proxy.sendall(b"from the proxy")
            _close_write(proxy)
            assert _read_all(proxy) == b"from the proxy"
        for source in ("127.0.0.1", "127.0.0.3"):
            with relay.connect(source=source) as other, contextlib.suppress(ConnectionError):
                assert _read_all(other) == b""
