"""The web app manifest, its icons, and the address that shared photos are posted to."""

import io

import httpx
import pytest
from PIL import Image

from support import pictures
from support.app_server import TOKEN, Site

BEARER = {"Authorization": f"Bearer {TOKEN}"}
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "manifest"}


def test_manifest_names_icons_of_the_right_types_and_sizes(client: httpx.Client) -> None:
    assert 'rel="manifest" href="/manifest.webmanifest"' in client.get("/").text
    response = client.get("/manifest.webmanifest", headers=SAME_ORIGIN)
    assert response.headers["content-type"] == "application/manifest+json"
    assert response.headers["cache-control"] == "no-store"
    manifest = response.json()
    assert (manifest["start_url"], manifest["scope"], manifest["id"]) == ("/", "/", "/")
    assert manifest["display"] == "standalone"
    purposes = set()
    for icon in manifest["icons"]:
        found = client.get(icon["src"])
        assert found.headers["content-type"].startswith(icon["type"])
        purposes.add((icon["purpose"], icon["sizes"]))
        if icon["type"] == "image/png":
            image = Image.open(io.BytesIO(found.content))
            assert "x".join(map(str, image.size)) == icon["sizes"]
    assert {("any", "192x192"), ("any", "512x512"), ("maskable", "512x512")} < purposes
    for shortcut in manifest["shortcuts"]:
        assert client.get(shortcut["url"]).status_code == 200


def test_maskable_icon_has_no_transparent_pixel(client: httpx.Client) -> None:
    image = Image.open(io.BytesIO(client.get("/static/icon-maskable-512.png").content))
    assert image.mode == "RGB"
    corners = [image.getpixel((x, y)) for x in (0, 511) for y in (0, 511)]
    assert corners == [(0x2A, 0x0F, 0x0D)] * 4


def test_pages_allow_the_manifest_and_name_both_theme_colours(client: httpx.Client) -> None:
    for path in ("/", "/simple-upload"):
        page = client.get(path)
        assert "manifest-src 'self'" in page.headers["content-security-policy"]
        assert page.text.count('<meta name="theme-color"') == 2


def test_manifest_is_in_the_language_of_the_browser(client: httpx.Client) -> None:
    german = client.get("/manifest.webmanifest", headers={"Accept-Language": "de"}).json()
    assert (german["lang"], german["description"]) == ("de", "Die eigenen Fotos.")


def test_only_a_signed_in_browser_gets_the_share_target(guarded: Site) -> None:
    with guarded.client() as client:
        anonymous = client.get("/manifest.webmanifest", headers=SAME_ORIGIN)
        assert anonymous.status_code == 200
        assert "share_target" not in anonymous.json()
        client.post("/sign-in", data={"token": TOKEN}, headers={"Origin": guarded.url})
        target = client.get("/manifest.webmanifest", headers=SAME_ORIGIN).json()["share_target"]
        assert (target["method"], target["enctype"]) == ("POST", "multipart/form-data")
        assert target["action"].startswith("/share?key=")
        key = target["action"].partition("=")[2]
        assert f'data-share-key="{key}"' in client.get("/").text
        other = client.get("/manifest.webmanifest", headers={"Sec-Fetch-Site": "cross-site"})
        assert "share_target" not in other.json()
        assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("site_of_page", ["cross-site", "same-site", "same-origin", "none"])
def test_server_takes_no_shared_photos(guarded: Site, site_of_page: str) -> None:
    with guarded.client() as client:
        client.post("/sign-in", data={"token": TOKEN}, headers={"Origin": guarded.url})
        action = client.get("/manifest.webmanifest").json()["share_target"]["action"]
        before = len(client.get("/api/photos").json())
        for path in ("/share", action):
            response = client.post(
                path,
                files={"photos": ("planted.jpg", pictures.jpeg())},
                headers={"Sec-Fetch-Site": site_of_page, "Origin": "https://evil.example"},
            )
            assert response.status_code == 403
            assert "installed app" in response.text
        assert len(client.get("/api/photos").json()) == before


def test_share_worker_is_a_script_of_the_root(client: httpx.Client) -> None:
    worker = client.get("/share-worker.js?key=x")
    assert worker.headers["content-type"].startswith("text/javascript")
    assert worker.headers["cache-control"] == "no-cache"
    assert "getAll('photos')" in worker.text
