"""The app as `safelight serve` serves it, on threads of the test process, over engines that run.

A `House` is a library on an event loop of its own thread. A `Site` is an app over that library at
a port of its own: with an owner of its own, since all tests share one catalog.
"""

import asyncio
import secrets
import socket
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
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
from safelight.catalog.rows import facts_columns
from safelight.cli.serve import configuration
from safelight.engines import EmbeddedEngines
from safelight.library import Library
from safelight.photo import Caption, ImageFacts, Status
from safelight.settings import S3Settings, Settings
from safelight.tables import photos
from safelight.web import create_app

T = TypeVar("T")

TOKEN = "a-token-for-tests-0123456789"
ORIGIN = "http://app.example:5173"
FACTS = ImageFacts(format="jpeg", content_type="image/jpeg", width=4, height=3)


def settings_for(
    engines: EmbeddedEngines,
    data_dir: Path,
    **more: Any,  # noqa: ANN401  any setting
) -> Settings:
    """Settings that reach running engines as somebody else's, and start nothing."""
    s3: dict[str, Any] = {
        "endpoint_url": engines.s3_endpoint_url,
        "access_key": engines.s3_access_key,
        "secret_key": SecretStr(engines.s3_secret_key),
        "bucket": engines.bucket,
        "region": engines.region,
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
        """Leave the signals to pytest."""
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

    def client(self, **options: Any) -> httpx.Client:  # noqa: ANN401  httpx's own
        return httpx.Client(base_url=self.url, timeout=30, **options)


@dataclass
class House:
    """A started library and its thread."""

    settings: Settings
    library: Library
    loop: asyncio.AbstractEventLoop
    over: asyncio.Event
    _served: list[tuple[uvicorn.Server, "Future[None]"]] = field(default_factory=list)

    def do(self, work: Coroutine[Any, Any, T], *, seconds: float = 60) -> T:
        """Run something of the library's, on its loop, to its end."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(seconds)

    def site(self, **changes: Any) -> Site:  # noqa: ANN401  any setting
        """Serve an app over the library, at a port of its own, as an owner of its own."""
        settings = self.settings.model_copy(update={"owner": f"owner-{uuid4().hex}"} | changes)
        token = None if settings.auth == "none" else TOKEN
        return self.serve(create_app(self.library, settings, token=token), settings)

    def serve(self, app: FastAPI, settings: Settings | None = None) -> Site:
        """Serve any app over the library."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        server = _Server(configuration(app))
        serving = asyncio.run_coroutine_threadsafe(server.serve(sockets=[listener]), self.loop)
        self._served.append((server, serving))
        while not server.started:
            if serving.done():
                serving.result()
            time.sleep(0.005)
        return Site("127.0.0.1", listener.getsockname()[1], settings or self.settings, app)

    def plant(self, owner: str, count: int, *, began: datetime | None = None) -> list[int]:
        """Make rows of photos whose bytes are nowhere, a millisecond apart; oldest first."""
        began = began or datetime.now(UTC) - timedelta(milliseconds=count)
        rows = [
            _row(owner, began + timedelta(milliseconds=n), f"planted {n}") for n in range(count)
        ]

        async def insertion(connection: AsyncConnection) -> list[int]:
            statement = insert(photos).returning(photos.c.id, sort_by_parameter_order=True)
            return list((await connection.execute(statement, rows)).scalars())

        return self.do(self.library.parts.catalog._database.transaction(insertion))

    def rows(self, owner: str) -> list[tuple[int, str, str]]:
        """Tell of every row of an owner, its id, status and name."""
        statement = select(photos.c.id, photos.c.status, photos.c.name).where(
            photos.c.owner == owner
        )

        async def read(connection: AsyncConnection) -> list[tuple[int, str, str]]:
            found = await connection.execute(statement.order_by(photos.c.id))
            return [(row.id, row.status, row.name) for row in found]

        return self.do(self.library.parts.catalog._database.read(read))

    def stored(self, name: str) -> bool:
        """Tell whether a photo's original is in the bucket."""
        return self.do(self.library.parts.storage.size(keys.original(name))) is not None

    def object_names(self) -> set[str]:
        """Tell the names of all photos of which something is in the bucket."""

        async def listed() -> set[str]:
            found = self.library.parts.storage._store.list("photos/")
            return {meta["path"].split("/")[1] async for batch in found for meta in batch}

        return self.do(listed())

    def close(self) -> None:
        for server, _ in self._served:
            server.should_exit = True
        for _, serving in self._served:
            serving.result(20)
        self.do(self.library.close())


def _row(owner: str, now: datetime, title: str) -> dict[str, object]:
    return {
        "owner": owner,
        "status": Status.READY,
        "name": keys.new_name(),
        **asdict(Caption(title=title)),
        "reserved_at": now,
        "created_at": now,
        "size": 1,
        "sha256": secrets.token_hex(32),
        **facts_columns(FACTS, now=now),
    }


@contextmanager
def house(settings: Settings, *, worker: bool = True) -> Iterator[House]:
    """Start a library by its settings, and end it with all its sites."""
    ready: Future[House] = Future()
    thread = threading.Thread(target=lambda: uvloop.run(_live(settings, ready, worker=worker)))
    thread.start()
    living = ready.result(60)
    try:
        yield living
    finally:
        try:
            living.close()
        finally:
            living.loop.call_soon_threadsafe(living.over.set)
            thread.join(20)


async def _live(settings: Settings, ready: "Future[House]", *, worker: bool) -> None:
    library = Library.from_settings(settings, worker=worker)
    try:
        await library.start()
    except BaseException as error:
        ready.set_exception(error)
        raise
    living = House(settings, library, asyncio.get_running_loop(), asyncio.Event())
    ready.set_result(living)
    await living.over.wait()
