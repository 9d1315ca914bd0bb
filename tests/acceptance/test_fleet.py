"""Two servers that share a database and a store, behind a load balancer."""

import asyncio
import collections
import re
import signal
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from safelight.engines import EmbeddedEngines
from support.caddy import Caddy, caddyfile, run_caddy
from support.databases import database
from support.network import free_port
from support.pictures import jpeg
from support.serve_process import ServeProcess

TOKEN = "the-token-of-both-servers"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
DRAIN = 8  # so that the load balancer notices it on a busy machine, too
SCALING = Path(__file__).parents[2] / "docs" / "scaling.md"


@dataclass(frozen=True, slots=True)
class Fleet:
    """Two servers, and the load balancer."""

    servers: list[ServeProcess]
    site: str
    proxy: Caddy

    def client(self) -> httpx.AsyncClient:
        trust = ssl.create_default_context(cafile=str(self.proxy.authority))
        return httpx.AsyncClient(
            base_url=self.site,
            headers=BEARER,
            verify=trust,
            timeout=120,
        )


@pytest.fixture(scope="module")
def fleet(engines: EmbeddedEngines, open_tmp_path: Path) -> Iterator[Fleet]:
    with database(engines) as url:
        yield from _fleet(engines, url, open_tmp_path)


def _fleet(engines: EmbeddedEngines, url: str, folder: Path) -> Iterator[Fleet]:
    settings = {
        "SAFELIGHT_TOKEN": TOKEN,
        "SAFELIGHT_DRAIN": f"PT{DRAIN}S",
        "SAFELIGHT_DATABASE_URL": url,
        "SAFELIGHT_S3__ENDPOINT_URL": engines.s3_endpoint_url,
        "SAFELIGHT_S3__ACCESS_KEY": engines.s3_access_key,
        "SAFELIGHT_S3__SECRET_KEY": engines.s3_secret_key,
    }
    ports = [free_port(), free_port()]
    site = f"https://localhost:{free_port()}"
    with ExitStack() as stack:
        servers = []
        for port in ports:
            own = {**settings, "SAFELIGHT_PORT": str(port)}
            server = ServeProcess(folder / f"fleet-{port}", own).start()
            stack.callback(server.kill)
            servers.append(server)
        text = caddyfile(
            {
                "photos.example": site,
                "10.0.0.1:8000": f"127.0.0.1:{ports[0]}",
                "10.0.0.2:8000": f"127.0.0.1:{ports[1]}",
                "lb_try_duration 10s": "lb_try_duration 60s",
            },
            SCALING,
        )
        proxy = stack.enter_context(run_caddy(folder / "balancer", text, site))
        yield Fleet(servers, site, proxy)


async def test_rendition_on_demand_is_made_by_one_server(fleet: Fleet) -> None:
    async with fleet.client() as client:
        added = await client.post("/api/photos", files={"photo": ("a.jpg", jpeg(2_700, 1_800))})
    path = f"/api/photos/{added.json()['id']}/w2560"
    before = await _decodes(fleet)
    async with _direct_clients(fleet) as clients:
        answers = await asyncio.gather(*(clients[n % 2].get(path) for n in range(60)))
    assert {answer.status_code for answer in answers} == {307}
    assert await _decodes(fleet) == before + 1


@asynccontextmanager
async def _direct_clients(fleet: Fleet) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Yield a client for each server, without the load balancer."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                httpx.AsyncClient(base_url=server.url, headers=BEARER, timeout=120)
            )
            for server in fleet.servers
        ]


async def _decodes(fleet: Fleet) -> int:
    """Return how many photos the decoders of both servers have worked on."""
    async with _direct_clients(fleet) as clients:
        pages = [(await client.get("/metrics")).text for client in clients]
    lines = [line for page in pages for line in page.splitlines()]
    name = "safelight_darkroom_work_seconds_count "
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith(name))


async def test_parallel_uploads_of_the_same_photos_store_each_once(fleet: Fleet) -> None:
    photos = [jpeg(200 + n, 150) for n in range(20)]
    statuses: collections.Counter[int] = collections.Counter()
    ids: dict[int, set[int]] = collections.defaultdict(set)
    async with fleet.client() as client:
        before = {photo["id"] for photo in (await client.get("/api/photos?limit=500")).json()}

        async def upload(n: int) -> None:
            while True:
                response = await client.post("/api/photos", files={"photo": ("a.jpg", photos[n])})
                statuses[response.status_code] += 1
                if response.status_code != 503:
                    break
                await asyncio.sleep(float(response.headers["Retry-After"]))
            ids[n].add(response.json()["id"])

        parallel = asyncio.Semaphore(60)

        async def limited(n: int) -> None:
            async with parallel:
                await upload(n)

        await asyncio.gather(*(limited(n % 20) for n in range(200)))
        assert statuses[201] == 20
        assert set(statuses) <= {200, 201, 503}
        assert all(len(found) == 1 for found in ids.values())
        listed = (await client.get("/api/photos?limit=500")).json()
    stored = {photo["id"] for photo in listed} - before
    assert stored == {next(iter(found)) for found in ids.values()}


def test_both_servers_give_the_same_links(fleet: Fleet) -> None:
    responses = []
    for server in fleet.servers:
        response = httpx.post(
            f"{server.url}/api/photos",
            headers=BEARER,
            files={"photo": ("a.jpg", jpeg(123, 77))},
        )
        responses.append(response.json())
    assert responses[0] == responses[1]
    assert httpx.get(responses[0]["photo_url"]).content == jpeg(123, 77)


@pytest.mark.timeout(900)
async def test_rolling_restart_under_load_fails_no_request(fleet: Fleet) -> None:
    done, failures = collections.Counter[str](), list[object]()
    stop = asyncio.Event()

    async def list_photos(client: httpx.AsyncClient) -> None:
        while not stop.is_set():
            response = await client.get("/api/photos?limit=20")
            done["list"] += 1
            await asyncio.sleep(0.1)  # the restart is the test, not the load
            if response.status_code != 200:
                failures.append((response.status_code, response.text))

    async def upload(client: httpx.AsyncClient, number: int) -> None:
        n = 0
        while not stop.is_set():
            photo = {"photo": ("a.jpg", jpeg(100 + n % 500, 90 + number))}
            response = await client.post("/api/photos", files=photo)
            done["upload"] += 1
            await asyncio.sleep(0.1)
            if response.status_code not in {200, 201}:
                failures.append((response.status_code, response.text))
            n += 1

    async with fleet.client() as client:
        load = [
            *(asyncio.create_task(list_photos(client)) for _ in range(4)),
            *(asyncio.create_task(upload(client, number)) for number in range(2)),
        ]
        await _until_more(done)
        for server in fleet.servers:
            assert server.process is not None
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(server.process.wait, 120)
            assert time.monotonic() - began >= DRAIN
            await _until_more(done)
            await asyncio.to_thread(server.start)
            await _until_used(server)
            await _until_more(done)
        stop.set()
        await asyncio.gather(*load)
    assert not failures


async def _until_more(done: collections.Counter[str]) -> None:
    """Wait until five more requests of each kind were answered."""
    before = done.copy()
    deadline = time.monotonic() + 120
    while min(done[kind] - before[kind] for kind in ("list", "upload")) < 5:
        assert time.monotonic() < deadline, done
        await asyncio.sleep(0.1)


async def _until_used(server: ServeProcess) -> None:
    """Wait until the load balancer sends requests to a server that was started again."""
    deadline = time.monotonic() + 120
    async with httpx.AsyncClient(headers=BEARER, timeout=120) as client:
        metrics = ""
        while not re.search(r'request_seconds_count\{[^}]*route="/api/photos"', metrics):
            assert time.monotonic() < deadline, metrics
            await asyncio.sleep(0.1)
            metrics = (await client.get(f"{server.url}/metrics")).text


def test_draining_server_serves_requests_but_is_not_ready(fleet: Fleet) -> None:
    server = fleet.servers[0]
    assert server.process is not None
    server.process.send_signal(signal.SIGTERM)
    while server.is_ready():
        assert server.process.poll() is None
        time.sleep(0.05)
    refused = httpx.get(f"{server.url}/readyz")
    assert (refused.status_code, refused.json()["code"]) == (503, "busy")
    response = httpx.get(f"{server.url}/api/photos", headers=BEARER)
    assert (response.status_code, response.headers["Connection"]) == (200, "close")
    server.process.wait(120)
    server.start()
