"""Error responses, the API's documentation, and the headers of every response."""

import re
from collections.abc import Iterator

import httpx
import pytest

from safelight import errors
from safelight.web.http.protocol import MAX_HEAD, MAX_HEADERS, HttpProtocol
from safelight.web.problems import problem_response
from support import pictures
from support.app_server import AppServer, Site
from support.cross_origin import FOREIGN
from support.engine_driver import wait_until
from support.raw_http import open_connection, raw_request


def _leaves(kind: type[errors.SafelightError]) -> Iterator[type[errors.SafelightError]]:
    below = kind.__subclasses__()
    if not below:
        yield kind
    for each in below:
        yield from _leaves(each)


CONTRACT = {
    "unknown_host": 400,
    "unauthenticated": 401,
    "forbidden_origin": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "too_large": 413,
    "unsupported_type": 415,
    "range_not_satisfiable": 416,
    "corrupt_image": 422,
    "too_many_pixels": 422,
    "too_many_frames": 422,
    "empty_file": 422,
    "checksum_mismatch": 422,
    "invalid_request": 422,
    "too_many_attempts": 429,
    "too_many_uploads": 429,
    "upload_incomplete": 409,
    "busy": 503,
    "storage_unavailable": 503,
    "catalog_unavailable": 503,
    "storage_full": 503,
}


def test_every_error_that_a_client_can_get_has_a_status() -> None:
    for kind in _leaves(errors.SafelightError):
        if not issubclass(kind, errors.OperatorError | errors.UsageError):
            assert kind.status == CONTRACT[kind.code], kind
    assert {kind.code for kind in errors.client_errors()} == set(CONTRACT)


def test_every_code_names_one_error() -> None:
    codes = [kind.code for kind in _leaves(errors.SafelightError)]
    assert sorted(codes) == sorted(set(codes))


@pytest.mark.parametrize("kind", errors.client_errors(), ids=lambda kind: kind.code)
def test_problem_has_the_documented_fields(kind: type[errors.SafelightError]) -> None:
    made = problem_response(kind())
    body = httpx.Response(made.status_code, content=bytes(made.body)).json()
    assert set(body) == {"type", "title", "status", "detail", "code"}
    assert body["detail"] == kind.text
    assert made.headers["Content-Type"] == "application/problem+json"
    assert ("Retry-After" in made.headers) == (made.status_code in {429, 503})
    assert ("WWW-Authenticate" in made.headers) == (made.status_code == 401)


def test_operator_error_reveals_nothing_to_clients() -> None:
    made = problem_response(errors.EngineError("in /home/me the password is hunter2"))
    assert made.status_code == 500
    assert b"hunter2" not in made.body


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/api", "/api/nothing", "/api/photos/1/2/3", "/static/nothing.css", "/docs/x.js"],
)
def test_unknown_path_is_a_problem(client: httpx.Client, path: str) -> None:
    found = client.get(path)
    assert (found.status_code, found.json()["code"]) == (404, "not_found")
    assert found.headers["Content-Type"] == "application/problem+json"


NAVIGATION = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/album/1", 404),
        ("GET", "/api/nothing", 404),
        ("GET", "/static/nothing.css", 404),
        ("GET", "/<script>alert(1)</script>", 404),
        ("POST", "/docs", 405),
        ("GET", "/simple-upload/1/delete", 405),
    ],
)
def test_unknown_address_in_a_browser_is_a_page(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    found = client.request(method, path, headers=NAVIGATION)
    assert found.status_code == status
    assert found.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Back to the photos" in found.text
    assert "script" not in found.text
    assert ("allow" in found.headers) == (status == 405)
    _check_security_headers(found.headers)


@pytest.mark.parametrize(
    "accept",
    [
        *("*/*", "application/json", "", "text/css,*/*;q=0.1", "image/*", "text/html;q=0"),
        *("text/html;q=x", "application/json, text/html;q=0.9", ",;q=", "text/htmlx", "text/*"),
    ],
)
def test_other_clients_get_a_problem(client: httpx.Client, accept: str) -> None:
    found = client.get("/nothing", headers={"Accept": accept})
    assert found.headers["Content-Type"] == "application/problem+json"


def test_unknown_photo_of_the_api_is_a_problem_in_a_browser_too(client: httpx.Client) -> None:
    found = client.get("/api/photos/1", headers=NAVIGATION)
    assert found.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py"]
)
def test_static_files_end_at_their_folder(site: Site, path: str) -> None:
    assert raw_request(site, b"GET", path.encode()).status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/api/photos"),
        ("POST", "/api/photos/1"),
        ("PUT", "/api/photos/1"),
        ("POST", "/api/photos/1/original"),
        ("TRACE", "/api/photos"),
        ("POST", "/healthz"),
        ("POST", "/"),
        ("GET", "/simple-upload/1/delete"),
        ("POST", "/static/style.css"),
    ],
)
def test_unsupported_method_is_a_problem(site: Site, method: str, path: str) -> None:
    found = raw_request(site, method.encode(), path.encode())
    assert (found.status, found.code) == (405, "method_not_allowed")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/", "/docs", "/api/photos", "/nothing"])
def test_head_returns_the_headers_of_get_without_a_body(client: httpx.Client, path: str) -> None:
    got, head = client.get(path), client.head(path)
    assert head.status_code == got.status_code
    assert head.content == b""
    same = ("Content-Type", "Content-Length", "ETag", "Content-Encoding", "X-Frame-Options")
    assert [head.headers.get(name) for name in same] == [got.headers.get(name) for name in same]


def test_health_pages_need_no_token(app_server: AppServer) -> None:
    with app_server.site(auth="token").client() as client:
        for path in ("/healthz", "/readyz"):
            assert wait_until(lambda: client.get(path).json() == {"status": "ok"})  # noqa: B023


def test_openapi_lists_every_call_and_its_responses(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    calls = {
        (path, method): set(call["responses"])
        for path, methods in document["paths"].items()
        for method, call in methods.items()
        if path.startswith(("/api/photos", "/healthz", "/readyz"))
    }
    expected = {
        ("/api/photos", "get"): {"200", "304", "401", "403", "422", "503"},
        ("/api/photos", "post"): {"200", "201", "401", "403", "408", "413", "415", "422", "503"},
        ("/api/photos", "delete"): {"200", "401", "403", "422", "503"},
        ("/api/photos/restore", "post"): {"200", "401", "403", "422", "503"},
        ("/api/photos/{photo_id}/restore", "post"): {"200", "401", "403", "404", "503"},
        ("/api/photos/{photo_id}/revoke-links", "post"): {"204", "401", "403", "404", "503"},
        ("/api/photos", "patch"): {"200", "401", "403", "408", "413", "415", "422", "503"},
        ("/api/photos/months", "get"): {"200", "304", "401", "403", "422", "503"},
        ("/api/photos/presets", "get"): {"200", "401", "403"},
        ("/api/photos/{photo_id}", "get"): {"200", "401", "403", "404", "503"},
        ("/api/photos/{photo_id}", "patch"): {
            *("200", "401", "403", "404", "408", "413", "422", "503")
        },
        ("/api/photos/{photo_id}", "delete"): {"204", "401", "403", "404", "503"},
        ("/api/photos/{photo_id}/{rendition}", "get"): {
            *("307", "401", "403", "404", "422", "503")
        },
        ("/healthz", "get"): {"200"},
        ("/readyz", "get"): {"200", "503"},
    }
    assert set(calls) == set(expected)
    documented = {"200", "201", "204", "304", "307", *map(str, CONTRACT.values())}
    for call, statuses in expected.items():
        assert statuses <= calls[call] <= documented, call


def test_openapi_photo_schema_has_the_fields_of_a_photo(client: httpx.Client) -> None:
    photo = client.post("/api/photos", files={"photo": pictures.jpeg()}).json()
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    of_trash = {"trashed_at", "deletes_at", "revoking"}
    assert set(schemas["PhotoView"]["properties"]) - of_trash == set(photo)
    assert schemas["PhotoView"]["properties"]["id"]["type"] == "integer"


def test_docs_page_loads_everything_from_its_own_origin(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert {"docs/swagger-ui.css", "docs/swagger-ui-bundle.js"} <= set(assets)
    for asset in assets:
        assert "//" not in asset
        found = client.get(f"/{asset}")
        assert found.status_code == 200
        assert found.content
    assert "'unsafe-inline'" not in _policy(page)["script-src"]
    assert "http" not in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/docs", "/api/photos", "/nothing", "/photo/1", "/healthz", "/metrics"),
        *("/static/style.css", "/static/nothing", "/gallery/nothing.js", "/openapi.json"),
        *("/docs/swagger-ui.css", "/sign-out", "/simple-upload", "/static"),
    ],
)
def test_every_response_has_the_security_headers(client: httpx.Client, path: str) -> None:
    for found in (client.get(path), client.head(path), client.post(path), client.options(path)):
        assert "server" not in found.headers
        assert "Strict-Transport-Security" not in found.headers
        _check_security_headers(found.headers)


def test_errors_before_the_app_have_the_security_headers(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for sent, status in (
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET /%b HTTP/1.1\r\n" % (b"x" * 2 * MAX_HEAD), 431),
        (b"GET / HTTP/1.1\r\n" + b"a:\r\n" * (2 + MAX_HEADERS), 431),
        (b"GET / HT", 408),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 400),
    ):
        with open_connection(site) as connection:
            if status == 408:
                connection.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert connection.answer().status == 200
                monkeypatch.setattr(HttpProtocol, "head_seconds", 0.2)
            connection.send(sent)
            answer = connection.answer()
            assert answer.status == status
            _check_security_headers(httpx.Headers(answer.headers))
        monkeypatch.undo()
    preflight = {"Origin": FOREIGN, "Access-Control-Request-Method": "DELETE"}
    with site.client() as client:
        _check_security_headers(client.options("/api/photos", headers=preflight).headers)


@pytest.mark.parametrize(
    ("scheme", "host", "sent"),
    [
        ("https", "127.0.0.1", True),
        ("http", "127.0.0.1", False),
        ("https", "localhost", False),
    ],
)
def test_https_is_required_from_then_on_except_at_localhost(
    client: httpx.Client, scheme: str, host: str, *, sent: bool
) -> None:
    """A browser would use HTTPS for every other program at a port of localhost, too."""
    headers = {"X-Forwarded-Proto": scheme, "Host": host}
    for path in ("/", "/nothing", "/static/style.css", "/sign-out"):
        answer = client.get(path, headers=headers)
        assert ("Strict-Transport-Security" in answer.headers) is sent


def _check_security_headers(headers: httpx.Headers) -> None:
    expected = {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    assert expected.items() <= {name: headers.get(name) for name in expected}.items()
    policy = _parse_policy(headers["Content-Security-Policy"])
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["base-uri"] == "'none'"


def _policy(found: httpx.Response) -> dict[str, str]:
    return _parse_policy(found.headers["Content-Security-Policy"])


def _parse_policy(policy: str) -> dict[str, str]:
    rules = policy.split(";")
    return {name: value for name, _, value in (rule.strip().partition(" ") for rule in rules)}
