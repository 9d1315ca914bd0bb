"""Several servers on one PostgreSQL and one store, behind a load balancer that knows nothing."""

import asyncio
import collections
import signal
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from acceptance.proxy import Proxy, caddyfile, free_port, proxying
from acceptance.served import Served
from databases import database
from pictures import jpeg
from safelight.engines import EmbeddedEngines

TOKEN = "the-token-of-the-whole-fleet"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
DRAIN = 3
SCALING = Path(__file__).parents[2] / "docs" / "scaling.md"


@dataclass(frozen=True, slots=True)
class Fleet:
    """Two servers and what stands before them."""

    servers: list[Served]
    site: str
    proxy: Proxy

    def client(self) -> httpx.AsyncClient:
        trust = ssl.create_default_context(cafile=str(self.proxy.authority))
        return httpx.AsyncClient(
            base_url=self.site,
            headers=BEARER,
            verify=trust,
            timeout=60,
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
    front = free_port()
    site = f"https://localhost:{front}"
    with ExitStack() as stack:
        servers = []
        for port in ports:
            own = {**settings, "SAFELIGHT_PORT": str(port)}
            server = Served(folder / f"fleet-{port}", own).start()
            stack.callback(server.stop)
            servers.append(server)
        text = caddyfile(
            {
                "photos.example": site,
                "10.0.0.1:8000": f"127.0.0.1:{ports[0]}",
                "10.0.0.2:8000": f"127.0.0.1:{ports[1]}",
            },
            SCALING,
        )
        proxy = stack.enter_context(proxying(folder / "balancer", text, site))
        yield Fleet(servers, site, proxy)


async def test_a_crowd_with_the_same_photos_at_two_servers_leaves_each_once(fleet: Fleet) -> None:
    photos = [jpeg(200 + n, 150) for n in range(100)]
    statuses: collections.Counter[int] = collections.Counter()
    ids: dict[int, set[int]] = collections.defaultdict(set)
    async with fleet.client() as client:

        async def upload(n: int) -> None:
            while True:
                answer = await client.post("/api/photos", files={"photo": ("a.jpg", photos[n])})
                statuses[answer.status_code] += 1
                if answer.status_code != 503:
                    break
                await asyncio.sleep(float(answer.headers["Retry-After"]))
            ids[n].add(answer.json()["id"])

        turn = asyncio.Semaphore(60)

        async def in_turn(n: int) -> None:
            async with turn:
                await upload(n)

        await asyncio.gather(*(in_turn(n % 100) for n in range(1000)))
        assert statuses[201] == 100
        assert set(statuses) <= {200, 201, 503}
        assert all(len(found) == 1 for found in ids.values())
        listed = (await client.get("/api/photos?limit=500")).json()
    assert sorted(photo["id"] for photo in listed) == sorted(next(iter(i)) for i in ids.values())


def test_every_server_gives_the_same_links(fleet: Fleet) -> None:
    shown = []
    for server in fleet.servers:
        answer = httpx.post(
            f"{server.url}/api/photos",
            headers=BEARER,
            files={"photo": ("a.jpg", jpeg(123, 77))},
        )
        shown.append(answer.json())
    assert shown[0] == shown[1]
    assert httpx.get(shown[0]["photo_url"]).content == jpeg(123, 77)


async def test_a_rolling_restart_under_load_loses_no_request(fleet: Fleet) -> None:
    done, wrong = collections.Counter[str](), list[object]()
    over = asyncio.Event()

    async def look(client: httpx.AsyncClient) -> None:
        while not over.is_set():
            answer = await client.get("/api/photos?limit=20")
            done["look"] += 1
            if answer.status_code != 200:
                wrong.append((answer.status_code, answer.text))

    async def upload(client: httpx.AsyncClient, who: int) -> None:
        n = 0
        while not over.is_set():
            photo = {"photo": ("a.jpg", jpeg(100 + n % 500, 90 + who))}
            answer = await client.post("/api/photos", files=photo)
            done["upload"] += 1
            if answer.status_code not in {200, 201}:
                wrong.append((answer.status_code, answer.text))
            n += 1

    async with fleet.client() as client:
        load = [
            *(asyncio.create_task(look(client)) for _ in range(4)),
            *(asyncio.create_task(upload(client, who)) for who in range(2)),
        ]
        await asyncio.sleep(1)
        for server in fleet.servers:
            assert server.process is not None
            server.process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(server.process.wait, 30)
            await asyncio.to_thread(server.start)
            await asyncio.sleep(2)
        over.set()
        await asyncio.gather(*load)
    assert not wrong
    assert min(done["look"], done["upload"]) > 20, done


def test_a_draining_server_answers_on_and_says_that_it_is_not_ready(fleet: Fleet) -> None:
    server = fleet.servers[0]
    assert server.process is not None
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    while server.is_ready():
        assert server.process.poll() is None
        time.sleep(0.05)
    refused = httpx.get(f"{server.url}/readyz")
    assert (refused.status_code, refused.json()["code"]) == (503, "busy")
    answer = httpx.get(f"{server.url}/api/photos", headers=BEARER)
    assert (answer.status_code, answer.headers["Connection"]) == (200, "close")
    server.process.wait(30)
    assert time.monotonic() - began >= DRAIN
    server.start()
