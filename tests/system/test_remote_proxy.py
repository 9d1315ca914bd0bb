"""A proxy in a network namespace of its own, as in another container or on another machine."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from support import pictures
from support.caddy import CADDY
from support.debian import program
from support.network import free_port
from support.serve_process import ServeProcess

pytestmark = pytest.mark.debian

NAMESPACE = "safelight-test"
SERVICE, PROXY = "10.203.113.1", "10.203.113.2"

CADDYFILE = """{{
	admin off
	auto_https off
	default_bind {proxy}
}}

http://photos.example:{port} {{
	reverse_proxy {service}
}}

http://store.example:{port} {{
	reverse_proxy {store}
}}
"""


def _ip(*arguments: str) -> None:
    subprocess.run([program("ip", "iproute2"), *arguments], check=True, timeout=120)


@contextmanager
def _network() -> Iterator[None]:
    """Connect a new network namespace, which has the proxy's address, to this one."""
    _ip("netns", "add", NAMESPACE)
    try:
        _ip("link", "add", "safelight0", "type", "veth", "peer", "safelight1", "netns", NAMESPACE)
        _ip("address", "add", f"{SERVICE}/30", "dev", "safelight0")
        _ip("link", "set", "safelight0", "up")
        _ip("-n", NAMESPACE, "address", "add", f"{PROXY}/30", "dev", "safelight1")
        _ip("-n", NAMESPACE, "link", "set", "safelight1", "up")
        _ip("-n", NAMESPACE, "link", "set", "lo", "up")
        yield
    finally:
        _ip("netns", "delete", NAMESPACE)


@dataclass(frozen=True, slots=True)
class Remote:
    """A service, and the port of the proxy before it and its store."""

    served: ServeProcess
    port: int

    def client(self, name: str = "photos.example", **headers: str) -> httpx.Client:
        """Return a client of the proxy."""
        host = f"{name}:{self.port}"
        return httpx.Client(
            base_url=f"http://{PROXY}:{self.port}", headers={"Host": host, **headers}, timeout=120
        )

    @property
    def store(self) -> str:
        found = re.search(r"Store for proxies +http://(\S+)", self.served.screen)
        assert found
        return found[1]


@pytest.fixture(scope="module")
def remote(open_tmp_path: Path) -> Iterator[Remote]:
    port = free_port()
    served = ServeProcess(
        open_tmp_path / "remote",
        {
            "SAFELIGHT_HOST": SERVICE,
            "SAFELIGHT_PUBLIC_URL": f"http://photos.example:{port}",
            "SAFELIGHT_S3__PUBLIC_ENDPOINT_URL": f"http://store.example:{port}",
            "SAFELIGHT_TRUSTED_PROXIES": PROXY,
        },
    )
    with ExitStack() as stack:
        stack.enter_context(_network())
        stack.callback(served.kill)
        served.start()
        found = Remote(served, port)
        folder = open_tmp_path / "remote-caddy"
        folder.mkdir()
        text = CADDYFILE.format(
            proxy=PROXY, port=port, service=served.url.removeprefix("http://"), store=found.store
        )
        (folder / "Caddyfile").write_text(text)
        log = stack.enter_context((folder / "log").open("wb"))
        variables = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(folder))
        command = ["ip", "netns", "exec", NAMESPACE, str(CADDY), "run", "--adapter", "caddyfile"]
        process = subprocess.Popen(
            [*command, "--config", str(folder / "Caddyfile")],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **variables},
            stdout=log,
            stderr=log,
        )
        stack.callback(process.wait, 120)
        stack.callback(process.terminate)
        transport = httpx.HTTPTransport(retries=8)
        with httpx.Client(transport=transport) as client:
            client.get(f"http://{PROXY}:{port}/healthz", headers={"Host": f"photos.example:{port}"})
        yield found


def test_client_of_a_proxy_elsewhere_uses_service_and_store(remote: Remote) -> None:
    page = f"http://photos.example:{remote.port}"
    photo = pictures.jpeg(64, 48)
    with remote.client(Origin=page) as client:
        signed_in = client.post("/sign-in", data={"token": remote.served.token})
        assert signed_in.status_code == 303
        added = client.post("/api/photos", files={"photo": ("a.jpg", photo)})
        assert added.status_code == 201
        (session,) = client.get("/api/sessions").json()
        assert session["address"] == SERVICE, "the client is this machine"
        link = httpx.URL(added.json()["original_url"])
    assert (link.host, link.port) == ("store.example", remote.port)
    with remote.client("store.example") as client:
        assert client.get(link.raw_path.decode()).content == photo


def test_only_the_proxy_reaches_the_store_and_is_believed(remote: Remote) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://{remote.store}/")
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    origin = {"Origin": remote.served.url}
    with httpx.Client(base_url=remote.served.url, headers=forged | origin) as client:
        answer = client.post("/sign-in", data={"token": remote.served.token})
        assert (answer.status_code, "__Host-" in answer.headers["Set-Cookie"]) == (303, False)
        addresses = [session["address"] for session in client.get("/api/sessions").json()]
    assert "203.0.113.9" not in addresses
