"""Several owners over one library: nobody sees, changes or deletes what is somebody else's."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI, Header

import pictures
from integration.served import House
from safelight.errors import NotFound, Unauthenticated
from safelight.photo import Order
from safelight.web import photo_router


def _whoever(x_user: str = Header(default="")) -> str:
    """What a host application's own dependency does."""
    if not x_user:
        raise Unauthenticated
    return x_user


@pytest.fixture(scope="module")
def host(a_house: House) -> Iterator[httpx.Client]:
    """Somebody else's app, with nothing of ours but the router."""
    app = FastAPI()
    app.include_router(photo_router(a_house.library, owner=_whoever), prefix="/mine")
    app.include_router(photo_router(a_house.library, owner=lambda: "fixed"), prefix="/fixed")
    with httpx.Client(base_url=a_house.serve(app).url, timeout=30) as client:
        yield client


ALICE, BOB = {"X-User": "alice"}, {"X-User": "bob"}


@pytest.fixture
def hers(host: httpx.Client) -> Iterator[str]:
    answer = host.post("/mine/photos", files={"photo": pictures.jpeg()}, headers=ALICE)
    assert answer.status_code == 201, answer.text
    yield answer.headers["Location"]
    host.delete(answer.headers["Location"], headers=ALICE)


def test_somebody_elses_photo_is_not_found_and_stays_as_it_was(
    host: httpx.Client, hers: str
) -> None:
    before = host.get(hers, headers=ALICE).json()
    never = host.get("/mine/photos/9223372036854775807", headers=BOB)
    assert never.status_code == 404
    for method, address in (
        ("GET", hers),
        ("PATCH", hers),
        ("DELETE", hers),
        ("GET", f"{hers}/original"),
        ("DELETE", hers.replace("/mine", "/fixed")),
    ):
        answer = host.request(method, address, headers=BOB, content=b'{"title": "mine"}')
        assert (answer.status_code, answer.json()) == (404, never.json())
    assert host.get(hers, headers=ALICE).json() == before
    assert httpx.get(before["photo_url"]).status_code == 200


def test_lists_have_nothing_in_common(host: httpx.Client, hers: str) -> None:
    his = host.post("/mine/photos", files={"photo": pictures.jpeg()}, headers=BOB)
    assert his.status_code == 201  # the same bytes are no twin across owners
    listed = [
        {photo["id"] for photo in host.get("/mine/photos", headers=who).json()}
        for who in (ALICE, BOB)
    ]
    assert listed == [{int(hers.rpartition("/")[2])}, {his.json()["id"]}]
    assert host.get("/fixed/photos").json() == []
    host.delete(his.headers["Location"], headers=BOB)


def test_deleting_ones_own_leaves_the_others_bytes(host: httpx.Client, hers: str) -> None:
    his = host.post("/mine/photos", files={"photo": pictures.jpeg()}, headers=BOB)
    assert host.delete(his.headers["Location"], headers=BOB).status_code == 204
    photo = host.get(hers, headers=ALICE).json()
    assert httpx.get(photo["photo_url"]).content == pictures.jpeg()


def test_the_hosts_refusal_comes_before_the_body_is_read(host: httpx.Client) -> None:
    answer = host.post("/mine/photos", files={"photo": b""})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_a_router_in_somebody_elses_app_answers_with_problems(host: httpx.Client) -> None:
    answer = host.get("/mine/photos?limit=0", headers=ALICE)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_pages_of_two_owners_do_not_mix(a_house: House, host: httpx.Client) -> None:
    for who in ("carol", "dave"):
        a_house.plant(who, 5)
    headers = {"X-User": "carol"}
    first = host.get("/mine/photos?limit=3", headers=headers)
    link = first.headers["Link"][1:].partition(">")[0]
    assert link.startswith("/mine/photos?")
    seen = first.json() + host.get(link, headers=headers).json()
    assert {photo["id"] for photo in seen} == {id_ for id_, _, _ in a_house.rows("carol")}
    of_dave = host.get(link, headers={"X-User": "dave"}).json()
    assert {photo["id"] for photo in of_dave} <= {id_ for id_, _, _ in a_house.rows("dave")}


@pytest.mark.parametrize("owner", ["", "al", "alice ", "ALICE", "alice\u0301", "%", "a%", "*"])
def test_an_owner_is_taken_to_the_letter(
    a_house: House, host: httpx.Client, hers: str, owner: str
) -> None:
    library, id_ = a_house.library, int(hers.rpartition("/")[2])
    assert a_house.do(library.photo("alice", id_)).id == id_
    with pytest.raises(NotFound):
        a_house.do(library.photo(owner, id_))
    with pytest.raises(NotFound):
        a_house.do(library.edit(owner, id_, title="x"))
    with pytest.raises(NotFound):
        a_house.do(library.delete(owner, id_))
    assert a_house.do(library.photos(owner, [id_])) == []
    for order in Order:
        page = a_house.do(library.page(owner, order=order, after=None, limit=10))
        assert page.states == ()
