"""Errors as answers, the documentation, and what stands on every answer."""

import re
from collections.abc import Iterator

import httpx
import pytest

import pictures
from integration.served import House, Site
from integration.wire import asked
from safelight import errors
from safelight.web.problems import STATUSES, answer


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


def test_every_error_that_a_visitor_can_meet_has_its_status() -> None:
    for kind in _leaves(errors.SafelightError):
        if not issubclass(kind, errors.OperatorError):
            assert STATUSES[kind] == CONTRACT[kind.code], kind
    assert {kind.code for kind in STATUSES} == set(CONTRACT)


def test_every_code_names_one_error() -> None:
    codes = [kind.code for kind in _leaves(errors.SafelightError)]
    assert sorted(codes) == sorted(set(codes))


@pytest.mark.parametrize("kind", list(STATUSES), ids=lambda kind: kind.code)
def test_a_problem_tells_what_the_contract_says(kind: type[errors.SafelightError]) -> None:
    made = answer(kind())
    body = httpx.Response(made.status_code, content=bytes(made.body)).json()
    assert set(body) == {"type", "title", "status", "detail", "code"}
    assert body["detail"] == kind.text
    assert made.headers["Content-Type"] == "application/problem+json"
    assert ("Retry-After" in made.headers) == (made.status_code in {429, 503})
    assert ("WWW-Authenticate" in made.headers) == (made.status_code == 401)


def test_an_operators_error_tells_a_visitor_nothing() -> None:
    made = answer(errors.EngineError("in /home/me the password is hunter2"))
    assert made.status_code == 500
    assert b"hunter2" not in made.body


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/api", "/api/nothing", "/api/photos/1/2/3", "/static/nothing.css", "/docs/x.js"],
)
def test_an_address_of_nothing_is_a_problem(client: httpx.Client, path: str) -> None:
    found = client.get(path)
    assert (found.status_code, found.json()["code"]) == (404, "not_found")
    assert found.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py"]
)
def test_static_files_end_at_their_folder(site: Site, path: str) -> None:
    assert asked(site, b"GET", path.encode()).status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/api/photos"),
        ("DELETE", "/api/photos"),
        ("PATCH", "/api/photos"),
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
def test_a_method_that_is_not_there_is_a_problem(site: Site, method: str, path: str) -> None:
    found = asked(site, method.encode(), path.encode())
    assert (found.status, found.code) == (405, "method_not_allowed")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/", "/docs", "/api/photos", "/nothing"])
def test_head_is_told_what_get_would_be_without_the_body(client: httpx.Client, path: str) -> None:
    got, head = client.get(path), client.head(path)
    assert head.status_code == got.status_code
    assert head.content == b""
    same = ("Content-Type", "Content-Length", "ETag", "Content-Encoding", "X-Frame-Options")
    assert [head.headers.get(name) for name in same] == [got.headers.get(name) for name in same]


def test_the_health_pages_answer_without_a_token(a_house: House) -> None:
    with a_house.site(auth="token").client() as client:
        for path in ("/healthz", "/readyz"):
            assert client.get(path).json() == {"status": "ok"}


def test_the_document_names_every_call_and_its_answers(client: httpx.Client) -> None:
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
        ("/api/photos/months", "get"): {"200", "304", "401", "403", "422", "503"},
        ("/api/photos/{photo_id}", "get"): {"200", "401", "403", "404", "503"},
        ("/api/photos/{photo_id}", "patch"): {
            *("200", "401", "403", "404", "408", "413", "422", "503")
        },
        ("/api/photos/{photo_id}", "delete"): {"204", "401", "403", "404", "503"},
        ("/api/photos/{photo_id}/{rendition}", "get"): {
            *("307", "401", "403", "404", "422", "503")
        },
        ("/healthz", "get"): {"200", "400"},
        ("/readyz", "get"): {"200", "400", "503"},
    }
    assert set(calls) == set(expected)
    documented = {"200", "201", "204", "304", "307", *map(str, CONTRACT.values())}
    for call, statuses in expected.items():
        assert statuses <= calls[call] <= documented, call


def test_the_document_tells_of_a_photo_what_a_photo_has(client: httpx.Client) -> None:
    photo = client.post("/api/photos", files={"photo": pictures.jpeg()}).json()
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert set(schemas["PhotoView"]["properties"]) == set(photo)
    assert schemas["PhotoView"]["properties"]["id"]["type"] == "integer"


def test_the_documentation_loads_everything_from_its_own_origin(client: httpx.Client) -> None:
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


@pytest.mark.parametrize("path", ["/", "/docs", "/api/photos", "/nothing", "/photo/1", "/healthz"])
def test_every_answer_has_the_security_headers(client: httpx.Client, path: str) -> None:
    found = client.get(path)
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    assert found.headers["X-Frame-Options"] == "DENY"
    assert found.headers["Referrer-Policy"] == "same-origin"
    policy = _policy(found)
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["base-uri"] == "'none'"
    assert "server" not in found.headers


def _policy(found: httpx.Response) -> dict[str, str]:
    rules = found.headers["Content-Security-Policy"].split(";")
    return {name: value for name, _, value in (rule.strip().partition(" ") for rule in rules)}
