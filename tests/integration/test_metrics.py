"""/metrics: it is Prometheus's, it moves as things happen, and it is not for everybody."""

import time
from collections.abc import Callable

import httpx
import pytest
from pydantic import SecretStr

import pictures
from integration.scraped import Numbers, scraped
from integration.served import TOKEN, House, Site
from integration.wire import asked, wire
from safelight.settings import MetricsSettings

METRICS_TOKEN = "for-prometheus-alone-0123456789"


@pytest.fixture
def moved(client: httpx.Client) -> Callable[[], "Moved"]:
    """Tells by how much the numbers have grown since the test began."""
    before = scraped(client)
    return lambda: Moved(before, scraped(client))


class Moved:
    def __init__(self, before: Numbers, after: Numbers) -> None:
        self._before = before
        self.now = after

    def __call__(self, name: str, **labels: str) -> float:
        return self.now.get(name, **labels) - self._before.get(name, **labels)


Moves = Callable[[], Moved]


def _upload(client: httpx.Client, data: bytes) -> httpx.Response:
    return client.post("/api/photos", files={"photo": ("a.jpg", data)})


def test_an_upload_is_counted_with_its_bytes_and_what_it_cost(
    client: httpx.Client, moved: Moves
) -> None:
    data = pictures.jpeg(700, 500)
    assert _upload(client, data).status_code == 201
    found = moved()
    assert found("uploads_total", outcome="added") == 1
    assert found("added_bytes_total") == len(data)
    assert found("requests_total", route="/api/photos", method="POST", status="201") == 1
    assert found("request_seconds_count", route="/api/photos", method="POST") == 1
    assert found("request_seconds_sum", route="/api/photos", method="POST") > 0
    # Looked at, and then developed.
    assert found("darkroom_work_seconds_count") == found("darkroom_wait_seconds_count") == 2
    assert found("darkroom_work_seconds_sum") > 0
    # The original, and renditions 320 and 640 pixels wide.
    assert found("storage_calls_total", verb="put") == 3
    assert found("storage_seconds_count", verb="put") == 3
    assert found("storage_errors_total", verb="put") == 0


def test_the_same_bytes_again_are_counted_apart(client: httpx.Client, moved: Moves) -> None:
    data = pictures.jpeg(300, 201)
    _upload(client, data)
    assert _upload(client, data).status_code == 200
    found = moved()
    assert found("uploads_total", outcome="there") == 1
    assert found("uploads_total", outcome="added") == 1
    assert found("added_bytes_total") == len(data)


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        (b"no picture at all", "unsupported_type"),
        (b"", "empty_file"),
        (pictures.jpeg(300, 200)[:-1000], "corrupt_image"),
        (b"\xff\xd8\xff" + bytes(6 * 1024 * 1024), "too_large"),
    ],
)
def test_a_refused_upload_is_counted_once_by_its_code(
    client: httpx.Client, moved: Moves, data: bytes, outcome: str
) -> None:
    assert _upload(client, data).json()["code"] == outcome
    found = moved()
    assert found("uploads_total", outcome=outcome) == 1
    assert sum(found("uploads_total", **each) for each in found.now.labels("uploads_total")) == 1
    assert found("added_bytes_total") == 0


def test_an_upload_by_the_page_counts_too(client: httpx.Client, site: Site, moved: Moves) -> None:
    files = {"photo": ("a.jpg", pictures.jpeg(300, 203))}
    client.post("/simple-upload", files=files, headers={"Origin": site.url})
    found = moved()
    assert found("uploads_total", outcome="added") == 1
    assert found("requests_total", route="/simple-upload", method="POST", status="303") == 1


def test_an_upload_that_breaks_off_is_counted(site: Site, moved: Moves) -> None:
    with wire(site) as connection:
        connection.head(
            b"POST",
            b"/api/photos",
            b"Content-Length: 9999",
            b"Content-Type: multipart/form-data; boundary=x",
        )
        connection.send(b"--x\r\n")
        time.sleep(0.2)
    deadline = time.monotonic() + 30
    while not moved()("uploads_total", outcome="interrupted"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_deletion_is_counted_and_a_second_is_none(client: httpx.Client, moved: Moves) -> None:
    id_ = _upload(client, pictures.jpeg(300, 202)).json()["id"]
    for _ in range(2):
        client.delete(f"/api/photos/{id_}")
    found = moved()
    assert found("deletions_total") == 1
    route = "/api/photos/{photo_id}"
    assert found("requests_total", route=route, method="DELETE", status="204") == 1
    assert found("requests_total", route=route, method="DELETE", status="404") == 1
    assert found("storage_calls_total", verb="delete") >= 1


def test_links_are_counted_when_they_are_signed_and_pages_when_they_are_kept(
    a_house: House, site: Site, client: httpx.Client, moved: Moves
) -> None:
    a_house.plant(site.owner, 5)
    client.get("/api/photos")
    first = moved()
    assert first("links_signed_total") == 5
    assert first("cache_misses_total", cache="links") == 5
    assert first("cache_misses_total", cache="photos") == 5
    assert first("cache_misses_total", cache="pages") == 1
    assert first("cache_hits_total", cache="pages") == 0
    client.get("/api/photos")
    client.get("/api/photos?limit=3")
    later = moved()
    assert later("links_signed_total") == 5
    assert later("cache_hits_total", cache="pages") == 1
    assert later("cache_hits_total", cache="photos") == 3
    id_ = client.get("/api/photos").json()[0]["id"]
    client.get(f"/api/photos/{id_}/original")
    assert moved()("cache_hits_total", cache="links") == 1
    assert moved()("links_signed_total") == 5


def test_requests_are_counted_by_templates_of_which_there_are_few(
    site: Site, client: httpx.Client, moved: Moves
) -> None:
    for path in ("/static/icon.svg", "/nothing", "/nothing/else", "/photo/1", "/photo/2"):
        client.get(path)
    client.head("/healthz")
    asked(site, b"PROPFIND", b"/api/photos")
    asked(site, b"TRACE", b"/api/photos")
    found = moved()
    assert found("requests_total", route="/static/{path}", method="GET", status="200") == 1
    assert found("requests_total", route="nowhere", method="GET", status="404") == 2
    assert found("requests_total", route="/photo/{photo_id}", method="GET", status="404") == 2
    assert found("requests_total", route="/healthz", method="HEAD", status="200") == 1
    assert found("requests_total", route="/api/photos", method="other", status="405") == 2
    assert found.now.get("requests_under_way") == 1


def test_buckets_contain_those_before_them(client: httpx.Client) -> None:
    for _ in range(20):
        client.get("/healthz")
    found = scraped(client)
    place = {"route": "/healthz", "method": "GET"}
    buckets = [
        (float(labels["le"]), found.get("request_seconds_bucket", **labels))
        for labels in found.labels("request_seconds_bucket")
        if labels.items() >= place.items()
    ]
    counts = [count for _, count in sorted(buckets)]
    assert counts == sorted(counts)
    assert counts[-1] == found.get("request_seconds_count", **place) == 20


def test_jobs_and_the_process_are_told(client: httpx.Client) -> None:
    found = scraped(client)
    states = {labels["state"] for labels in found.labels("jobs")}
    assert states == {"waiting", "late", "running", "failed"}
    assert ("process_resident_memory_bytes", frozenset()) in found.samples
    assert found.get("darkroom_places") >= 1


def test_prometheus_may_ask_for_open_metrics(client: httpx.Client) -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    answer = client.get("/metrics", headers=accept)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def _status(site: Site, token: str | None, path: str = "/metrics") -> int:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with site.client() as client:
        return client.get(path, headers=headers).status_code


@pytest.mark.parametrize("token", [None, "wrong", METRICS_TOKEN, f"{TOKEN}x"])
def test_without_the_token_it_tells_nothing(guarded: Site, token: str | None) -> None:
    assert _status(guarded, token) == 401


def test_the_services_token_opens_it(guarded: Site) -> None:
    assert _status(guarded, TOKEN) == 200


def test_a_proxy_on_this_machine_opens_it_to_nobody(guarded: Site) -> None:
    with guarded.client() as client:
        answer = client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"})
    assert answer.status_code == 401


def test_its_own_token_opens_it_and_nothing_else(a_house: House) -> None:
    own = MetricsSettings(token=SecretStr(METRICS_TOKEN))
    site = a_house.site(auth="token", metrics=own)
    assert _status(site, METRICS_TOKEN) == 200
    assert _status(site, METRICS_TOKEN, "/api/photos") == 401
    assert _status(site, METRICS_TOKEN, "/api/jobs") == 401
    assert _status(site, TOKEN) == 200
    assert _status(site, f"{METRICS_TOKEN}x") == 401


def test_it_can_be_made_public_and_nothing_else_with_it(a_house: House) -> None:
    site = a_house.site(auth="token", metrics=MetricsSettings(public=True))
    assert _status(site, None) == 200
    assert _status(site, None, "/api/photos") == 401


def test_a_foreign_host_name_does_not_reach_it(site: Site) -> None:
    with site.client() as client:
        assert client.get("/metrics", headers={"Host": "evil.example"}).status_code == 400
