"""`SAFELIGHT_HOST=0.0.0.0`: access from other machines. Skipped on a machine without a network."""

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

from support import pictures
from support.engine_driver import wait_until
from support.network import addresses
from support.processes import named, sockets
from support.serve_process import ServeProcess
from support.service import banner_value

pytestmark = pytest.mark.skipif(
    not addresses(socket.AF_INET), reason="this machine is in no network"
)


@pytest.fixture(scope="module")
def server(open_tmp_path: Path) -> Iterator[ServeProcess]:
    served = ServeProcess(open_tmp_path / "lan", {"SAFELIGHT_HOST": "0.0.0.0"})
    try:
        yield served.start()
    finally:
        served.kill()


@pytest.fixture(scope="module", params=addresses(socket.AF_INET))
def address(request: pytest.FixtureRequest) -> str:
    """An address of this machine on its network."""
    found: str = request.param
    return found


def _port(url: str) -> int:
    return httpx.URL(url).port or 80


def _client(server: ServeProcess, address: str, **headers: str) -> httpx.Client:
    """Return a client that connects like one on another machine."""
    url = f"http://{address}:{_port(server.url)}"
    return httpx.Client(base_url=url, headers={"Origin": url, **headers}, timeout=120)


def _bearer(server: ServeProcess, address: str) -> httpx.Client:
    return _client(server, address, Authorization=f"Bearer {server.token}")


def _listening(server: ServeProcess) -> set[tuple[str, int]]:
    """Return the non-loopback sockets of all processes that accept connections or datagrams."""
    return {
        (opened.laddr.ip, opened.laddr.port)
        for opened in sockets(server.family())
        if (
            opened.status == psutil.CONN_LISTEN
            or (opened.type == socket.SOCK_DGRAM and opened.laddr)
        )
        and not opened.laddr.ip.startswith("127.")
        and opened.laddr.ip != "::1"
    }


def test_only_the_service_and_the_store_port_listen_off_loopback(
    server: ServeProcess,
) -> None:
    store = _port(banner_value(server, "Photo store"))
    relays = {(address, store) for address in addresses(socket.AF_INET)}
    expected = {("0.0.0.0", _port(server.url)), *relays}
    assert wait_until(lambda: _listening(server) == expected)  # no query for a name is open


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/safelight", "/safelight?list-type=2", "/safelight/x"])
def test_store_port_refuses_unsigned_requests(
    server: ServeProcess, address: str, method: str, path: str
) -> None:
    store = f"http://{address}:{_port(banner_value(server, 'Photo store'))}"
    response = httpx.request(method, f"{store}{path}", content=b"x" if method == "PUT" else None)
    assert 400 <= response.status_code < 500
    assert b"photos/" not in response.content


def test_upload_and_link_work_at_the_network_address(server: ServeProcess, address: str) -> None:
    photo = pictures.jpeg(640, 480)
    with _bearer(server, address) as client:
        added = client.post("/api/photos", files={"photo": ("a.jpg", photo)})
        link = added.json()["photo_url"]
        policy = client.get("/").headers["Content-Security-Policy"]
    store = f"http://{address}:{_port(banner_value(server, 'Photo store'))}"
    assert link.startswith(f"{store}/safelight/photos/")
    assert store in policy
    assert httpx.get(link).content == photo
    assert httpx.get(link[:-1] + ("0" if link[-1] != "0" else "1")).status_code == 403
    assert httpx.get(link.replace(address, "127.0.0.1")).status_code == 403


def test_100_parallel_downloads_of_a_large_photo_succeed(
    server: ServeProcess, address: str
) -> None:
    photo = pictures.jpeg(700, 500) + bytes(4 * 1024 * 1024)
    with _bearer(server, address) as client:
        link = client.post("/api/photos", files={"photo": ("a.jpg", photo)}).json()["photo_url"]
    with ThreadPoolExecutor(20) as executor:
        for response in executor.map(lambda _: httpx.get(link, timeout=120), range(100)):
            assert response.content == photo


def test_qr_code_of_the_banner_signs_in_a_phone(server: ServeProcess) -> None:
    for address in addresses(socket.AF_INET):
        assert f"http://{address}:{_port(server.url)}/\n" in server.screen
    link = _read_qr_code(server.screen)
    assert link in server.screen
    assert httpx.URL(link).host in addresses(socket.AF_INET)
    # X-Forwarded-Proto is ignored, since the request didn't come from this machine.
    page, code = link.split("/sign-in?code=")
    headers = {"Origin": page, "X-Forwarded-Proto": "https"}
    response = httpx.post(f"{page}/sign-in", data={"code": code}, headers=headers)
    assert (response.status_code, response.headers["Location"]) == (303, "/")
    assert "secure" not in response.headers["Set-Cookie"].lower()


def _read_qr_code(screen: str) -> str:
    """Read the QR code of a banner, whose drawn modules are light."""
    drawn = [line for line in screen.splitlines() if line and not line.strip("█▀▄ ")]
    rows = [[char in halves for char in line] for line in drawn for halves in ("█▀", "█▄")]
    assert len({len(row) for row in rows}) == 1
    light = np.array(rows, dtype=np.uint8) * 255
    codes = zxingcpp.read_barcodes(np.kron(light, np.ones((4, 4), dtype=np.uint8)))
    assert len(codes) == 1
    return str(codes[0].text)


def test_unknown_host_name_is_refused(server: ServeProcess, address: str) -> None:
    with _bearer(server, address) as client:
        response = client.get("/api/photos", headers={"Host": "evil.example"})
        assert (response.status_code, response.json()["code"]) == (400, "unknown_host")


def test_relay_listens_again_after_a_restart_of_the_store(
    server: ServeProcess, address: str
) -> None:
    """The store once failed to start, because the relay still had its port."""
    with _bearer(server, address) as client:
        files = {"photo": ("a.jpg", pictures.jpeg(77, 66))}
        link = client.post("/api/photos", files=files).json()["photo_url"]
        for _ in range(2):
            named(server.family(), "weed")[0].kill()
            deadline = time.monotonic() + 120
            while not _opens(link):
                assert time.monotonic() < deadline, "the store was not restarted in time"
                time.sleep(0.1)
            assert wait_until(lambda: _listening(server) >= {(address, _port(link))})


def _opens(link: str) -> bool:
    try:
        return httpx.get(link).status_code == 200
    except httpx.TransportError:
        return False


def test_store_port_taken_on_the_network_is_named(open_tmp_path: Path) -> None:
    served = ServeProcess(open_tmp_path / "lan-taken").start()
    served.stop()
    port = _port(banner_value(served, "Photo store"))
    with socket.create_server((addresses(socket.AF_INET)[0], port)):
        process = served.spawn(SAFELIGHT_HOST="0.0.0.0")
        output = process.communicate(timeout=120)[0].decode()
    assert process.returncode == 1
    line = output.strip().splitlines()[-1]
    assert line.startswith("safelight: ")
    assert str(port) in line


if socket.has_dualstack_ipv6():

    def test_host_of_two_colons_listens_on_ipv4_and_ipv6(open_tmp_path: Path) -> None:
        served = ServeProcess(open_tmp_path / "lan-6", {"SAFELIGHT_HOST": "::"})
        try:
            served.start()
            external = [*addresses(socket.AF_INET), *addresses(socket.AF_INET6)]
            store = _port(banner_value(served, "Photo store"))
            relays = {(address, store) for address in external}
            assert wait_until(lambda: _listening(served) == {("::", _port(served.url)), *relays})
            for address in ["127.0.0.1", "::1", *external]:
                host = f"[{address}]" if ":" in address else address
                with _bearer(served, host) as client:
                    files = {"photo": ("a.jpg", pictures.jpeg(99, 88))}
                    link = client.post("/api/photos", files=files).json()["photo_url"]
                named = "127.0.0.1" if address == "::1" else address
                assert httpx.URL(link).host == named
                assert httpx.get(link).status_code == 200
            code = re.search(r"On a phone +(\S+)", served.screen)
            assert code
            assert httpx.URL(code[1]).host in external
        finally:
            served.stop()
