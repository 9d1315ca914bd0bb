"""The pages without scripts in German, and the messages of the gallery."""

import html
import json
import re

import httpx

from safelight.web.pages.languages.en import ENGLISH
from support import pictures
from support.app_server import TOKEN, Site

GERMAN = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.1"}
ENGLISH_TEXTS = [
    text
    for name in type(ENGLISH).__slots__
    if isinstance(text := getattr(ENGLISH, name), str) and len(text) > 7
]


def _german(response: httpx.Response, status: int = 200) -> str:
    """Return the text of a page, which has to be German."""
    assert response.status_code == status
    assert '<html lang="de-AT">' in response.text
    assert "Accept-Language" in response.headers["vary"]
    text = html.unescape(response.text)
    assert [english for english in ENGLISH_TEXTS if english in text] == []
    return text


def test_pages_without_scripts_are_in_german(client: httpx.Client) -> None:
    client.headers.update(GERMAN)
    photo = client.post(
        "/api/photos", files={"photo": ("boot.jpg", pictures.jpeg(640, 480))}
    ).json()
    album = client.post("/api/albums", json={"title": "Am See"}).json()
    page = f"/simple-upload/{photo['id']}"
    assert "Foto hinzufügen" in _german(client.get("/simple-upload"))
    assert "Keine Fotos gefunden." in _german(client.get("/simple-upload?q=zebra"))
    text = _german(client.get(page))
    assert re.search(r"Hinzugefügt</dt><dd>\d\d\.\d\d\.\d{4}, \d\d:\d\d UTC", text)
    assert re.search(r"640 . 480 Pixel, \d+ KB", text)
    assert "nach 30 Tagen endgültig gelöscht" in text
    assert f'<a href="{photo["original_url"]}">Volle Größe</a>' in text
    assert "0 Fotos" in _german(client.get("/simple-upload/albums"))
    assert "sind keine Fotos" in _german(client.get(f"/simple-upload/albums/{album['id']}"))
    client.post(f"{page}/delete")
    text = _german(client.get("/simple-upload/trash"))
    assert re.search(r"Wird am \d\d\.\d\d\.\d{4} endgültig gelöscht", text)
    client.delete(f"/api/albums/{album['id']}")
    client.post("/simple-upload/trash/empty")


def test_errors_on_pages_are_in_german(client: httpx.Client, guarded: Site) -> None:
    client.headers.update(GERMAN)
    refused = client.post("/simple-upload", files={"photo": ("a.pdf", b"%PDF-1.7 " * 100)})
    assert "Dieses Format wird nicht unterstützt." in _german(refused, 415)
    assert "Dieses Foto gibt es nicht" in _german(client.get("/simple-upload/999999999"), 404)
    unknown = client.get("/nothing", headers={"Accept": "text/html"})
    assert "Unter dieser Adresse gibt es nichts." in _german(unknown, 404)
    with guarded.client() as browser:
        browser.headers.update({**GERMAN, "Origin": guarded.url})
        assert "Anmelden" in _german(browser.get("/"), 401)
        assert "auf einem Gerät" in _german(browser.get("/sign-in?code=x"))
        wrong = browser.post("/sign-in", data={"token": "x"})
        assert "Dieses Token ist nicht gültig." in _german(wrong, 401)


def test_page_of_devices_is_in_german(guarded: Site) -> None:
    with guarded.client(headers={**GERMAN, "Origin": guarded.url}) as browser:
        browser.post("/sign-in", data={"token": TOKEN})
        assert "(dieser Browser)" in _german(browser.get("/simple-upload/devices"))
        assert "Angemeldete Geräte" in _german(browser.get("/simple-upload"))


def test_gallery_page_has_the_messages_of_errors_in_its_language(client: httpx.Client) -> None:
    client.headers.update(GERMAN)
    page = client.get("/")
    (written,) = re.findall(r'data-problems="([^"]*)"', page.text)
    problems = json.loads(html.unescape(written))
    assert problems["empty_file"] == "Die Datei ist leer."
    assert re.search(r"höchstens [\d,]+ [MG]B", problems["too_large"])
    # Clients of the API rely on the English messages.
    refused = client.get("/api/photos/999999999")
    assert refused.json()["detail"] == "There is no such photo."
    client.headers["Accept-Language"] = "en"
    assert "data-problems" not in client.get("/").text
