"""Several owners over one library: each sees, changes and deletes only their own photos."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI, Header

from safelight.errors import NotFound, Unauthenticated
from safelight.models import Order
from safelight.web import photo_router
from support import pictures
from support.app_server import AppServer


def _owner_from_header(x_user: str = Header(default="")) -> str:
    """Return the owner, like the dependency of a host application."""
    if not x_user:
        raise Unauthenticated
    return x_user


@pytest.fixture(scope="module")
def host(app_server: AppServer) -> Iterator[httpx.Client]:
    """An embedding app that uses only the router."""
    app = FastAPI()
    app.include_router(photo_router(app_server.library, owner=_owner_from_header), prefix="/mine")
    app.include_router(photo_router(app_server.library, owner=lambda: "fixed"), prefix="/fixed")
    with httpx.Client(base_url=app_server.serve(app).url, timeout=120) as client:
        yield client


ALICE, BOB = {"X-User": "alice"}, {"X-User": "bob"}


@pytest.fixture
def alices_path(host: httpx.Client) -> Iterator[str]:
    answer = host.post("/mine/photos", files={"photo": pictures.jpeg()}, headers=ALICE)
    assert answer.status_code == 201, answer.text
    yield answer.headers["Location"]
    host.delete(answer.headers["Location"] + "?permanent=true", headers=ALICE)


def test_photo_of_another_owner_is_not_found_and_unchanged(
    host: httpx.Client, alices_path: str
) -> None:
    before = host.get(alices_path, headers=ALICE).json()
    missing = host.get("/mine/photos/9223372036854775807", headers=BOB)
    assert missing.status_code == 404
    for method, address in (
        ("GET", alices_path),
        ("PATCH", alices_path),
        ("DELETE", alices_path),
        ("GET", f"{alices_path}/original"),
        ("DELETE", alices_path.replace("/mine", "/fixed")),
    ):
        answer = host.request(method, address, headers=BOB, json={"title": "mine"})
        assert (answer.status_code, answer.json()) == (404, missing.json())
    assert host.get(alices_path, headers=ALICE).json() == before
    assert httpx.get(before["photo_url"]).status_code == 200


def test_owners_lists_are_disjoint(host: httpx.Client, alices_path: str) -> None:
    bobs = host.post("/mine/photos", files={"photo": pictures.jpeg()}, headers=BOB)
    assert bobs.status_code == 201  # the same bytes of another owner are no duplicate
    listed = [
        {photo["id"] for photo in host.get("/mine/photos", headers=owner).json()}
        for owner in (ALICE, BOB)
    ]
    assert listed == [{int(alices_path.rpartition("/")[2])}, {bobs.json()["id"]}]
    assert host.get("/fixed/photos").json() == []
    host.delete(bobs.headers["Location"] + "?permanent=true", headers=BOB)


def test_deletion_keeps_the_same_bytes_of_another_owner(
    host: httpx.Client, alices_path: str
) -> None:
    bobs = host.post("/mine/photos", files={"photo": pictures.jpeg()}, headers=BOB)
    where = bobs.headers["Location"] + "?permanent=true"
    assert host.delete(where, headers=BOB).status_code == 204
    photo = host.get(alices_path, headers=ALICE).json()
    assert httpx.get(photo["photo_url"]).content == pictures.jpeg()


def test_host_app_refuses_before_the_body_is_read(host: httpx.Client) -> None:
    answer = host.post("/mine/photos", files={"photo": b""})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_router_in_a_host_app_returns_problems(host: httpx.Client) -> None:
    answer = host.get("/mine/photos?limit=0", headers=ALICE)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_pages_of_two_owners_do_not_mix(app_server: AppServer, host: httpx.Client) -> None:
    for owner in ("carol", "dave"):
        app_server.insert_photos(owner, 5)
    headers = {"X-User": "carol"}
    first = host.get("/mine/photos?limit=3", headers=headers)
    link = first.headers["Link"][1:].partition(">")[0]
    assert link.startswith("/mine/photos?")
    seen = first.json() + host.get(link, headers=headers).json()
    assert {photo["id"] for photo in seen} == {id_ for id_, _, _ in app_server.rows("carol")}
    of_dave = host.get(link, headers={"X-User": "dave"}).json()
    assert {photo["id"] for photo in of_dave} <= {id_ for id_, _, _ in app_server.rows("dave")}


@pytest.mark.parametrize("owner", ["", "al", "alice ", "ALICE", "alice\u0301", "%", "a%", "*"])
def test_owner_names_are_compared_exactly(
    app_server: AppServer, host: httpx.Client, alices_path: str, owner: str
) -> None:
    library, id_ = app_server.library, int(alices_path.rpartition("/")[2])
    assert app_server.do(library.photo("alice", id_)).id == id_
    with pytest.raises(NotFound):
        app_server.do(library.photo(owner, id_))
    with pytest.raises(NotFound):
        app_server.do(library.edit(owner, id_, title="x"))
    with pytest.raises(NotFound):
        app_server.do(library.delete(owner, id_))
    assert app_server.do(library.photos(owner, [id_])) == []
    for order in Order:
        page = app_server.do(library.page(owner, order=order, after=None, limit=10))
        assert page.photos == ()
