"""Different store addresses for the service and for links; and both behind a TLS proxy."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, expect

from safelight.engines import EmbeddedEngines
from support import pictures
from support.browser_session import wait_for_image
from support.caddy import Caddy, LoopbackTransport, caddyfile, run_caddy
from support.network import free_port
from support.serve_process import ServeProcess
from support.service import banner_value


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxiedService:
    """A service behind a proxy, and its public addresses."""

    page: str
    store: str
    served: ServeProcess
    proxy: Caddy

    @property
    def sign_in_link(self) -> str:
        """The banner's sign-in link."""
        link = re.search(r"Sign in +(\S+)", self.served.screen)
        assert link
        return link[1]

    def client(self, **headers: str) -> httpx.Client:
        return self.proxy.client(self.page, headers=headers)

    def bearer(self) -> httpx.Client:
        return self.client(Authorization=f"Bearer {self.served.token}")

    @contextmanager
    def signed_in(self) -> Iterator[httpx.Client]:
        """Yield a client that is signed in and sends the page's origin."""
        with self.client(Origin=self.page) as client:
            assert client.post("/sign-in", data={"token": self.served.token}).status_code == 303
            yield client


@pytest.fixture(scope="module")
def proxied(open_tmp_path: Path) -> Iterator[ProxiedService]:
    """`safelight serve` with embedded engines, behind Caddy as documented."""
    port = free_port()
    page, store = f"photos.localhost:{port}", f"store.localhost:{port}"
    served = ServeProcess(
        open_tmp_path / "behind-tls",
        {
            "SAFELIGHT_PUBLIC_URL": f"https://{page}",
            "SAFELIGHT_S3__PUBLIC_ENDPOINT_URL": f"https://{store}",
        },
    )
    try:
        served.start()
        names = {
            "photos.example": page,
            "store.example": store,
            "127.0.0.1:8000": served.url.removeprefix("http://"),
            "127.0.0.1:8333": banner_value(served, "Photo store").removeprefix("http://"),
        }
        page, store = f"https://{page}", f"https://{store}"
        with run_caddy(open_tmp_path / "caddy", caddyfile(names), page, store) as proxy:
            yield ProxiedService(page=page, store=store, served=served, proxy=proxy)
    finally:
        served.kill()


def test_sign_in_behind_tls_sets_a_secure_cookie(proxied: ProxiedService) -> None:
    with proxied.client(Origin=proxied.page) as client:
        code = proxied.sign_in_link.removeprefix(f"{proxied.page}/sign-in?code=")
        response = client.post("/sign-in", data={"code": code})
        assert (response.status_code, response.headers["Location"]) == (303, "/")
        assert {"secure", "httponly", "samesite=lax"} <= set(
            response.headers["Set-Cookie"].lower().split("; ")
        )
        assert "Add a photo" in client.get("/simple-upload").text


def test_form_upload_behind_tls_shows_the_photo_by_its_https_link(proxied: ProxiedService) -> None:
    photo = pictures.jpeg(640, 480)
    with proxied.signed_in() as client:
        response = client.post(
            "/simple-upload", files={"photo": ("a.jpg", photo)}, data={"title": "Hill"}
        )
        assert response.status_code == 303
        page = client.get("/simple-upload")
        links = re.findall(r'<img src="(https:[^"]+)"', page.text)
        assert links[0].startswith(f"{proxied.store}/safelight/photos/")
        policy = page.headers["Content-Security-Policy"]
        sources = re.search(r"img-src ([^;]+)", policy)
        assert sources
        assert set(sources[1].split()) == {"'self'", "data:", "blob:", proxied.store}
    with proxied.proxy.client() as client:
        opened = client.get(links[0].replace("&amp;", "&"))
    assert (opened.status_code, opened.content) == (200, photo)


def test_other_origins_are_refused_behind_tls(proxied: ProxiedService) -> None:
    with proxied.signed_in() as client:
        for origin in ("https://evil.example", proxied.store, "null"):
            files = {"photo": ("a.jpg", pictures.jpeg(64, 48))}
            response = client.post("/simple-upload", files=files, headers={"Origin": origin})
            assert response.status_code == 403
        read = client.get("/api/photos", headers={"Origin": proxied.store})
        assert read.status_code == 403


@pytest.mark.parametrize("headers", [{}, {"Expect": "100-continue"}], ids=["", "Expect"])
def test_too_large_upload_behind_tls_gets_413(
    proxied: ProxiedService, headers: dict[str, str]
) -> None:
    """A response before the end of the body once became a 502 in the proxy.

    Each request has its own connection: on a shared one, the proxy may take the rest of a body that
    was announced by Expect, but sent without waiting, for the next request.
    """
    for size in (6, 8, 30):
        files = {"photo": ("a.jpg", bytes(size * 1024 * 1024))}
        for _ in range(5):
            with proxied.bearer() as client:
                response = client.post("/api/photos", files=files, headers=headers)
            assert response.status_code == 413, (response.text, response.headers)
            assert response.json()["code"] == "too_large"


def test_link_behind_tls_requires_its_host_name_and_signature(proxied: ProxiedService) -> None:
    with proxied.bearer() as client:
        files = {"photo": ("a.jpg", pictures.jpeg(321, 123))}
        link = client.post("/api/photos", files=files).json()["photo_url"]
    inside = banner_value(proxied.served, "Photo store")
    with proxied.proxy.client() as client:
        assert client.get(link).status_code == 200
        assert client.get(_tamper(link)).status_code == 403
        assert client.get(link.partition("?")[0]).status_code == 403
        assert client.get(link.replace(proxied.store, inside)).status_code == 403
        assert client.get(proxied.store).status_code == 403


def test_banner_has_links_to_the_public_url(proxied: ProxiedService) -> None:
    for label in ("Sign in", "On a phone"):
        assert re.search(rf"{label} +{proxied.page}/sign-in\?code=", proxied.served.screen)
    assert f"{proxied.page}/docs" in proxied.served.screen
    assert f"{proxied.served.url}/\n" in proxied.served.screen


def test_sessions_have_the_address_of_the_client(proxied: ProxiedService) -> None:
    forged = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Host": "evil.example"}
    with proxied.signed_in() as client:
        listed = client.get("/api/sessions", headers=forged)
    assert (listed.status_code, listed.json()[0]["address"]) == (200, "127.0.0.1")


def test_forwarded_scheme_from_this_machine_is_trusted(proxied: ProxiedService) -> None:
    own, public = proxied.served.url, proxied.served.url.replace("http:", "https:")
    with httpx.Client(base_url=own) as client:
        for headers, secure in (
            ({"Origin": own}, False),
            ({"Origin": public, "X-Forwarded-Proto": "https"}, True),
        ):
            response = client.post(
                "/sign-in", data={"token": proxied.served.token}, headers=headers
            )
            assert response.status_code == 303
            assert ("secure" in response.headers["Set-Cookie"].lower()) is secure


async def test_browser_behind_tls_can_sign_in_and_upload(
    proxied: ProxiedService, chromium: Browser, tmp_path: Path
) -> None:
    console = []
    context = await chromium.new_context(ignore_https_errors=True)
    try:
        page = await context.new_page()
        page.on("console", lambda message: console.append(message.text))
        await page.goto(f"{proxied.page}/")
        await page.get_by_label("Token").fill(proxied.served.token)
        async with page.expect_navigation():
            await page.get_by_role("button", name="Sign in").click()
        cookies = await context.cookies()
        assert [cookie.get("secure") for cookie in cookies] == [True]
        console.clear()  # the first page was a 401

        await page.goto(f"{proxied.page}/simple-upload")
        photo = tmp_path / "photo.jpg"
        photo.write_bytes(pictures.jpeg(333, 222))
        await page.get_by_label("Title").fill("Behind the proxy")
        await page.get_by_label("Photo", exact=True).set_input_files(photo)
        await page.get_by_role("button", name="Upload").click()
        image = page.get_by_role("img", name="Behind the proxy")
        assert await wait_for_image(image) == (333, 222)
        assert (await image.get_attribute("src") or "").startswith(f"{proxied.store}/")
        assert console == []

        photo.write_bytes(pictures.noise(9 * 1024 * 1024))
        await page.get_by_label("Photo", exact=True).set_input_files(photo)
        await page.get_by_role("button", name="Upload").click()
        await expect(page.get_by_role("alert")).to_contain_text("too large")
    finally:
        await context.close()


@pytest.fixture(scope="module")
def two_names(engines: EmbeddedEngines, open_tmp_path: Path) -> Iterator[ServeProcess]:
    """A service whose links have another host name for the store."""
    port = httpx.URL(engines.s3_endpoint_url).port
    served = ServeProcess(
        open_tmp_path / "two-names",
        {
            "SAFELIGHT_DATABASE_URL": engines.database_url,
            "SAFELIGHT_OWNER": "two-names",
            "SAFELIGHT_S3__ENDPOINT_URL": engines.s3_endpoint_url,
            "SAFELIGHT_S3__PUBLIC_ENDPOINT_URL": f"http://store.example:{port}",
            "SAFELIGHT_S3__BUCKET": engines.bucket,
            "SAFELIGHT_S3__ACCESS_KEY": engines.s3_access_key,
            "SAFELIGHT_S3__SECRET_KEY": engines.s3_secret_key,
        },
    )
    try:
        yield served.start()
    finally:
        served.kill()


def test_links_use_the_public_host_name_and_require_it(two_names: ServeProcess) -> None:
    photo = pictures.jpeg(222, 111)
    with two_names.client() as client:
        link = client.post("/api/photos", files={"photo": ("a.jpg", photo)}).json()["photo_url"]
        assert client.get("/api/photos").json()[0]["photo_url"] == link
        policy = client.get("/").headers["Content-Security-Policy"]
    url = httpx.URL(link)
    assert url.host == "store.example"
    assert f"http://store.example:{url.port}" in policy
    with httpx.Client(transport=LoopbackTransport()) as client:
        assert client.get(link).content == photo
        assert client.get(_tamper(link)).status_code == 403
        for other in ("127.0.0.1", "localhost", "other.example"):
            assert client.get(url.copy_with(host=other)).status_code == 403


def _tamper(link: str) -> str:
    """Change the last digit of a link's signature."""
    return link[:-1] + ("0" if link[-1] != "0" else "1")
