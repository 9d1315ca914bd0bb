"""An app that reaches the store by one name and hands out links for another; and all behind TLS."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, expect

import pictures
from acceptance.proxy import OnThisMachine, Proxy, caddyfile, free_port, proxying
from acceptance.served import Served
from acceptance.service import told
from acceptance.visits import shown
from safelight.engines import EmbeddedEngines


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """A service behind a proxy: what its visitors see of it, and the proxy."""

    page: str
    store: str
    served: Served
    proxy: Proxy

    @property
    def way_in(self) -> str:
        """A sign-in link as the screen has it, by the name that visitors use."""
        code = re.search(r"/sign-in\?code=\S+", self.served.screen)
        assert code
        return f"{self.page}{code[0]}"

    def client(self, **headers: str) -> httpx.Client:
        return self.proxy.client(self.page, headers=headers)

    def bearer(self) -> httpx.Client:
        return self.client(Authorization=f"Bearer {self.served.token}")

    @contextmanager
    def signed_in(self) -> Iterator[httpx.Client]:
        """A client with a session's cookie, on our own page."""
        with self.client(Origin=self.page) as client:
            assert client.post("/sign-in", data={"token": self.served.token}).status_code == 303
            yield client


@pytest.fixture(scope="module")
def front(open_tmp_path: Path) -> Iterator[Front]:
    """The embedded engines, `safelight serve`, and the documented Caddy before both."""
    port = free_port()
    page, store = f"photos.localhost:{port}", f"store.localhost:{port}"
    served = Served(
        open_tmp_path / "behind-tls",
        {
            "SAFELIGHT_ALLOWED_HOSTS": "photos.localhost,127.0.0.1",
            "SAFELIGHT_S3__PUBLIC_ENDPOINT_URL": f"https://{store}",
        },
    )
    try:
        served.start()
        names = {
            "photos.example": page,
            "store.example": store,
            "127.0.0.1:8000": served.url.removeprefix("http://"),
            "127.0.0.1:8333": told(served, "Photo store").removeprefix("http://"),
        }
        page, store = f"https://{page}", f"https://{store}"
        with proxying(open_tmp_path / "caddy", caddyfile(names), page, store) as proxy:
            yield Front(page=page, store=store, served=served, proxy=proxy)
    finally:
        served.stop()


def test_behind_tls_a_sign_in_link_gives_a_cookie_for_https_alone(front: Front) -> None:
    with front.client() as client:
        answer = client.get(front.way_in)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/")
        assert {"secure", "httponly", "samesite=lax"} <= set(
            answer.headers["Set-Cookie"].lower().split("; ")
        )
        assert "Add a photo" in client.get("/simple-upload").text


def test_behind_tls_a_photo_goes_in_by_the_form_and_shows_by_its_https_link(front: Front) -> None:
    photo = pictures.jpeg(640, 480)
    with front.signed_in() as client:
        sent = client.post(
            "/simple-upload", files={"photo": ("a.jpg", photo)}, data={"title": "Hill"}
        )
        assert sent.status_code == 303
        page = client.get("/simple-upload")
        links = re.findall(r'<img src="(https:[^"]+)"', page.text)
        assert links[0].startswith(f"{front.store}/safelight/photos/")
        policy = page.headers["Content-Security-Policy"]
        sources = re.search(r"img-src ([^;]+)", policy)
        assert sources
        assert set(sources[1].split()) == {"'self'", "data:", "blob:", front.store}
    with front.proxy.client() as anybody:
        opened = anybody.get(links[0].replace("&amp;", "&"))
    assert (opened.status_code, opened.content) == (200, photo)


def test_behind_tls_changes_come_from_our_own_pages_alone(front: Front) -> None:
    with front.signed_in() as client:
        for origin in ("https://evil.example", front.store, "null"):
            files = {"photo": ("a.jpg", pictures.jpeg(64, 48))}
            sent = client.post("/simple-upload", files=files, headers={"Origin": origin})
            assert sent.status_code == 403
        assert client.get("/api/photos", headers={"Origin": front.store}).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Expect": "100-continue"}], ids=["", "Expect"])
def test_behind_tls_too_large_is_said_and_read(front: Front, headers: dict[str, str]) -> None:
    """The answer came before the photo was over, and the proxy sometimes made a 502 of that.

    Each goes by a connection of its own: on the same one the proxy may take what is left of a body
    that was promised by Expect, and sent without being asked for, for the next request.
    """
    for size in (6, 8, 30):
        files = {"photo": ("a.jpg", bytes(size * 1024 * 1024))}
        for _ in range(5):
            with front.bearer() as client:
                answer = client.post("/api/photos", files=files, headers=headers)
            assert answer.status_code == 413, (answer.text, answer.headers)
            assert answer.json()["code"] == "too_large"


def test_behind_tls_a_link_is_good_by_its_own_name_and_signature_alone(front: Front) -> None:
    with front.bearer() as client:
        files = {"photo": ("a.jpg", pictures.jpeg(321, 123))}
        link = client.post("/api/photos", files=files).json()["photo_url"]
    inside = told(front.served, "Photo store")
    with front.proxy.client() as anybody:
        assert anybody.get(link).status_code == 200
        assert anybody.get(_spoiled(link)).status_code == 403
        assert anybody.get(link.partition("?")[0]).status_code == 403
        assert anybody.get(link.replace(front.store, inside)).status_code == 403
        assert anybody.get(front.store).status_code == 403


def test_the_scheme_a_proxy_of_this_machine_tells_is_believed(front: Front) -> None:
    with httpx.Client(base_url=front.served.url, headers={"Origin": front.served.url}) as client:
        for told_scheme, secure in ({}, False), ({"X-Forwarded-Proto": "https"}, True):
            answer = client.post(
                "/sign-in", data={"token": front.served.token}, headers=told_scheme
            )
            assert answer.status_code == 303
            assert ("secure" in answer.headers["Set-Cookie"].lower()) is secure


async def test_behind_tls_a_browser_signs_in_adds_and_sees(
    front: Front, chromium: Browser, tmp_path: Path
) -> None:
    complaints = []
    context = await chromium.new_context(ignore_https_errors=True)
    try:
        page = await context.new_page()
        page.on("console", lambda said: complaints.append(said.text))
        await page.goto(f"{front.page}/")
        await page.get_by_label("Token").fill(front.served.token)
        await page.get_by_role("button", name="Sign in").click()
        cookies = await context.cookies()
        assert [each.get("secure") for each in cookies] == [True]
        complaints.clear()  # the first page was a 401

        await page.goto(f"{front.page}/simple-upload")
        photo = tmp_path / "photo.jpg"
        photo.write_bytes(pictures.jpeg(333, 222))
        await page.get_by_label("Title").fill("Behind the proxy")
        await page.get_by_label("Photo", exact=True).set_input_files(photo)
        await page.get_by_role("button", name="Upload").click()
        image = page.get_by_role("img", name="Behind the proxy")
        assert await shown(image) == (333, 222)
        assert (await image.get_attribute("src") or "").startswith(f"{front.store}/")
        assert complaints == []

        photo.write_bytes(pictures.noise(9 * 1024 * 1024))
        await page.get_by_label("Photo", exact=True).set_input_files(photo)
        await page.get_by_role("button", name="Upload").click()
        await expect(page.get_by_role("alert")).to_contain_text("too large")
    finally:
        await context.close()


@pytest.fixture(scope="module")
def two_names(engines: EmbeddedEngines, open_tmp_path: Path) -> Iterator[Served]:
    """A service on a store of its own, which visitors know by another name than the service."""
    port = httpx.URL(engines.s3_endpoint_url).port
    served = Served(
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
        served.stop()


def test_links_are_for_the_public_name_and_open_by_it_alone(two_names: Served) -> None:
    photo = pictures.jpeg(222, 111)
    with two_names.client() as client:
        link = client.post("/api/photos", files={"photo": ("a.jpg", photo)}).json()["photo_url"]
        assert client.get("/api/photos").json()[0]["photo_url"] == link
        policy = client.get("/").headers["Content-Security-Policy"]
    url = httpx.URL(link)
    assert url.host == "store.example"
    assert f"http://store.example:{url.port}" in policy
    with httpx.Client(transport=OnThisMachine()) as anybody:
        assert anybody.get(link).content == photo
        assert anybody.get(_spoiled(link)).status_code == 403
        for other in ("127.0.0.1", "localhost", "other.example"):
            assert anybody.get(url.copy_with(host=other)).status_code == 403


def _spoiled(link: str) -> str:
    """The link with another last digit of its signature."""
    return link[:-1] + ("0" if link[-1] != "0" else "1")
