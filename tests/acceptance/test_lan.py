"""`SAFELIGHT_HOST=0.0.0.0`: on other machines of the network. Left out where there is none."""

import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
import zxingcpp

import pictures
from acceptance.network import addresses
from acceptance.served import Served
from acceptance.service import told
from processes import named, sockets


@pytest.fixture(scope="module")
def server(open_tmp_path: Path) -> Iterator[Served]:
    served = Served(open_tmp_path / "lan", {"SAFELIGHT_HOST": "0.0.0.0"})
    try:
        yield served.start()
    finally:
        served.stop()


@pytest.fixture(scope="module", params=addresses(socket.AF_INET))
def address(request: pytest.FixtureRequest) -> str:
    """An address of this machine that others of the network can reach."""
    found: str = request.param
    return found


def _port(url: str) -> int:
    return httpx.URL(url).port or 80


def _there(server: Served, address: str, **headers: str) -> httpx.Client:
    """A client of another machine, as far as it can be had on this one."""
    url = f"http://{address}:{_port(server.url)}"
    return httpx.Client(base_url=url, headers={"Origin": url, **headers}, timeout=30)


def _bearer(server: Served, address: str) -> httpx.Client:
    return _there(server, address, Authorization=f"Bearer {server.token}")


def _listening(server: Served) -> set[tuple[str, int]]:
    """Everything that takes connections or datagrams from elsewhere, of the whole family."""
    return {
        (each.laddr.ip, each.laddr.port)
        for each in sockets(server.family())
        if (each.status == psutil.CONN_LISTEN or (each.type == socket.SOCK_DGRAM and each.laddr))
        and not each.laddr.ip.startswith("127.")
        and each.laddr.ip != "::1"
    }


def test_the_service_and_the_stores_port_listen_off_loopback_and_nothing_else(
    server: Served,
) -> None:
    store = _port(told(server, "Photo store"))
    relays = {(address, store) for address in addresses(socket.AF_INET)}
    assert _listening(server) == {("0.0.0.0", _port(server.url)), *relays}


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/safelight", "/safelight?list-type=2", "/safelight/x"])
def test_the_stores_port_passes_nothing_that_is_not_signed(
    server: Served, address: str, method: str, path: str
) -> None:
    store = f"http://{address}:{_port(told(server, 'Photo store'))}"
    answer = httpx.request(method, f"{store}{path}", content=b"x" if method == "PUT" else None)
    assert 400 <= answer.status_code < 500
    assert b"photos/" not in answer.content


def test_a_photo_goes_in_and_its_link_opens_by_the_networks_address(
    server: Served, address: str
) -> None:
    photo = pictures.jpeg(640, 480)
    with _bearer(server, address) as client:
        added = client.post("/api/photos", files={"photo": ("a.jpg", photo)})
        link = added.json()["photo_url"]
        policy = client.get("/").headers["Content-Security-Policy"]
    store = f"http://{address}:{_port(told(server, 'Photo store'))}"
    assert link.startswith(f"{store}/safelight/photos/")
    assert store in policy
    assert httpx.get(link).content == photo
    assert httpx.get(link[:-1] + ("0" if link[-1] != "0" else "1")).status_code == 403
    assert httpx.get(link.replace(address, "127.0.0.1")).status_code == 403


def test_a_hundred_large_photos_come_at_once(server: Served, address: str) -> None:
    photo = pictures.jpeg(700, 500) + bytes(4 * 1024 * 1024)
    with _bearer(server, address) as client:
        link = client.post("/api/photos", files={"photo": ("a.jpg", photo)}).json()["photo_url"]
    with ThreadPoolExecutor(20) as crowd:
        for answer in crowd.map(lambda _: httpx.get(link, timeout=60), range(100)):
            assert answer.content == photo


def test_the_screen_tells_the_address_and_its_code_signs_a_phone_in(server: Served) -> None:
    for address in addresses(socket.AF_INET):
        assert f"http://{address}:{_port(server.url)}/\n" in server.screen
    link = _decoded(server.screen)
    assert link in server.screen
    assert httpx.URL(link).host in addresses(socket.AF_INET)
    # It came by the network, so what it says of a proxy isn't believed.
    answer = httpx.get(link, headers={"X-Forwarded-Proto": "https"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert "secure" not in answer.headers["Set-Cookie"].lower()


def _decoded(screen: str) -> str:
    """Read the QR code of a screen whose letters are light."""
    drawn = [line for line in screen.splitlines() if line and not line.strip("█▀▄ ")]
    rows = [[each in halves for each in line] for line in drawn for halves in ("█▀", "█▄")]
    assert len({len(row) for row in rows}) == 1
    light = np.array(rows, dtype=np.uint8) * 255
    codes = zxingcpp.read_barcodes(np.kron(light, np.ones((4, 4), dtype=np.uint8)))
    assert len(codes) == 1
    return str(codes[0].text)


def test_a_name_that_is_not_configured_is_not_served(server: Served, address: str) -> None:
    with _bearer(server, address) as client:
        answer = client.get("/api/photos", headers={"Host": "evil.example"})
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_host")


def test_a_store_that_dies_is_started_again_and_let_through_again(
    server: Served, address: str
) -> None:
    """Where anybody listened at its port it didn't start, and the relay went on listening."""
    with _bearer(server, address) as client:
        files = {"photo": ("a.jpg", pictures.jpeg(77, 66))}
        link = client.post("/api/photos", files=files).json()["photo_url"]
        for _ in range(2):
            named(server.family(), "weed")[0].kill()
            deadline = time.monotonic() + 20
            while not _opens(link):
                assert time.monotonic() < deadline, "it does not come back"
                time.sleep(0.1)
            assert _listening(server) >= {(address, _port(link))}


def _opens(link: str) -> bool:
    try:
        return httpx.get(link).status_code == 200
    except httpx.TransportError:
        return False


def test_a_stores_port_that_is_taken_in_the_network_is_named(open_tmp_path: Path) -> None:
    served = Served(open_tmp_path / "lan-taken").start()
    served.stop()
    port = _port(told(served, "Photo store"))
    with socket.create_server((addresses(socket.AF_INET)[0], port)):
        refused = served.spawn(SAFELIGHT_HOST="0.0.0.0")
        said, _ = refused.communicate(timeout=30)
    assert refused.returncode == 1
    line = said.strip().splitlines()[-1]
    assert line.startswith("safelight: ")
    assert str(port) in line


if socket.has_dualstack_ipv6():

    def test_two_colons_are_every_address_of_both_families(open_tmp_path: Path) -> None:
        served = Served(open_tmp_path / "lan-6", {"SAFELIGHT_HOST": "::"})
        try:
            served.start()
            everywhere = [*addresses(socket.AF_INET), *addresses(socket.AF_INET6)]
            store = _port(told(served, "Photo store"))
            relays = {(address, store) for address in everywhere}
            assert _listening(served) == {("::", _port(served.url)), *relays}
            for address in ["127.0.0.1", "::1", *everywhere]:
                host = f"[{address}]" if ":" in address else address
                with _bearer(served, host) as client:
                    files = {"photo": ("a.jpg", pictures.jpeg(99, 88))}
                    link = client.post("/api/photos", files=files).json()["photo_url"]
                assert httpx.URL(link).host == address
                assert httpx.get(link).status_code == 200
            code = re.search(r"On a phone +(\S+)", served.screen)
            assert code
            assert httpx.URL(code[1]).host in everywhere
        finally:
            served.stop()
