"""Serve the app as `safelight serve` does, on a thread of the test process, over running engines.

An `AppServer` is a library on an event loop in its own thread. A `Site` is an app over that library
on its own port, and with its own owner, since all tests share one catalog.
"""

import asyncio
import secrets
import socket
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import uvicorn
import uvloop
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import keys
from safelight.catalog.rows import columns_from_facts
from safelight.catalog.tables import photos
from safelight.engines import EmbeddedEngines
from safelight.library import Library
from safelight.models import Caption, ImageFacts, Status
from safelight.server.connection_limits import ConnectionLimits
from safelight.server.serve import uvicorn_config
from safelight.settings import S3Settings, Settings
from safelight.web import create_app

T = TypeVar("T")

TOKEN = "a-token-for-tests-0123456789"
ORIGIN = "http://app.example:5173"
FACTS = ImageFacts(format="jpeg", content_type="image/jpeg", width=4, height=3)


def settings_for(
    engines: EmbeddedEngines,
    data_dir: Path,
    **more: Any,
) -> Settings:
    """Make settings that use running engines as external ones, and start none."""
    s3: dict[str, Any] = {
        "endpoint_url": engines.s3_endpoint_url,
        "access_key": engines.s3_access_key,
        "secret_key": SecretStr(engines.s3_secret_key),
        "bucket": engines.bucket,
        "region": engines.region,
        "timeout": timedelta(minutes=1),
    } | more.pop("s3", {})
    values: dict[str, Any] = {
        "data_dir": data_dir,
        "database_url": SecretStr(engines.database_url),
        "s3": S3Settings(**s3),
        "port": 0,
        "auth": "none",
        "origins": (ORIGIN,),
    }
    return Settings(**(values | more))


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to pytest."""
        yield


@dataclass(frozen=True, slots=True)
class Site:
    """An app that is being served."""

    host: str
    port: int
    settings: Settings
    app: FastAPI

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def owner(self) -> str:
        return self.settings.owner

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=120, **options)


@dataclass
class AppServer:
    """A started library and its thread."""

    settings: Settings
    library: Library
    loop: asyncio.AbstractEventLoop
    stop_requested: asyncio.Event
    _servers: list[uvicorn.Server] = field(default_factory=list)
    _serving: list["Future[None]"] = field(default_factory=list)
    _shared: "Site | None" = None

    def do(self, work: Coroutine[Any, Any, T], *, seconds: float = 240) -> T:
        """Run a coroutine on the library's loop, and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(seconds)

    def site(self, **changes: Any) -> Site:
        """Serve an app over the library on its own port and with its own owner."""
        settings = self.settings.model_copy(update={"owner": f"owner-{uuid4().hex}"} | changes)
        token = None if settings.auth == "none" else TOKEN
        return self.serve(create_app(self.library, settings, token=token), settings)

    def share_site(self) -> None:
        """Serve the app that all calls of `shared_site` return."""
        self._shared = self.site()

    def shared_site(self) -> Site:
        """Return a site with a new owner, but with the same app each time, if there is one.

        To make an app takes longer than most tests of it.
        """
        if self._shared is None:
            return self.site()
        settings = self.settings.model_copy(update={"owner": f"owner-{uuid4().hex}"})
        self._shared.app.state.authenticator._settings = settings
        return replace(self._shared, settings=settings)

    def serve(
        self,
        app: FastAPI,
        settings: Settings | None = None,
        limits: ConnectionLimits | None = None,
    ) -> Site:
        """Serve any app over the library."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        server = _Server(uvicorn_config(app, limits))
        serving = asyncio.run_coroutine_threadsafe(server.serve(sockets=[listener]), self.loop)
        self._servers.append(server)
        self._serving.append(serving)
        while not server.started:
            if serving.done():
                serving.result()
            time.sleep(0.005)
        return Site("127.0.0.1", listener.getsockname()[1], settings or self.settings, app)

    def insert_photos(self, owner: str, count: int, *, began: datetime | None = None) -> list[int]:
        """Insert rows of photos without objects, a millisecond apart, oldest first."""
        began = began or datetime.now(UTC) - timedelta(milliseconds=count)
        rows = [
            _row(owner, began + timedelta(milliseconds=n), f"planted {n}") for n in range(count)
        ]

        async def insertion(connection: AsyncConnection) -> list[int]:
            statement = insert(photos).returning(photos.c.id, sort_by_parameter_order=True)
            return list((await connection.execute(statement, rows)).scalars())

        return self.do(self.library.backends.catalog._database.transaction(insertion))

    def rows(self, owner: str) -> list[tuple[int, str, str]]:
        """Return id, status and storage id of each of an owner's rows."""
        statement = select(photos.c.id, photos.c.status, photos.c.name).where(
            photos.c.owner == owner
        )

        async def read(connection: AsyncConnection) -> list[tuple[int, str, str]]:
            found = await connection.execute(statement.order_by(photos.c.id))
            return [(row.id, row.status, row.name) for row in found]

        return self.do(self.library.backends.catalog._database.read(read))

    def is_stored(self, name: str) -> bool:
        """Check whether a photo's original is in the bucket."""
        return self.do(self.library.backends.bucket.size(keys.original(name))) is not None

    def stored_ids(self) -> set[str]:
        """Return the storage ids of all photos with objects in the bucket."""

        async def listed() -> set[str]:
            found = self.library.backends.bucket._store.list("photos/")
            return {meta["path"].split("/")[1] async for batch in found for meta in batch}

        return self.do(listed())

    @contextmanager
    def temporary_sites(self) -> Iterator[None]:
        """Stop the sites that are served from now on at the end, without waiting for that.

        Each of them wakes up ten times per second.
        """
        count = len(self._servers)
        yield
        for server in self._servers[count:]:
            server.should_exit = True
        del self._servers[count:]
        self._serving = [serving for serving in self._serving if not serving.done()]

    def close(self) -> None:
        for server in self._servers:
            server.should_exit = True
        for serving in self._serving:
            serving.result(120)
        self.do(self.library.close())


def _row(owner: str, now: datetime, title: str) -> dict[str, object]:
    return {
        "owner": owner,
        "status": Status.READY,
        "name": keys.new_storage_id(),
        **asdict(Caption(title=title)),
        "reserved_at": now,
        "created_at": now,
        "size": 1,
        "sha256": secrets.token_hex(32),
        **columns_from_facts(FACTS, now=now),
    }


@contextmanager
def run_app_server(settings: Settings, *, worker: bool = True) -> Iterator[AppServer]:
    """Start a library, and stop it with all its sites at the end."""
    ready: Future[AppServer] = Future()
    thread = threading.Thread(target=lambda: uvloop.run(_run(settings, ready, worker=worker)))
    thread.start()
    running = ready.result(180)
    try:
        yield running
    finally:
        try:
            running.close()
        finally:
            running.loop.call_soon_threadsafe(running.stop_requested.set)
            thread.join(120)


async def _run(settings: Settings, ready: "Future[AppServer]", *, worker: bool) -> None:
    library = Library.from_settings(settings, worker=worker)
    try:
        await library.start()
    except BaseException as error:
        ready.set_exception(error)
        raise
    running = AppServer(settings, library, asyncio.get_running_loop(), asyncio.Event())
    ready.set_result(running)
    await running.stop_requested.wait()
