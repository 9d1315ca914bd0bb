"""The router in another app: changes and reads by pages of other origins, and the links' host."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from starlette.types import ASGIApp, Receive, Scope, Send

from safelight.web import photo_router
from support import pictures
from support.app_server import ORIGIN, AppServer, Site
from support.cross_origin import CROSS_ORIGIN_READS, FOREIGN, REFUSED, fill_in_origin
from support.direct_uploads import declaration, send
from support.raw_http import open_connection

COOKIE = {"Cookie": "session=1"}


def _serve(app_server: AppServer, **options: tuple[str, ...]) -> Site:
    app = FastAPI()
    router = photo_router(app_server.library, owner=lambda: "embedded", **options)
    app.include_router(router, prefix="/api")
    return app_server.serve(app)


@pytest.fixture(scope="module")
def embedded(app_server: AppServer) -> Site:
    return _serve(app_server, origins=(ORIGIN.replace("app", "App") + "/",))


@pytest.fixture
def host(embedded: Site) -> Iterator[httpx.Client]:
    with embedded.client() as client:
        yield client


@pytest.fixture
def photo(host: httpx.Client) -> str:
    answer = host.post("/api/photos", files={"photo": pictures.jpeg(331)})
    assert answer.status_code in {200, 201}
    return str(answer.headers["Location"])


@pytest.mark.parametrize("headers", REFUSED, ids=str)
def test_cross_origin_change_with_a_cookie_is_refused(
    embedded: Site, host: httpx.Client, photo: str, headers: dict[str, str]
) -> None:
    sent = fill_in_origin(headers, embedded) | COOKIE
    for answer in (
        host.post("/api/photos", files={"photo": pictures.png()}, headers=sent),
        host.patch(photo, json={"title": "x"}, headers=sent),
        host.delete(photo, headers=sent),
        host.post("/api/uploads/x/complete", headers=sent),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden_origin")


@pytest.mark.parametrize(
    "login", ["Basic dTpw", "basic dTpw", "Digest a=b", "Negotiate YQ==", "NTLM"]
)
def test_cross_origin_request_with_a_login_is_refused(
    host: httpx.Client, photo: str, login: str
) -> None:
    """Browsers add the login of HTTP authentication to the requests of any page."""
    sent = {"Authorization": login, "Origin": FOREIGN, "Sec-Fetch-Site": "cross-site"}
    for answer in (
        host.post("/api/photos", files={"photo": pictures.png()}, headers=sent),
        host.delete(photo, headers=sent),
        host.get(f"{photo}/original", headers=sent),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden_origin")
    assert host.get(photo, headers={"Authorization": login}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": FOREIGN},
        {"Origin": FOREIGN, "Authorization": "Bearer a-token"},
        COOKIE | {"Origin": "OWN", "Sec-Fetch-Site": "same-origin"},
        COOKIE | {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"},
        COOKIE,
    ],
    ids=str,
)
def test_other_changes_are_allowed(
    embedded: Site, host: httpx.Client, photo: str, headers: dict[str, str]
) -> None:
    assert (
        host.patch(
            photo, json={"title": "x"}, headers=fill_in_origin(headers, embedded)
        ).status_code
        == 200
    )


def test_a_router_without_a_policy_accepts_only_its_own_origin(app_server: AppServer) -> None:
    site = _serve(app_server)
    with site.client(headers=COOKIE) as client:
        for origin, status in ((ORIGIN, 403), (site.url, 404)):
            answer = client.delete("/api/photos/0", headers={"Origin": origin})
            assert answer.status_code == status


@pytest.mark.parametrize("origin", ["app.example", "https://app.example/album", "ftp://a.example"])
def test_origin_that_no_page_has_is_an_error(app_server: AppServer, origin: str) -> None:
    with pytest.raises(ValueError, match=r"scheme|http"):
        photo_router(app_server.library, owner=lambda: "embedded", origins=[origin])


def test_an_app_can_check_origins_itself(app_server: AppServer) -> None:
    with _serve(app_server, origins=("*",)).client(headers=COOKIE) as client:
        headers = {"Origin": FOREIGN, "Sec-Fetch-Site": "cross-site"}
        assert client.delete("/api/photos/0", headers=headers).status_code == 404
        answer = client.get("/api/photos/0/original", headers=headers)
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


@pytest.mark.parametrize("headers", CROSS_ORIGIN_READS, ids=str)
def test_cross_origin_read_with_a_cookie_is_refused(
    host: httpx.Client, photo: str, headers: dict[str, str]
) -> None:
    for path in (f"{photo}/original", "/api/photos"):
        answer = host.get(path, headers=headers | COOKIE)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden_origin")
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_responses_say_which_pages_may_embed_them(host: httpx.Client, photo: str) -> None:
    for path in (f"{photo}/original", "/api/photos", "/api/photos/0", "/api/photos?limit=0"):
        answer = host.get(path, headers=COOKIE)
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    embedding = {"Referer": f"{ORIGIN}/", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"}
    answer = host.get(f"{photo}/original", headers=embedding | COOKIE)
    assert answer.status_code == 307
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


@pytest.fixture
def store(app_server: AppServer, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """Sign links for the request's host, if it is one of these; return the store's own host."""
    backends = app_server.library.backends
    hosts = {"photos.example", "localhost", "localhost.", "::1", "127.0.0.2"}
    following = replace(backends, link_hosts=frozenset(hosts))
    monkeypatch.setattr(app_server.library, "backends", following)
    return urlsplit(backends.link_signer.endpoint).hostname


@pytest.mark.parametrize(
    ("host_header", "signed"),
    [
        ("photos.example", "photos.example"),
        ("Photos.Example:8000", "photos.example"),
        ("evil.example", None),
        ("photos.example.evil.example", None),
        ("[::1", None),
        # Any local user can listen there, at the store's port.
        ("localhost", None),
        ("localhost.", None),
        ("[::1]:8000", None),
        ("127.0.0.2", None),
    ],
)
def test_links_are_signed_only_for_configured_hosts(
    host: httpx.Client, photo: str, store: str | None, host_header: str, signed: str | None
) -> None:
    headers = {"Host": host_header}
    declared = {"filename": "a.jpg", "size": 9, "content_type": "image/jpeg"}
    reserved = host.post("/api/uploads", json=declared, headers=headers).json()
    for url in (
        host.get("/api/photos", headers=headers).json()[0]["photo_url"],
        host.get(photo, headers=headers).json()["original_url"],
        host.get(f"{photo}/original", headers=headers).headers["Location"],
        reserved["url"],
    ):
        assert urlsplit(url).hostname == (signed or store)
    assert host.delete(f"/api/uploads/{reserved['id']}").status_code == 204


def test_links_to_two_hosts_are_signed_for_none(
    embedded: Site, photo: str, store: str | None
) -> None:
    head = b"GET %b HTTP/1.1\r\nHost: photos.example\r\nHost: localhost\r\n\r\n"
    with open_connection(embedded) as connection:
        connection.send(head % photo.encode())
        answer = connection.answer()
    assert urlsplit(answer.json()["photo_url"]).hostname == store


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "x/json"])
def test_json_of_another_type_is_refused(host: httpx.Client, photo: str, kind: str) -> None:
    """A page of any origin can send these without a CORS preflight."""
    headers = {"Content-Type": kind}
    for method, path in (
        ("PATCH", photo),
        ("POST", "/api/uploads"),
        ("POST", "/api/uploads/x/sign"),
    ):
        answer = host.request(method, path, content=b'{"title": "forged"}', headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_type")
    assert host.get(photo).json()["title"] != "forged"
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert host.patch(photo, content=b'{"title": "y"}', headers=headers).status_code == 200


def test_head_follows_the_redirect_to_the_bytes(host: httpx.Client, photo: str) -> None:
    """The host app has no middleware that answers HEAD."""
    answer = host.head(f"{photo}/original")
    assert answer.status_code == 307
    head = httpx.head(answer.headers["Location"])
    assert (head.status_code, head.headers["Content-Type"]) == (200, "image/jpeg")


class _RootPath:
    """An app below /app, which the proxy keeps in the path or removes from it."""

    def __init__(self, app: ASGIApp, *, stripped: bool) -> None:
        self._app = app
        self._stripped = stripped

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix("/app") if self._stripped else scope["path"]
        await self._app({**scope, "root_path": "/app", "path": path}, receive, send)


@pytest.mark.parametrize("stripped", [True, False])
def test_addresses_contain_the_root_path(app_server: AppServer, *, stripped: bool) -> None:
    app = FastAPI()
    router = photo_router(app_server.library, owner=lambda: f"rooted-{stripped}")
    app.include_router(router, prefix="/api")
    app.add_middleware(_RootPath, stripped=stripped)
    with app_server.serve(app).client() as client:
        for data in (pictures.png(7, 8), pictures.png(8, 7)):
            added = client.post("/app/api/photos", files={"photo": data})
            assert added.headers["Location"] == f"/app/api/photos/{added.json()['id']}"
            assert client.get(added.headers["Location"]).json() == added.json()
        link = client.get("/app/api/photos?limit=1").headers["Link"]
        following = link[1:].partition(">")[0]
        assert following.startswith("/app/api/photos?limit=1&")
        assert len(client.get(following).json()) == 1
        data = pictures.png(9, 9)
        upload = client.post("/app/api/uploads", json=declaration(data)).json()
        assert send(upload, data).status_code == 200
        completed = client.post(f"/app/api/uploads/{upload['id']}/complete")
        assert completed.headers["Location"] == f"/app/api/photos/{completed.json()['id']}"


def test_uploader_is_served_to_anyone_with_its_types(app_server: AppServer) -> None:
    def refuse() -> str:
        raise HTTPException(401)

    app = FastAPI()
    app.include_router(photo_router(app_server.library, owner=refuse), prefix="/api")
    with app_server.serve(app).client() as client:
        assert client.get("/api/photos").status_code == 401
        module = client.get("/api/uploader.js")
        assert module.headers["Content-Type"].startswith("text/javascript")
        assert "Uploader" in module.text
        assert "import(" not in module.text.replace("import.meta", "")
        known = {"If-None-Match": module.headers["ETag"]}
        assert client.get("/api/uploader.js", headers=known).status_code == 304
        types = client.get("/api/uploader.d.ts").text
        assert "export declare class Uploader extends EventTarget" in types
        assert "import " not in types
        assert "/api/uploader.js" not in client.get("/openapi.json").json()["paths"]


def test_openapi_document_of_the_app_is_complete(app_server: AppServer) -> None:
    class PhotoView(BaseModel):
        mine: int

    app = FastAPI()
    app.include_router(photo_router(app_server.library, owner=lambda: "embedded"), prefix="/api")
    app.add_api_route("/mine", lambda: None, response_model=PhotoView)
    document = app.openapi()
    schemas = document["components"]["schemas"]
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references <= set(schemas)
    assert list(schemas["PhotoView"]["properties"]) == ["mine"]
    answer = document["paths"]["/api/photos/{photo_id}"]["get"]["responses"]["200"]
    assert "photo_url" in answer["content"]["application/json"]["schema"]["properties"]
