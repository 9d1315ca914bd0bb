"""The gallery's page and files: what they say of themselves to a browser."""

import json
import re

import httpx
import pytest

from integration.served import House, Site
from safelight.web.gallery import FOLDER, Build


def test_the_policy_names_the_store_and_allows_nothing_inline(
    client: httpx.Client, site: Site
) -> None:
    page = client.get("/")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    store = site.settings.s3.endpoint_url
    assert "unsafe" not in policy
    assert f"connect-src 'self' {store}" in policy
    assert f"img-src 'self' data: blob: {store}" in policy
    assert "script-src 'self';" in policy
    assert not re.search(r"\son\w+=|\sstyle=|<style|<script(?![^>]*(src|json))", page.text)


def test_every_file_is_kept_for_ever_and_comes_from_here(client: httpx.Client) -> None:
    page = client.get("/").text
    named = re.findall(r'(?:src|href)="(/gallery/[^"]+)"', page)
    assert len(named) >= 2
    for address in named:
        answer = client.get(address)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert re.search(r"-[\w-]{8}\.(js|css)$", address)
    assert client.get("/gallery/nothing.js").status_code == 404


def test_the_page_brings_the_months_along(a_house: House, site: Site, client: httpx.Client) -> None:
    a_house.plant(site.owner, 3)
    page = client.get("/").text
    (written,) = re.findall(r'id="months">([^<]*)<', page)
    assert json.loads(written) == client.get("/api/photos/months").json()
    (first,) = re.findall(r'rel="preload"[^>]*href="([^"]+)"', page)
    assert len(client.get(first.replace("&amp;", "&")).json()) == 3


def test_what_was_not_built_says_what_to_do(
    a_house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert Build.found(FOLDER / "nowhere") is None
    assert "make gallery" in caplog.text
    monkeypatch.setattr(Build, "found", classmethod(lambda _cls: None))
    site = a_house.site()
    with site.client() as client:
        page = client.get("/")
        assert page.status_code == 503
        assert "make gallery" in page.text
        assert client.get("/simple-upload").status_code == 200
