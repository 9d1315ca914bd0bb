"""Inject faults between the service and its engines, by a proxy in front of each.

The store's proxy passes TLS through unseen, unless the store is a target: then it has the store's
certificate, and reads each call.
"""

import asyncio
import contextlib
import random
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import make_url

from safelight.engines.seaweedfs.certificates import HTTPS
from system import System

POSTGRES, STORE = "PostgreSQL", "store"
_CHUNK = 65536
_KINDS = 3
_SHARE = 0.3
"""The share of calls to the store, and of PostgreSQL's answers, that get a fault."""


class Fault(StrEnum):
    """A fault of a call."""

    NONE = "passed"
    LATE = "late"
    TOO_LATE = "later than any timeout"
    RESET = "reset before the request"
    LOST_ANSWER = "reset before the answer"
    TRUNCATED = "truncated answer"
    ERROR = "answered with 500"
    SLOW_DOWN = "answered with 503"


_STORE = {
    Fault.LATE: 6,
    Fault.TOO_LATE: 1,
    Fault.RESET: 4,
    Fault.LOST_ANSWER: 4,
    Fault.TRUNCATED: 4,
    Fault.ERROR: 6,
    Fault.SLOW_DOWN: 6,
}
_POSTGRES = {
    Fault.LATE: 20,
    Fault.TOO_LATE: 1,
    Fault.RESET: 3,
    Fault.LOST_ANSWER: 3,
    Fault.TRUNCATED: 3,
}
_LATE = {Fault.LATE: (0.05, 1.5), Fault.TOO_LATE: (12.0, 15.0)}


@dataclass
class FaultInjector:
    """Draws faults for calls to the chosen engines, and counts them."""

    seed: int
    targets: set[str] = field(default_factory=set)
    counts: Counter[tuple[str, Fault]] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)

    @contextmanager
    def active(self, *engines: str) -> Iterator[None]:
        """Inject faults before these engines for the duration of the context."""
        self.targets = set(engines)
        try:
            yield
        finally:
            self.targets.clear()

    def has_injected(self, *engines: str) -> bool:
        """Return whether each of these engines has had faults of at least three kinds."""
        kinds = Counter(engine for engine, fault in self.counts if fault is not Fault.NONE)
        return all(kinds[engine] >= _KINDS for engine in engines)

    def note_recovery(self, seconds: float) -> None:
        """Record how long the recovery took."""
        self.recoveries.append(seconds)

    def draw(self, engine: str, faults: dict[Fault, int], rng: random.Random) -> Fault:
        """Draw the fault of a call."""
        if engine not in self.targets:
            return Fault.NONE
        fault = Fault.NONE
        if rng.random() < _SHARE:
            (fault,) = rng.choices(list(faults), list(faults.values()))
        self.counts[engine, fault] += 1
        return fault

    def summary(self) -> dict[str, str]:
        """Return the counts as texts."""
        lines = {
            f"{engine}: {fault}": f"{n:,}" for (engine, fault), n in sorted(self.counts.items())
        }
        lines["longest recovery"] = f"{max(self.recoveries, default=0.0):.1f} s"
        return lines


@asynccontextmanager
async def open_fault_proxies(system: System, seed: int) -> AsyncIterator[FaultInjector]:
    """Put proxies in front of a system's engines. Call it before the system runs."""
    injector = FaultInjector(seed)
    database = make_url(system.engines.database_url)
    sockets = str(database.query["host"])
    postgres = _Postgres(injector, f"{sockets}/.s.PGSQL.5432")
    calls = _Store(injector, _port_of(system.engines.s3_endpoint_url))
    secrets = system.engines.data_dir / "secrets" / "seaweedfs"
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(secrets / f"{HTTPS}.crt", secrets / f"{HTTPS}.key")
    async with (
        _serve(postgres) as postgres_port,
        _serve(calls, context) as calls_port,
        _serve(
            _Switch(injector, calls_port, _port_of(system.engines.s3_tls_endpoint_url))
        ) as store_port,
    ):
        proxied = database.set(host="127.0.0.1", port=postgres_port, query={"sslmode": "disable"})
        system.use_engine_urls(
            database_url=proxied.render_as_string(hide_password=False),
            endpoint_url=f"https://127.0.0.1:{store_port}",
        )
        yield injector


class _Proxy:
    """Serves connections."""

    def __init__(self) -> None:
        self.open: set[asyncio.Task[None]] = set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.open.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self.serve(reader, writer)
        finally:
            self.open.discard(task)
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError


class _Postgres(_Proxy):
    """A proxy of PostgreSQL, in which each chunk of an answer may get a fault."""

    def __init__(self, injector: FaultInjector, path: str) -> None:
        super().__init__()
        self._injector = injector
        self._path = path
        self._rng = random.Random(f"{injector.seed}/PostgreSQL")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_unix_connection(self._path)
        await _until_first(
            upstream_writer,
            _copy(reader, upstream_writer),
            self._copy_answers(upstream_reader, writer),
        )

    async def _copy_answers(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while chunk := await reader.read(_CHUNK):
            fault = self._injector.draw(POSTGRES, _POSTGRES, self._rng)
            if fault in _LATE:
                await asyncio.sleep(self._rng.uniform(*_LATE[fault]))
            if fault in {Fault.RESET, Fault.LOST_ANSWER}:
                return
            if fault is Fault.TRUNCATED:
                writer.write(chunk[: len(chunk) // 2])
                await writer.drain()
                return
            writer.write(chunk)
            await writer.drain()


class _Switch(_Proxy):
    """Passes each connection to the store, or while that is a target, to the proxy of its calls."""

    def __init__(self, injector: FaultInjector, calls_port: int, store_port: int) -> None:
        super().__init__()
        self._injector = injector
        self._ports = {True: calls_port, False: store_port}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_target = STORE in self._injector.targets
        port = self._ports[is_target]
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", port)

        def may_go_on() -> bool:
            return is_target or STORE not in self._injector.targets

        await _until_first(
            upstream_writer,
            _copy(reader, upstream_writer, may_go_on),
            _copy(upstream_reader, writer, may_go_on),
        )


class _Store(_Proxy):
    """A proxy of the store; each call gets its own connection."""

    def __init__(self, injector: FaultInjector, port: int) -> None:
        super().__init__()
        self._injector = injector
        self._port = port
        self._rng = random.Random(f"{injector.seed}/store")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        fault = self._injector.draw(STORE, _STORE, self._rng)
        lines = head[:-4].split(b"\r\n")
        body = await reader.readexactly(_content_length(lines))
        if fault in _LATE:
            await asyncio.sleep(self._rng.uniform(*_LATE[fault]))
        if fault is Fault.RESET:
            return
        if fault in {Fault.ERROR, Fault.SLOW_DOWN}:
            writer.write(_make_error(fault))
        else:
            answer = await self._forward(lines, body)
            if fault is Fault.LOST_ANSWER:
                return
            writer.write(answer[: len(answer) // 2] if fault is Fault.TRUNCATED else answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def _forward(self, lines: list[bytes], body: bytes) -> bytes:
        """Send the request to the store, which closes the connection after its answer."""
        headers = [line for line in lines if not line.lower().startswith(b"connection:")]
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(b"\r\n".join([*headers, b"Connection: close", b"", b""]) + body)
            await writer.drain()
            return await reader.read()
        finally:
            writer.transport.abort()


def _content_length(lines: list[bytes]) -> int:
    for line in lines:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _make_error(fault: Fault) -> bytes:
    status, code = (
        (b"500 Internal Server Error", b"InternalError")
        if fault is Fault.ERROR
        else (b"503 Slow Down", b"SlowDown")
    )
    body = b"<Error><Code>" + code + b"</Code><Message>injected</Message></Error>"
    length = b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
    return b"HTTP/1.1 " + status + b"\r\nContent-Type: application/xml\r\n" + length + body


async def _copy(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    may_go_on: Callable[[], bool] = lambda: True,
) -> None:
    while (chunk := await reader.read(_CHUNK)) and may_go_on():
        writer.write(chunk)
        await writer.drain()


async def _until_first(
    upstream: asyncio.StreamWriter, *directions: Coroutine[Any, Any, None]
) -> None:
    """Copy in both directions until one ends, and close the connection to the engine."""
    tasks = [asyncio.create_task(direction) for direction in directions]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        upstream.transport.abort()


def _port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


@asynccontextmanager
async def _serve(proxy: _Proxy, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve on a port of loopback for the duration of the context; yield the port."""
    server = await asyncio.start_server(proxy, "127.0.0.1", 0, backlog=256, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(proxy.open):
            task.cancel()
        await asyncio.gather(*proxy.open, return_exceptions=True)
