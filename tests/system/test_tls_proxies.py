"""The service and its store behind nginx and Traefik, as in docs/deploy.md."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from support import pictures
from support.caddy import LoopbackTransport
from support.engine_driver import wait_until
from support.network import free_port
from support.serve_process import ServeProcess
from support.service import banner_value
from support.tls_proxies import make_certificate, run_nginx, run_traefik

pytestmark = pytest.mark.debian

Runner = Callable[[Path, int, dict[str, str]], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Proxied:
    """A service behind a proxy, with the origins of its pages and of its store."""

    page: str
    store: str
    served: ServeProcess

    def client(self, **headers: str) -> httpx.Client:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        transport = LoopbackTransport(verify=context)
        return httpx.Client(base_url=self.page, transport=transport, headers=headers, timeout=120)

    def bearer(self) -> httpx.Client:
        return self.client(Authorization=f"Bearer {self.served.token}")


@pytest.fixture(scope="module", params=(run_nginx, run_traefik), ids=("nginx", "traefik"))
def proxied(request: pytest.FixtureRequest, open_tmp_path: Path) -> Iterator[Proxied]:
    runner: Runner = request.param
    folder, port = open_tmp_path / runner.__name__, free_port()
    folder.mkdir()
    page, store = f"https://photos.localhost:{port}", f"https://store.localhost:{port}"
    variables = {"SAFELIGHT_PUBLIC_URL": page, "SAFELIGHT_S3__PUBLIC_ENDPOINT_URL": store}
    served = ServeProcess(open_tmp_path / f"behind-{runner.__name__}", variables)
    try:
        served.start()
        make_certificate(folder)
        names = {
            "photos.example": "photos.localhost",
            "store.example": "store.localhost",
            "/etc/ssl/": f"{folder}/",
            "http://127.0.0.1:8000": served.url,
            "http://127.0.0.1:8333": banner_value(served, "Photo store"),
        }
        found = Proxied(page, store, served)
        with runner(folder, port, names):
            assert wait_until(lambda: _answers(found))
            yield found
    finally:
        served.kill()


def _answers(proxied: Proxied) -> bool:
    with proxied.client() as client:
        try:
            return client.get("/healthz").status_code == 200
        except httpx.HTTPError:
            return False


def test_form_upload_is_shown_by_its_link(proxied: Proxied) -> None:
    photo = pictures.jpeg(640, 480)
    with proxied.bearer() as client:
        added = client.post("/api/photos", files={"photo": ("a.jpg", photo)})
        assert added.status_code == 201, added.text
        link = added.json()["original_url"]
        assert link.startswith(proxied.store)
        with proxied.client() as anyone:
            assert anyone.get(link).content == photo


def test_too_large_form_upload_gets_our_answer(proxied: Proxied) -> None:
    with proxied.bearer() as client:
        answer = client.post("/api/photos", files={"photo": ("a.jpg", bytes(5 * 1024**2 + 1))})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_large_direct_upload_passes(proxied: Proxied) -> None:
    photo = pictures.jpeg(64, 48) + bytes(12 * 1024**2)
    declared: dict[str, Any] = {
        "filename": "a.jpg",
        "content_type": "image/jpeg",
        "size": len(photo),
        "multipart": False,
    }
    with proxied.bearer() as client, proxied.client() as anyone:
        upload = client.post("/api/uploads", json=declared).json()
        assert upload["url"].startswith(proxied.store)
        headers = {"Origin": proxied.page, **upload["headers"]}
        sent = anyone.request(upload["method"], upload["url"], content=photo, headers=headers)
        assert sent.status_code == 200, sent.text
        assert sent.headers["Access-Control-Allow-Origin"] in {"*", proxied.page}
        assert client.post(f"/api/uploads/{upload['id']}/complete").status_code == 201


def test_sign_in_sets_a_secure_cookie_and_counts_the_client(proxied: Proxied) -> None:
    with proxied.client(Origin=proxied.page) as client:
        answer = client.post("/sign-in", data={"token": proxied.served.token})
        assert answer.status_code == 303
        assert "secure" in answer.headers["Set-Cookie"].lower()
