"""`safelight serve`: it starts, tells where it is, survives, and ends."""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from acceptance.served import Served
from pictures import jpeg
from processes import named

_numbers = itertools.count()


@pytest.fixture
def server(open_tmp_path: Path) -> Iterator[Served]:
    """A server that the test may kill."""
    served = Served(open_tmp_path / f"serve-{next(_numbers)}").start()
    yield served
    served.stop()


def _sent(client: httpx.Client, seed: int) -> httpx.Response:
    return client.post("/api/photos", files={"photo": ("a.jpg", jpeg(256 + seed))})


def _add(server: Served, seed: int = 0) -> dict[str, object]:
    with server.client() as client:
        answer = _sent(client, seed)
    assert answer.status_code == 201, answer.text
    added: dict[str, object] = answer.json()
    return added


def _ended(family: list[psutil.Process], seconds: float) -> bool:
    _, alive = psutil.wait_procs(family, timeout=seconds)
    return not alive


def test_the_screen_tells_where_everything_is(server: Served) -> None:
    assert server.url in server.screen
    assert str(server.data_dir) in server.screen
    assert "secrets/token" in server.screen
    assert server.token not in server.screen


def test_everything_in_the_data_directory_is_closed_to_others(server: Served) -> None:
    # Started by root, the folder lets the group through that PostgreSQL's own user has alone.
    assert server.data_dir.stat().st_mode & 0o067 == 0
    secrets = [path for path in (server.data_dir / "secrets").iterdir() if path.is_file()]
    assert secrets
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in secrets)


def test_nothing_secret_is_ever_written(server: Served) -> None:
    code = server.screen.partition("sign-in?code=")[2].split()[0]
    wrong = {"Authorization": "Bearer a-wrong-token-of-somebody"}
    with server.client() as client:
        files = {"photo": ("holiday-in-secret.jpg", jpeg(270))}
        added = client.post("/api/photos", files=files).json()
        httpx.get(f"{server.url}/sign-in", params={"code": code})
        httpx.get(f"{server.url}/api/photos", headers=wrong)
        client.get(f"/api/photos/{added['id']}/original")
        client.post("/api/photos", content=b"nonsense")
        client.delete(f"/api/photos/{added['id']}")
    token = server.token
    server.stop()
    for secret in (token, "a-wrong-token", "X-Amz-Signature", "holiday-in-secret"):
        assert secret not in server.said
    assert server.said.count(code) == 1, "on the screen, for whoever started it"


def test_the_second_start_finds_everything_again(server: Served) -> None:
    photo = _add(server)
    token, port = server.token, httpx.URL(str(photo["photo_url"])).port
    server.stop()
    server.start()
    assert server.token == token
    with server.client() as client:
        again = client.get("/api/photos").json()
    assert [each["id"] for each in again] == [photo["id"]]
    assert again[0]["photo_url"] == photo["photo_url"]
    assert httpx.URL(again[0]["photo_url"]).port == port
    assert httpx.get(again[0]["photo_url"]).status_code == 200


def test_ctrl_c_ends_everything(server: Served) -> None:
    family = server.family()
    assert len(family) > 3
    server.stop()
    assert server.process is not None
    assert server.process.returncode == 0
    assert _ended(family, 1)


def test_a_photo_under_way_does_not_hold_up_the_end(server: Served) -> None:
    address = httpx.URL(server.url)
    with socket.create_connection((address.host, address.port or 80)) as stalled:
        stalled.sendall(
            f"POST /api/photos HTTP/1.1\r\nHost: {address.host}\r\nContent-Length: 9999\r\n"
            f"Authorization: Bearer {server.token}\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n".encode()
        )
        time.sleep(0.3)
        server.stop()
        told = stalled.recv(4096)
    assert told.startswith(b"HTTP/1.1 503 "), "408 if it was waited for"
    assert b"\r\nretry-after: 5\r\n" in told.lower()
    assert "Traceback" not in server.said


def test_after_kill_9_of_the_server_the_next_start_works(server: Served) -> None:
    photo = _add(server)
    family = server.family()
    for _ in range(3):
        assert server.process is not None
        server.process.kill()
        server.process.wait()
        server.start()
    assert _ended(family, 10)
    with server.client() as client:
        assert client.get(f"/api/photos/{photo['id']}").status_code == 200
    assert httpx.get(str(photo["photo_url"])).status_code == 200


def test_after_kill_9_of_everything_the_next_start_works(server: Served) -> None:
    photo = _add(server)
    for process in server.family():
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended with the one before
            process.kill()
    assert server.process is not None
    server.process.wait()
    server.start()
    assert httpx.get(str(photo["photo_url"])).status_code == 200


def _refusal(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "Traceback" not in said
    line = said.strip().splitlines()[-1]
    assert line.startswith("safelight: ")
    return line


def test_a_second_server_on_the_same_data_says_so_and_ends(server: Served) -> None:
    said = _refusal(server.spawn())
    assert str(server.data_dir) in said
    assert server.is_ready()


def test_a_second_server_on_the_same_data_and_port_says_so_too(server: Served) -> None:
    port = str(httpx.URL(server.url).port)
    assert str(server.data_dir) in _refusal(server.spawn(SAFELIGHT_PORT=port))


def test_a_taken_port_is_named(open_tmp_path: Path) -> None:
    alone = Served(open_tmp_path / "serve-alone")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert port in _refusal(alone.spawn(SAFELIGHT_PORT=port))


def test_a_taken_s3_port_is_named(server: Served) -> None:
    port = httpx.URL(str(_add(server)["photo_url"])).port
    assert port is not None
    server.stop()
    with socket.create_server(("127.0.0.1", port)):
        assert str(port) in _refusal(server.spawn())


def test_a_wrong_setting_is_named(server: Served) -> None:
    assert "SAFELIGHT_LINKS" in _refusal(server.spawn(SAFELIGHT_LINKS__LIFETIME="P9D"))


@pytest.mark.parametrize("engine", ["weed", "postgres"])
def test_an_engine_that_dies_is_started_again(server: Served, engine: str) -> None:
    photo = _add(server)
    victims = named(server.family(), engine)
    os.kill(victims[0].pid, signal.SIGKILL)
    with server.client() as client:
        deadline = time.monotonic() + 20
        seen = {client.get("/readyz").status_code}
        while seen != {200} or time.monotonic() < deadline - 19:
            assert seen <= {200, 503}
            assert time.monotonic() < deadline, "it does not come back"
            time.sleep(0.1)
            seen = {client.get("/readyz").status_code}
        assert client.get(f"/api/photos/{photo['id']}").status_code == 200
        assert httpx.get(str(photo["photo_url"])).status_code == 200
        while (answer := _sent(client, 1)).status_code == 503:  # it reads before it writes
            assert time.monotonic() < deadline, answer.text
            time.sleep(float(answer.headers["Retry-After"]))
    assert answer.status_code in {200, 201}


def test_asking_nobody_is_told(open_tmp_path: Path) -> None:
    served = Served(open_tmp_path / "serve-open", {"SAFELIGHT_AUTH": "none"}).start()
    try:
        assert "SAFELIGHT_AUTH=none" in served.screen
        assert httpx.get(f"{served.url}/api/photos").json() == []
    finally:
        served.stop()
