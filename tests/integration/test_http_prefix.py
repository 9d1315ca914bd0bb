"""A service below a path of its host, behind proxies that remove the path and that keep it."""

import re
from collections.abc import Callable, Iterator
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from fastapi import FastAPI

from safelight.web import create_app
from safelight.web.app import FIRST_PARTS
from support import pictures
from support.app_server import TOKEN, AppServer, Site
from support.engine_driver import wait_until

ORIGIN = "https://home.example"
ROOT = "/photos"
PROXY = {"Host": "home.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}

Request = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def prefixed(app_server: AppServer) -> Site:
    return app_server.site(auth="token", public_url=f"{ORIGIN}{ROOT}")


@pytest.fixture(params=["kept", "removed"])
def through_proxy(prefixed: Site, request: pytest.FixtureRequest) -> Iterator[Request]:
    """Send a request for a public URL, as a proxy does that keeps the path or removes it."""
    removed = request.param == "removed"
    with prefixed.client(headers=PROXY) as client:

        def send(method: str, url: str, **options: object) -> httpx.Response:
            parts = urlsplit(urljoin(f"{ORIGIN}{ROOT}/", url))
            assert f"{parts.scheme}://{parts.netloc}" == ORIGIN, url
            assert parts.path.startswith(f"{ROOT}/"), "the proxy has other services elsewhere"
            path = parts.path.removeprefix(ROOT) if removed else parts.path
            target = f"{path}?{parts.query}" if parts.query else path
            return client.request(method, target, **options)  # type: ignore[arg-type]  # httpx's own

        yield send


def _linked(page: httpx.Response) -> list[str]:
    """Return the addresses in a page."""
    return re.findall(r'(?:href|src|action|data-root)="([^"]+)"', page.text)


def test_session_below_a_path(through_proxy: Request) -> None:
    refused = through_proxy("GET", f"{ROOT}/")
    assert refused.status_code == 401
    assert f'action="{ROOT}/sign-in"' in refused.text
    signed_in = through_proxy(
        "POST", f"{ROOT}/sign-in", data={"token": TOKEN}, headers={"Origin": ORIGIN}
    )
    assert (signed_in.status_code, signed_in.headers["Location"]) == (303, f"{ROOT}/")
    *_, cookie = signed_in.headers.get_list("Set-Cookie")
    name, *attributes = cookie.split("; ")
    assert name.startswith("__Secure-safelight-")
    assert {"Secure", f"Path={ROOT}", "HttpOnly", "SameSite=lax"} <= set(attributes)
    session = {"Cookie": name}
    page = through_proxy("GET", f"{ROOT}/", headers=session)
    assert page.status_code == 200
    assert f'data-root="{ROOT}"' in page.text
    gone = through_proxy("POST", f"{ROOT}/sign-out", headers=session | {"Origin": ORIGIN})
    assert gone.headers["Location"] == f"{ROOT}/"
    deleted = gone.headers.get_list("Set-Cookie")
    assert any(
        each.startswith(name.partition("=")[0]) and f"Path={ROOT}" in each and "Max-Age=0" in each
        for each in deleted
    )
    assert through_proxy("GET", f"{ROOT}/", headers=session).status_code == 401


@pytest.mark.parametrize("origin", ["https://evil.example", "http://home.example", "null"])
def test_changes_from_other_origins_are_refused(through_proxy: Request, origin: str) -> None:
    answer = through_proxy(
        "POST", f"{ROOT}/sign-in", data={"token": TOKEN}, headers={"Origin": origin}
    )
    assert answer.status_code == 403


def test_addresses_of_the_api_are_below_the_path(through_proxy: Request) -> None:
    for size in (21, 22):
        files = {"photo": ("a.jpg", pictures.jpeg(size))}
        added = through_proxy("POST", f"{ROOT}/api/photos", files=files, headers=BEARER)
        assert added.status_code in {200, 201}
        where = added.headers["Location"]
        assert where == f"{ROOT}/api/photos/{added.json()['id']}"
        assert through_proxy("GET", where, headers=BEARER).json() == added.json()
    page = through_proxy("GET", f"{ROOT}/api/photos?limit=1", headers=BEARER)
    following = page.headers["Link"][1:].partition(">")[0]
    assert following.startswith(f"{ROOT}/api/photos?")
    assert through_proxy("GET", following, headers=BEARER).json()[0]["id"] < page.json()[0]["id"]
    document = through_proxy("GET", f"{ROOT}/openapi.json").json()
    assert document["servers"] == [{"url": ROOT}]


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/simple-upload", "/simple-upload?after=x", "/simple-upload/0", "/photo/0", "/docs"),
        *("/sign-in?code=x", "/nothing", "/simple-upload/1/delete"),
    ],
)
def test_everything_that_a_page_links_to_is_below_the_path(
    through_proxy: Request, path: str
) -> None:
    headers = {"Accept": "text/html", **({} if "sign-in" in path else BEARER)}
    page = through_proxy("GET", f"{ROOT}{path}", headers=headers)
    assert "text/html" in page.headers["Content-Type"]
    linked = [address for address in _linked(page) if "X-Amz-Signature" not in address]
    assert linked
    for address in linked:
        target = urljoin(f"{ORIGIN}{ROOT}{path}", address)
        assert target.startswith(f"{ORIGIN}{ROOT}"), (path, address)
        if address != ROOT and "sign-" not in address:
            assert through_proxy("GET", target, headers=headers).status_code in {200, 401, 404}
        if re.search(r"\.(css|js|svg|json)$", address):
            assert through_proxy("GET", target, headers=headers).status_code == 200, address


def test_simple_page_adds_and_deletes_below_the_path(through_proxy: Request) -> None:
    session = {"Origin": ORIGIN, **BEARER}
    files = {"photo": ("b.jpg", pictures.jpeg(23))}
    added = through_proxy("POST", f"{ROOT}/simple-upload", files=files, headers=session)
    assert added.status_code == 303
    assert added.headers["Location"].startswith(f"{ROOT}/simple-upload")
    photo = through_proxy("GET", f"{ROOT}/api/photos?limit=1", headers=BEARER).json()[0]
    where = f"{ROOT}/simple-upload/{photo['id']}"
    assert f'action="{where}/delete"' in through_proxy("GET", where, headers=session).text
    deleted = through_proxy("POST", f"{where}/delete", headers=session)
    assert deleted.headers["Location"] == f"{ROOT}/simple-upload"


def test_address_without_the_last_slash_is_the_start_page(prefixed: Site) -> None:
    with prefixed.client(headers=PROXY | BEARER) as client:
        assert f'data-root="{ROOT}"' in client.get(ROOT).text


def test_health_and_metrics_have_the_same_addresses_without_the_path(prefixed: Site) -> None:
    with prefixed.client(headers=BEARER) as client:
        for path in ("/healthz", "/readyz", f"{ROOT}/readyz"):
            host = {"Host": "10.0.0.7"}
            assert wait_until(lambda: client.get(path, headers=host).status_code == 200)  # noqa: B023
        client.get(f"{ROOT}/api/photos/0")
        client.get("/api/photos/0")
        client.get(f"{ROOT}/static/style.css")
        metrics = client.get("/metrics").text
    route = 'method="GET",route="/api/photos/{photo_id}",status="404"} 2.0'
    assert route in metrics
    assert 'route="/static/{path}"' in metrics
    assert ROOT + "/api" not in metrics


def test_app_mounted_in_another_below_a_root_path(app_server: AppServer) -> None:
    """The proxy removes /home, and the host app has mounted the service at /photos."""
    settings = app_server.settings.model_copy(update={"auth": "token", "owner": "mounted"})
    host = FastAPI()
    host.mount("/photos", create_app(app_server.library, settings, token=TOKEN))

    async def root_path(scope, receive, send) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001  ASGI
        await host({**scope, "root_path": "/home"}, receive, send)

    with app_server.serve(root_path).client(headers=BEARER) as client:  # type: ignore[arg-type]
        page = client.get("/photos/")
        assert 'data-root="/home/photos"' in page.text
        assert client.get("/photos/static/style.css").status_code == 200
        assert client.get("/photos/api/photos").json() == []
        files = {"photo": ("a.jpg", pictures.jpeg(24))}
        added = client.post("/photos/api/photos", files=files)
        assert added.headers["Location"] == f"/home/photos/api/photos/{added.json()['id']}"


def test_manifest_below_a_path(through_proxy: Request) -> None:
    manifest = through_proxy("GET", f"{ROOT}/manifest.webmanifest", headers=BEARER).json()
    assert manifest["start_url"] == manifest["scope"] == manifest["id"] == f"{ROOT}/"
    assert manifest["share_target"]["action"].startswith(f"{ROOT}/share?key=")
    for icon in manifest["icons"]:
        assert through_proxy("GET", icon["src"]).status_code == 200


def test_first_parts_are_those_of_all_routes(prefixed: Site) -> None:
    """They show which prefixes a path may be confused with."""
    paths = [*_paths(prefixed.app.routes), "/metrics", "/.well-known/security.txt"]
    assert len(paths) > 30
    assert {path.split("/")[1] for path in paths} == FIRST_PARTS


def _paths(routes: object, prefix: str = "") -> Iterator[str]:
    for route in routes:  # type: ignore[attr-defined]  # a list of routes of any kind
        if hasattr(route, "original_router"):
            yield from _paths(route.original_router.routes, prefix + route.include_context.prefix)
        elif hasattr(route, "path"):
            yield prefix + route.path
