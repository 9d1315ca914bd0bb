"""Every response is as described in the OpenAPI document."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from safelight.web.api.monitoring.health import HEALTH_PATHS
from support import pictures
from support.app_server import TOKEN, AppServer, Site


@dataclass(frozen=True, slots=True)
class Document:
    """The OpenAPI document of a site."""

    paths: dict[str, Any]

    def calls(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield method, path and description of each call."""
        for path, calls in self.paths.items():
            for method, call in calls.items():
                yield method.upper(), path, call

    def check(self, found: httpx.Response) -> None:
        """Fail unless the document describes the response for its call."""
        method, path = found.request.method, found.request.url.path
        responses = self._description_of(method, path)["responses"]
        assert str(found.status_code) in responses, (method, path, found.text)
        answer = responses[str(found.status_code)]
        assert _type(found) in (answer.get("content") or {None: {}}), (method, path)
        for name, header in answer.get("headers", {}).items():
            assert name in found.headers or not header["required"], (method, path, name)

    def _description_of(self, method: str, path: str) -> dict[str, Any]:
        # The fixed paths come first, as they do in routing.
        for template in sorted(self.paths, key=lambda each: each.count("{")):
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
                call: dict[str, Any] = self.paths[template][method.lower()]
                return call
        raise AssertionError(path)


def _type(found: httpx.Response) -> str | None:
    return found.headers["Content-Type"].split(";")[0] if found.content else None


@pytest.fixture
def document(client: httpx.Client) -> Document:
    return Document(client.get("/openapi.json").json()["paths"])


def test_response_to_an_invalid_parameter_is_documented(
    client: httpx.Client, document: Document
) -> None:
    refused = 0
    for method, path, call in document.calls():
        for parameter in call.get("parameters", ()):
            if parameter["in"] == "query" and "anyOf" not in parameter["schema"]:
                address = re.sub(r"\{\w+\}", "1", path)
                found = client.request(method, address, params={parameter["name"]: "never"})
                assert found.status_code == 422
                document.check(found)
                refused += 1
    assert refused > 0


def test_response_to_nul_in_any_parameter_is_documented(
    client: httpx.Client, document: Document
) -> None:
    nul = "a\0b"
    for method, path, call in document.calls():
        names = [each["name"] for each in call.get("parameters", ()) if each["in"] == "query"]
        for parameters in [{}, *({name: nul} for name in names)]:
            address = re.sub(r"\{\w+\}", "1%00", path)
            found = client.request(method, address, params=parameters)
            assert found.status_code < 500, (method, address, parameters, found.text)
            document.check(found)


def test_responses_over_the_life_of_a_photo_are_documented(
    client: httpx.Client, document: Document
) -> None:
    added = client.post("/api/photos", files={"photo": pictures.jpeg()})
    listed = client.get("/api/photos", params={"limit": 1})
    one = added.headers["Location"]
    tag = {"If-None-Match": listed.headers["ETag"]}
    answers = [
        added,
        client.post("/api/photos", files={"photo": pictures.jpeg()}),
        client.post("/api/photos", files={"photo": b"no picture"}),
        listed,
        client.get("/api/photos", params={"limit": 1}, headers=tag),
        client.get("/api/photos/months"),
        client.get("/api/changes"),
        client.get(one),
        client.get(f"{one}/original"),
        client.patch(one, json={"title": None, "description": "Changed."}),
        client.patch(one, json={"title": 1}),
        client.patch(one, json={"taken_at": "2024-05-06T07:08:09"}),
        client.patch("/api/photos?ids=1", json={"shift_seconds": 60}),
        client.patch("/api/photos?ids=1", json={}),
        client.delete(one),
        client.delete(one),
        client.post("/api/reconcile"),
        client.get("/api/sessions"),
        client.get("/api/jobs"),
        client.get("/readyz"),
    ]
    for found in answers:
        document.check(found)


def test_response_to_an_unknown_host_is_documented_everywhere(
    client: httpx.Client, document: Document
) -> None:
    for method, path, _ in document.calls():
        address = re.sub(r"\{\w+\}", "1", path)
        found = client.request(method, address, headers={"Host": "elsewhere.example"})
        if path in HEALTH_PATHS:
            assert found.status_code == 200
            continue
        assert found.status_code == 400
        document.check(found)


def test_responses_to_missing_and_too_many_wrong_tokens_are_documented(
    app_server: AppServer,
) -> None:
    site: Site = app_server.site(auth="token")
    with site.client() as client:
        document = Document(client.get("/openapi.json").json()["paths"])
        bare = client.get("/api/photos")
        assert bare.status_code == 401
        document.check(bare)
        wrong = {"Authorization": f"Bearer {TOKEN}-not"}
        tries = (client.get("/api/photos", headers=wrong) for _ in range(100))
        document.check(next(each for each in tries if each.status_code == 429))


def test_null_title_changes_nothing_and_is_documented(client: httpx.Client) -> None:
    one = client.post("/api/photos", files={"photo": pictures.jpeg()}, data={"title": "A"}).json()
    assert client.patch(f"/api/photos/{one['id']}", json={"title": None}).json() == one
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    fields = schemas["PhotoChanges"]["properties"]
    for name in ("title", "description", "taken_at"):
        assert {kind["type"] for kind in fields[name]["anyOf"]} == {"string", "null"}
