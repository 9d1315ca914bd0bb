"""Kill the embedded store, let another program take its ports, and use the service."""

import contextlib
import json
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx

from support import pictures
from support.engine_driver import wait_until
from support.impostor import Impostor, run_impostor
from support.processes import named, suspended
from support.serve_process import ServeProcess


def check_takeover(server: ServeProcess, *, uid: int | None = None) -> Impostor:
    """Check that what is acknowledged exists; return the impostor, with what it received.

    `uid` is the impostor's user. It holds both ports of the S3 API.
    """
    ports = json.loads((server.data_dir / "ports.json").read_text())
    with server.client() as client:
        before = _upload(client, 0)
        assert before.status_code == 201, before.text
        with run_impostor(ports["s3"], ports["s3_tls"], uid=uid) as impostor:
            _kill_store(server, impostor)
            _check_service(client, before.json())
            assert not _is_relayed(ports["s3"])
            refusal = f"Port {ports['s3']} of the embedded object store is in use"
            assert wait_until(lambda: refusal in server.output)
            assert named(server.family(), "weed") == []  # it isn't started while its ports are used
        assert wait_until(lambda: client.get("/readyz").status_code == 200)
        after = _upload(client, 99)
        assert after.status_code == 201, after.text
        for photo in (before.json(), after.json()):
            stored = httpx.get(photo["original_url"], trust_env=False)
            assert stored.status_code == 200
            assert len(stored.content) == photo["size"]
    return impostor


def _kill_store(server: ServeProcess, impostor: Impostor) -> None:
    """Kill the store; the service can't notice before the ports are taken."""
    assert server.process is not None
    (store,) = named(server.family(), "weed")
    with suspended(server.process.pid):
        os.kill(store.pid, signal.SIGKILL)
        impostor.wait_for_ports()


def _check_service(client: httpx.Client, photo: dict[str, object]) -> None:
    """Check that nothing is accepted or signed for the store, and that lists still work."""
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: _upload(client, n), range(1, 9)))
    declared = {"size": 1000, "content_type": "image/jpeg", "filename": "a.jpg"}
    answers.append(client.post("/api/uploads", json=declared))
    answers.append(client.get(f"/api/photos/{photo['id']}/original", follow_redirects=False))
    answers.append(client.get("/readyz"))
    for answer in answers:
        assert answer.status_code == 503, answer.text
        assert answer.json()["code"] == "storage_unavailable"
        assert int(answer.headers["Retry-After"]) >= 1
    assert [each["id"] for each in client.get("/api/photos").json()] == [photo["id"]]


def _is_relayed(port: int) -> bool:
    """Return whether the service relays connections at its other loopback address to the store."""
    with contextlib.suppress(OSError), socket.create_connection(("::1", port), timeout=3):
        return True
    return False


def _upload(client: httpx.Client, number: int) -> httpx.Response:
    data = pictures.jpeg(64 + number, 48)
    return client.post("/api/photos", files={"photo": ("a.jpg", data)})
