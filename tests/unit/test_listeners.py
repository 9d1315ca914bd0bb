"""The addresses that the service listens on: all of `localhost`, or none."""

import contextlib
import errno
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from safelight.errors import SettingsError
from safelight.server.listeners import listen
from safelight.settings import Settings
from support.network import has_ipv6

needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@contextmanager
def _listening(data_dir: Path, host: str, port: int = 0) -> Iterator[list[tuple[str, int]]]:
    settings = Settings(host=host, port=port, data_dir=data_dir)
    with ExitStack() as stack:
        yield [stack.enter_context(each).getsockname()[:2] for each in listen(settings)]


@needs_ipv6
@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        ("127.0.0.1", ["127.0.0.1", "::1"]),
        ("localhost", ["127.0.0.1", "::1"]),
        ("::1", ["::1", "127.0.0.1"]),
        ("[::1]", ["::1", "127.0.0.1"]),
        ("0.0.0.0", ["0.0.0.0", "::1"]),
        ("::", ["::"]),
        ("127.0.0.2", ["127.0.0.2"]),
    ],
)
def test_service_listens_on_both_loopback_addresses(
    tmp_path: Path, host: str, addresses: list[str]
) -> None:
    with _listening(tmp_path, host) as listening:
        assert [address for address, _ in listening] == addresses
        (port,) = {port for _, port in listening}
        if host == "127.0.0.2":
            return
        for family, loopback in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with socket.socket(family) as client:
                client.connect((loopback, port))
            with pytest.raises(OSError, match="in use"):
                socket.create_server((loopback, port), family=family)


def _free_port() -> int:
    """Return a port that is free at all addresses, and that the kernel gives to no one.

    Otherwise the connection of another program may have it a moment later.
    """
    while True:
        port = random.randrange(24_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("0.0.0.0", port)):
            return port


@needs_ipv6
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_taken_loopback_address_stops_the_start(tmp_path: Path, host: str) -> None:
    port = _free_port()
    with socket.create_server(("::1", port), family=socket.AF_INET6):
        with (
            pytest.raises(SettingsError, match=rf"\[::1\]:{port} \(Address already in use\):"),
            _listening(tmp_path, host, port),
        ):
            pass
        with socket.create_server(("127.0.0.1", port)):
            pass  # nothing is left open


@needs_ipv6
def test_chosen_port_is_free_at_both_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, refused = socket.create_server, list[int]()

    def taken_at_first(address: tuple[str, int], **options: Any) -> socket.socket:
        if address[0] == "::1" and not refused:
            refused.append(address[1])
            raise OSError(errno.EADDRINUSE, "in use")
        return create(address, **options)

    monkeypatch.setattr(socket, "create_server", taken_at_first)
    with _listening(tmp_path, "127.0.0.1") as listening:
        assert len(listening) == 2
        assert listening[0][1] == listening[1][1] != refused[0]


@pytest.mark.parametrize("code", [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
def test_machine_without_ipv6_listens_on_ipv4(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    create = socket.create_server

    def without_ipv6(address: tuple[str, int], **options: Any) -> socket.socket:
        if ":" in address[0]:
            raise OSError(code, "no IPv6")
        return create(address, **options)

    monkeypatch.setattr(socket, "create_server", without_ipv6)
    with _listening(tmp_path, "127.0.0.1") as listening:
        assert [address for address, _ in listening] == ["127.0.0.1"]
    with pytest.raises(SettingsError, match="::1"), _listening(tmp_path, "::1"):
        pass
