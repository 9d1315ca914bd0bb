"""The headers of the gallery's page and files."""

import json
import re

import httpx
import pytest

from safelight.web.pages.gallery_files import FOLDER, GalleryBuild
from support.app_server import AppServer, Site


def test_csp_allows_the_store_and_nothing_inline(client: httpx.Client, site: Site) -> None:
    page = client.get("/")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    store = site.settings.s3.endpoint_url
    assert "unsafe" not in policy
    assert f"connect-src 'self' {store}" in policy
    assert f"img-src 'self' data: blob: {store}" in policy
    assert "script-src 'self';" in policy
    assert not re.search(r"\son\w+=|\sstyle=|<style|<script(?![^>]*(src|json))", page.text)


def test_gallery_files_are_immutable_and_from_our_origin(client: httpx.Client) -> None:
    page = client.get("/").text
    named = re.findall(r'(?:src|href)="(/gallery/[^"]+)"', page)
    assert len(named) >= 2
    for address in named:
        answer = client.get(address)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert re.search(r"-[\w-]{8}\.(js|css)$", address)
    assert client.get("/gallery/nothing.js").status_code == 404


def test_gallery_page_is_in_the_language_of_the_browser(client: httpx.Client) -> None:
    scripts = {}
    for accepted, locale in (
        ("de-AT,de;q=0.9,en;q=0.8", "de-AT"),
        ("en-US,en;q=0.9,de;q=0.8", "en-US"),
        ("fr-FR,de;q=0.7,en;q=0.3", "de"),
        ("fr", "en-GB"),
    ):
        page = client.get("/", headers={"Accept-Language": accepted})
        assert f'<html lang="{locale}">' in page.text, accepted
        assert "Accept-Language" in page.headers["vary"]
        assert page.headers["cache-control"] == "no-store"
        (script,) = re.findall(r'<script type="module" src="([^"]+)"', page.text)
        scripts[locale[:2]] = script
        assert client.get(script).status_code == 200
    assert scripts["de"] != scripts["en"]
    assert "Fotos" in client.get(scripts["de"]).text
    assert '<html lang="en-GB">' in client.get("/").text


def test_gallery_page_contains_the_months(
    app_server: AppServer, site: Site, client: httpx.Client
) -> None:
    app_server.insert_photos(site.owner, 3)
    page = client.get("/").text
    (written,) = re.findall(r'id="months">([^<]*)<', page)
    assert json.loads(written) == client.get("/api/photos/months").json()
    (first,) = re.findall(r'rel="preload"[^>]*href="([^"]+)"', page)
    assert len(client.get(first.replace("&amp;", "&")).json()["photos"]) == 3


def test_unbuilt_gallery_page_explains_how_to_build_it(
    app_server: AppServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert GalleryBuild.load("en", FOLDER / "nowhere") is None
    assert "make gallery" in caplog.text
    monkeypatch.setattr(GalleryBuild, "load", classmethod(lambda *_: None))
    site = app_server.site()
    with site.client() as client:
        page = client.get("/")
        assert page.status_code == 503
        assert "make gallery" in page.text
        assert client.get("/simple-upload").status_code == 200
