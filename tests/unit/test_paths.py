"""Paths of a service that a proxy serves below another path."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.web.app import FIRST_PARTS
from safelight.web.http.paths import PathPrefix, public_path, root_path, route_path


def _scope(path: str, root: str = "", **more: Any) -> dict[str, Any]:
    return {"type": "http", "path": path, "raw_path": path.encode(), "root_path": root, **more}


def _apply(prefix: str, scope: dict[str, Any]) -> dict[str, Any]:
    PathPrefix(prefix, FIRST_PARTS).apply(scope)
    return scope


PREFIXES = ["/photos", "/~ann/photos", "/gallery", "/photo", "/api", "/static", "/a/api", "/docs"]
PATHS = [
    *("/", "/api/photos", "/api/photos/1/original", "/photo/1", "/gallery/assets/x.js", "/docs/x"),
    *("/static/style.css", "/sign-in", "/simple-upload/1", "/healthz", "/.well-known/security.txt"),
]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("path", PATHS)
def test_prefix_is_found_whether_the_proxy_removes_it_or_not(prefix: str, path: str) -> None:
    for sent in (path, prefix + path):
        scope = _apply(prefix, _scope(sent))
        assert (root_path(scope), route_path(scope)) == (prefix, path)
        assert scope["path"] == scope["raw_path"].decode() == public_path(scope) == prefix + path


@pytest.mark.parametrize("prefix", ["/photos", "/gallery", "/a/b"])
def test_prefix_without_a_slash_at_its_end_is_the_start_page(prefix: str) -> None:
    assert route_path(_apply(prefix, _scope(prefix))) == "/"


@pytest.mark.parametrize(
    "path", ["/photosx/api", "/photosapi", "/Photos/api", "/x/photos/", "//photos/", "/photos2"]
)
def test_path_that_only_resembles_the_prefix_is_kept(path: str) -> None:
    assert route_path(_apply("/photos", _scope(path))) == path


def test_service_without_a_prefix_is_unchanged() -> None:
    for path in (*PATHS, "*", "/photos/x"):
        scope = _scope(path)
        expected = dict(scope)
        assert _apply("", scope) == expected


@pytest.mark.parametrize(
    ("path", "root", "more", "expected"),
    [
        # From the server or an app around this one, as ASGI says and as Starlette does it.
        ("/app/api/x", "/app", {}, ("/app", "/api/x")),
        ("/api/x", "/app", {}, ("/app", "/api/x")),
        ("/m/api/x", "/m", {"app_root_path": ""}, ("/m", "/api/x")),
        ("/app/m/api/x", "/app/m", {"app_root_path": "/app"}, ("/app/m", "/api/x")),
        ("/m/api/x", "/app/m", {"app_root_path": "/app"}, ("/app/m", "/api/x")),
        ("/m", "/app/m", {"app_root_path": "/app"}, ("/app/m", "/")),
    ],
)
def test_root_path_of_a_surrounding_app_is_completed(
    path: str, root: str, more: dict[str, str], expected: tuple[str, str]
) -> None:
    scope = _apply("", _scope(path, root, **more))
    assert (root_path(scope), route_path(scope)) == expected
    assert scope["path"] == expected[0] + expected[1]


def test_public_path_replaces_that_of_a_mount() -> None:
    scope = _apply("/public/m", _scope("/m/api/x", "/m", app_root_path=""))
    assert public_path(scope) == "/public/m/api/x"


def test_public_path_is_encoded() -> None:
    scope = _apply("/photos", _scope('/api/a b"<é>\r\n'))
    assert public_path(scope) == "/photos/api/a%20b%22%3C%C3%A9%3E%0D%0A"


@given(st.text(min_size=1), st.sampled_from(["", *PREFIXES]))
def test_any_path_is_handled(path: str, prefix: str) -> None:
    for sent in (path, f"/{path}", f"{prefix}/{path}"):
        scope = {"type": "http", "path": sent, "root_path": ""}
        PathPrefix(prefix, FIRST_PARTS).apply(scope)
        if sent.startswith("/"):
            assert root_path(scope) == prefix
            assert scope["path"] == prefix + route_path(scope)
