"""`safelight serve`: start, banner, restarts and shutdown."""

import contextlib
import itertools
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from support.engine_driver import wait_until
from support.fork_server import Process
from support.network import has_ipv6
from support.pictures import jpeg
from support.processes import named
from support.serve_process import ServeProcess

_numbers = itertools.count()


@pytest.fixture(scope="module")
def shared_server(open_tmp_path: Path) -> Iterator[ServeProcess]:
    served = ServeProcess(open_tmp_path / "serve").start()
    yield served
    served.kill()


@pytest.fixture
def server(shared_server: ServeProcess) -> ServeProcess:
    """A running server that the test may kill; the next test starts it again."""
    assert shared_server.process is not None
    if shared_server.process.poll() is not None:
        shared_server.start()
    return shared_server


def _upload(client: httpx.Client) -> httpx.Response:
    """Upload a photo that the server doesn't have."""
    return client.post("/api/photos", files={"photo": ("a.jpg", jpeg(256 + next(_numbers)))})


def _add(server: ServeProcess) -> dict[str, object]:
    with server.client() as client:
        response = _upload(client)
    assert response.status_code == 201, response.text
    added: dict[str, object] = response.json()
    return added


def _ended(family: list[psutil.Process], seconds: float) -> bool:
    _, alive = psutil.wait_procs(family, timeout=seconds)
    return not alive


def test_page_and_store_have_both_addresses_of_localhost(server: ServeProcess) -> None:
    """Otherwise another user's program could listen on one of them, and receive tokens."""
    page = httpx.URL(server.url)
    local = server.url.replace("127.0.0.1", "localhost")
    added = _add(server)
    with server.client() as client:
        headers = {"Host": local.removeprefix("http://")}
        link = client.get(f"/api/photos/{added['id']}", headers=headers).json()["photo_url"]
        policy = client.get("/", headers=headers).headers["Content-Security-Policy"]
    store = httpx.URL(link)
    assert store.host == "127.0.0.1"
    assert f"http://127.0.0.1:{store.port}" in policy
    if not has_ipv6():
        return
    for url in (page.join("/healthz"), store):
        answer = httpx.get(url.copy_with(host="::1"), headers={"Host": f"{url.host}:{url.port}"})
        assert answer.status_code == 200
        with pytest.raises(OSError, match="in use"):
            socket.create_server(("::1", url.port or 80), family=socket.AF_INET6)


def test_banner_shows_addresses_and_paths_but_no_token(server: ServeProcess) -> None:
    assert server.url in server.screen
    assert str(server.data_dir) in server.screen
    assert "secrets/token" in server.screen
    assert server.token not in server.screen


def test_data_directory_is_private(server: ServeProcess) -> None:
    # As root, the group of PostgreSQL's user may enter the folder; it has no other members.
    assert server.data_dir.stat().st_mode & 0o067 == 0
    secrets = [path for path in (server.data_dir / "secrets").iterdir() if path.is_file()]
    assert secrets
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in secrets)


def test_output_contains_no_secrets(server: ServeProcess) -> None:
    code = server.screen.partition("sign-in?code=")[2].split()[0]
    wrong = {"Authorization": "Bearer a-wrong-token-for-this"}
    with server.client() as client:
        files = {"photo": ("holiday-in-secret.jpg", jpeg(200))}
        added = client.post("/api/photos", files=files).json()
        httpx.get(f"{server.url}/sign-in", params={"code": code})
        client.post("/sign-in", data={"code": code}, headers={"Origin": server.url})
        httpx.get(f"{server.url}/api/photos", headers=wrong)
        client.get(f"/api/photos/{added['id']}/original")
        client.post("/api/photos", content=b"nonsense")
        client.delete(f"/api/photos/{added['id']}")
    token = server.token
    server.stop()
    for secret in (token, "a-wrong-token", "X-Amz-Signature", "holiday-in-secret"):
        assert secret not in server.output
    assert server.output.count(code) == 1, "only in the banner"


def test_restart_keeps_token_photos_and_links(server: ServeProcess) -> None:
    photo = _add(server)
    token, port = server.token, httpx.URL(str(photo["photo_url"])).port
    server.stop()
    server.start()
    assert server.token == token
    with server.client() as client:
        again = client.get("/api/photos").json()
    (found,) = (listed for listed in again if listed["id"] == photo["id"])
    assert found["photo_url"] == photo["photo_url"]
    assert httpx.URL(found["photo_url"]).port == port
    assert httpx.get(found["photo_url"]).status_code == 200


def test_ctrl_c_stops_all_processes(server: ServeProcess) -> None:
    family = server.family()
    assert len(family) > 3
    server.stop()
    assert server.process is not None
    assert server.process.returncode == 0
    assert _ended(family, 60)


def test_upload_in_progress_does_not_delay_shutdown(server: ServeProcess) -> None:
    address = httpx.URL(server.url)
    with socket.create_connection((address.host, address.port or 80)) as stalled:
        stalled.sendall(
            f"POST /api/photos HTTP/1.1\r\nHost: {address.host}\r\nContent-Length: 9999\r\n"
            f"Authorization: Bearer {server.token}\r\nExpect: 100-continue\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\n\r\n".encode()
        )
        assert stalled.recv(4096).startswith(b"HTTP/1.1 100 ")  # the upload has begun
        stalled.sendall(b"--x\r\n")
        server.stop()
        received = stalled.recv(4096)
    assert received.startswith(b"HTTP/1.1 503 "), "408 would mean that it waited"
    assert b"\r\nretry-after: 5\r\n" in received.lower()
    assert "Traceback" not in server.output


def test_server_starts_after_being_killed(server: ServeProcess) -> None:
    photo = _add(server)
    family = server.family()
    for _ in range(2):
        assert server.process is not None
        server.process.kill()
        server.process.wait()
        server.start()
    assert _ended(family, 120)
    with server.client() as client:
        assert client.get(f"/api/photos/{photo['id']}").status_code == 200
    assert httpx.get(str(photo["photo_url"])).status_code == 200


def test_server_starts_after_all_processes_were_killed(server: ServeProcess) -> None:
    photo = _add(server)
    for process in server.family():
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended with its parent
            process.kill()
    assert server.process is not None
    server.process.wait()
    server.start()
    assert httpx.get(str(photo["photo_url"])).status_code == 200


def _startup_error(process: Process) -> str:
    output = process.communicate(timeout=120)[0].decode()
    assert process.returncode == 1
    assert "Traceback" not in output
    line = output.strip().splitlines()[-1]
    assert line.startswith("safelight: ")
    return line


def test_second_server_on_the_same_data_fails(server: ServeProcess) -> None:
    error = _startup_error(server.spawn())
    assert str(server.data_dir) in error
    assert wait_until(server.is_ready)


def test_second_server_on_the_same_data_and_port_names_the_data(server: ServeProcess) -> None:
    port = str(httpx.URL(server.url).port)
    assert str(server.data_dir) in _startup_error(server.spawn(SAFELIGHT_PORT=port))


def test_taken_port_is_named(open_tmp_path: Path) -> None:
    alone = ServeProcess(open_tmp_path / "serve-alone")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert port in _startup_error(alone.spawn(SAFELIGHT_PORT=port))


def test_taken_s3_port_is_named(server: ServeProcess) -> None:
    port = httpx.URL(str(_add(server)["photo_url"])).port
    assert port is not None
    server.stop()
    with socket.create_server(("127.0.0.1", port)):
        assert str(port) in _startup_error(server.spawn())


def test_invalid_setting_is_named(server: ServeProcess) -> None:
    assert "SAFELIGHT_LINKS" in _startup_error(server.spawn(SAFELIGHT_LINKS__LIFETIME="P9D"))


@pytest.mark.parametrize("engine", ["weed", "postgres"])
def test_killed_engine_is_restarted(server: ServeProcess, engine: str) -> None:
    photo = _add(server)
    victims = named(server.family(), engine)
    os.kill(victims[0].pid, signal.SIGKILL)
    with server.client() as client:

        def answer_again() -> bool:
            paths = ("/readyz", f"/api/photos/{photo['id']}")
            statuses = [client.get(path).status_code for path in paths]
            assert set(statuses) <= {200, 503}
            try:
                link = httpx.get(str(photo["photo_url"])).status_code
            except httpx.TransportError:
                return False
            return {*statuses, link} == {200}

        assert wait_until(lambda: not victims[0].is_running())
        assert wait_until(answer_again)
        deadline = time.monotonic() + 120
        while (response := _upload(client)).status_code == 503:  # reading recovers before writing
            assert time.monotonic() < deadline, response.text
            time.sleep(float(response.headers["Retry-After"]))
    assert response.status_code in {200, 201}


def test_banner_shows_that_no_token_is_required(open_tmp_path: Path) -> None:
    settings = {"SAFELIGHT_AUTH": "none"}
    served = ServeProcess(open_tmp_path / "serve-open", settings, empty=True).start()
    try:
        assert "SAFELIGHT_AUTH=none" in served.screen
        assert httpx.get(f"{served.url}/api/photos").json() == []
    finally:
        served.kill()
