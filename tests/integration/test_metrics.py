"""/metrics: the Prometheus format, the metrics that change, and access to them."""

import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from pydantic import SecretStr

from safelight.engines import EmbeddedEngines
from safelight.settings import MetricsSettings
from support import pictures
from support.app_server import TOKEN, AppServer, Site, run_app_server, settings_for
from support.prometheus import Samples, scrape
from support.raw_http import open_connection, raw_request

METRICS_TOKEN = "for-prometheus-alone-0123456789"


@pytest.fixture(scope="module")
def app_server(
    engines: EmbeddedEngines, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AppServer]:
    """A server that runs no jobs, whose calls would be counted, too."""
    settings = settings_for(engines, tmp_path_factory.mktemp("metrics"))
    with run_app_server(settings, worker=False) as server:
        server.share_site()
        yield server


@pytest.fixture
def site(app_server: AppServer) -> Site:
    """A site whose app has counted nothing yet."""
    return app_server.site()


@pytest.fixture
def growth(client: httpx.Client) -> Callable[[], "Growth"]:
    """Return a function that measures the growth since the start of the test."""
    before = scrape(client)
    return lambda: Growth(before, scrape(client))


class Growth:
    """The growth of each metric between two scrapes."""

    def __init__(self, before: Samples, after: Samples) -> None:
        self._before = before
        self.after = after

    def __call__(self, name: str, **labels: str) -> float:
        return self.after.get(name, **labels) - self._before.get(name, **labels)


MeasureGrowth = Callable[[], Growth]


def _upload(client: httpx.Client, data: bytes) -> httpx.Response:
    return client.post("/api/photos", files={"photo": ("a.jpg", data)})


def test_upload_is_counted_with_its_bytes_and_durations(
    client: httpx.Client, growth: MeasureGrowth
) -> None:
    data = pictures.jpeg(700, 500)
    assert _upload(client, data).status_code == 201
    metrics = growth()
    assert metrics("uploads_total", outcome="added") == 1
    assert metrics("added_bytes_total") == len(data)
    assert metrics("requests_total", route="/api/photos", method="POST", status="201") == 1
    assert metrics("request_seconds_count", route="/api/photos", method="POST") == 1
    assert metrics("request_seconds_sum", route="/api/photos", method="POST") > 0
    # Inspected and rendered at once; a job of an earlier test may use the darkroom too.
    assert metrics("darkroom_work_seconds_count") >= 1
    assert metrics("darkroom_wait_seconds_count") >= 1
    assert metrics("darkroom_work_seconds_sum") > 0
    # The original, and renditions that are 320, 640 and 700 pixels wide.
    assert metrics("storage_calls_total", verb="put") == 4
    assert metrics("storage_seconds_count", verb="put") == 4
    assert metrics("storage_errors_total", verb="put") == 0


def test_duplicates_are_counted_separately(client: httpx.Client, growth: MeasureGrowth) -> None:
    data = pictures.jpeg(300, 201)
    _upload(client, data)
    assert _upload(client, data).status_code == 200
    metrics = growth()
    assert metrics("uploads_total", outcome="there") == 1
    assert metrics("uploads_total", outcome="added") == 1
    assert metrics("added_bytes_total") == len(data)


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        (b"no picture at all", "unsupported_type"),
        (b"", "empty_file"),
        (pictures.jpeg(300, 200)[:-1000], "corrupt_image"),
        (b"\xff\xd8\xff" + bytes(6 * 1024 * 1024), "too_large"),
    ],
)
def test_refused_upload_is_counted_once_by_its_code(
    client: httpx.Client, growth: MeasureGrowth, data: bytes, outcome: str
) -> None:
    assert _upload(client, data).json()["code"] == outcome
    metrics = growth()
    assert metrics("uploads_total", outcome=outcome) == 1
    assert (
        sum(metrics("uploads_total", **labels) for labels in metrics.after.labels("uploads_total"))
        == 1
    )
    assert metrics("added_bytes_total") == 0


def test_upload_through_the_simple_page_is_counted(
    client: httpx.Client, site: Site, growth: MeasureGrowth
) -> None:
    files = {"photo": ("a.jpg", pictures.jpeg(300, 203))}
    client.post("/simple-upload", files=files, headers={"Origin": site.url})
    metrics = growth()
    assert metrics("uploads_total", outcome="added") == 1
    assert metrics("requests_total", route="/simple-upload", method="POST", status="303") == 1


def test_interrupted_upload_is_counted(site: Site, growth: MeasureGrowth) -> None:
    with open_connection(site) as connection:
        connection.head(
            b"POST",
            b"/api/photos",
            b"Content-Length: 9999",
            b"Content-Type: multipart/form-data; boundary=x",
            b"Expect: 100-continue",
        )
        assert connection.socket.recv(4096).startswith(b"HTTP/1.1 100 ")  # the upload has begun
        connection.send(b"--x\r\n")
    deadline = time.monotonic() + 120
    while not growth()("uploads_total", outcome="interrupted"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_second_deletion_is_not_counted(client: httpx.Client, growth: MeasureGrowth) -> None:
    id_ = _upload(client, pictures.jpeg(300, 202)).json()["id"]
    for _ in range(2):
        client.delete(f"/api/photos/{id_}?permanent=true")
    metrics = growth()
    assert metrics("deletions_total") == 1
    route = "/api/photos/{photo_id}"
    assert metrics("requests_total", route=route, method="DELETE", status="204") == 1
    assert metrics("requests_total", route=route, method="DELETE", status="404") == 1
    assert metrics("storage_calls_total", verb="delete") >= 1


def test_signed_links_and_cache_hits_are_counted(
    app_server: AppServer, site: Site, client: httpx.Client, growth: MeasureGrowth
) -> None:
    app_server.insert_photos(site.owner, 5)
    client.get("/api/photos")
    first = growth()
    assert first("links_signed_total") == 5
    assert first("cache_misses_total", cache="links") == 5
    assert first("cache_misses_total", cache="photos") == 5
    assert first("cache_misses_total", cache="pages") == 1
    assert first("cache_hits_total", cache="pages") == 0
    client.get("/api/photos")
    client.get("/api/photos?limit=3")
    second = growth()
    assert second("links_signed_total") == 5
    assert second("cache_hits_total", cache="pages") == 1
    assert second("cache_hits_total", cache="photos") == 3
    id_ = client.get("/api/photos").json()[0]["id"]
    client.get(f"/api/photos/{id_}/original")
    assert growth()("cache_hits_total", cache="links") == 1
    assert growth()("links_signed_total") == 5


def test_requests_are_counted_by_route_template(
    site: Site, client: httpx.Client, growth: MeasureGrowth
) -> None:
    for path in ("/static/icon.svg", "/nothing", "/nothing/else", "/photo/1", "/photo/2"):
        client.get(path)
    client.head("/healthz")
    raw_request(site, b"PROPFIND", b"/api/photos")
    raw_request(site, b"TRACE", b"/api/photos")
    metrics = growth()
    assert metrics("requests_total", route="/static/{path}", method="GET", status="200") == 1
    assert metrics("requests_total", route="nowhere", method="GET", status="404") == 2
    assert metrics("requests_total", route="/photo/{photo_id}", method="GET", status="404") == 2
    assert metrics("requests_total", route="/healthz", method="HEAD", status="200") == 1
    assert metrics("requests_total", route="/api/photos", method="other", status="405") == 2
    assert metrics.after.get("requests_under_way") == 1


def test_histogram_buckets_are_cumulative(client: httpx.Client) -> None:
    for _ in range(20):
        client.get("/healthz")
    metrics = scrape(client)
    route = {"route": "/healthz", "method": "GET"}
    buckets = [
        (float(labels["le"]), metrics.get("request_seconds_bucket", **labels))
        for labels in metrics.labels("request_seconds_bucket")
        if labels.items() >= route.items()
    ]
    counts = [count for _, count in sorted(buckets)]
    assert counts == sorted(counts)
    assert counts[-1] == metrics.get("request_seconds_count", **route) == 20


def test_job_and_process_metrics_are_exported(client: httpx.Client) -> None:
    metrics = scrape(client)
    states = {labels["state"] for labels in metrics.labels("jobs")}
    assert states == {"waiting", "late", "running", "failed"}
    assert ("process_resident_memory_bytes", frozenset()) in metrics.samples
    assert metrics.get("darkroom_places") >= 1


def test_openmetrics_format_is_available(client: httpx.Client) -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    response = client.get("/metrics", headers=accept)
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")


def _status(site: Site, token: str | None, path: str = "/metrics") -> int:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with site.client() as client:
        return client.get(path, headers=headers).status_code


@pytest.mark.parametrize("token", [None, "wrong", METRICS_TOKEN, f"{TOKEN}x"])
def test_metrics_require_a_token(guarded: Site, token: str | None) -> None:
    assert _status(guarded, token) == 401


def test_access_token_allows_metrics(guarded: Site) -> None:
    assert _status(guarded, TOKEN) == 200


def test_request_through_a_local_proxy_needs_a_token(guarded: Site) -> None:
    with guarded.client() as client:
        response = client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"})
    assert response.status_code == 401


def test_metrics_token_allows_only_metrics(app_server: AppServer) -> None:
    own = MetricsSettings(token=SecretStr(METRICS_TOKEN))
    site = app_server.site(auth="token", metrics=own)
    assert _status(site, METRICS_TOKEN) == 200
    assert _status(site, METRICS_TOKEN, "/api/photos") == 401
    assert _status(site, METRICS_TOKEN, "/api/jobs") == 401
    assert _status(site, TOKEN) == 200
    assert _status(site, f"{METRICS_TOKEN}x") == 401


def test_public_metrics_do_not_open_the_api(app_server: AppServer) -> None:
    site = app_server.site(auth="token", metrics=MetricsSettings(public=True))
    assert _status(site, None) == 200
    assert _status(site, None, "/api/photos") == 401


def test_unknown_host_cannot_read_metrics(site: Site) -> None:
    with site.client() as client:
        assert client.get("/metrics", headers={"Host": "evil.example"}).status_code == 400
