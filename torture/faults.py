"""Bad weather between a service and its engines: a proxy before each spoils what passes."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from sqlalchemy import make_url

from plant import Plant

POSTGRES, STORE = "PostgreSQL", "store"
_PIECE = 65536
_SHARE = 0.3
"""Of the calls of the store, and of PostgreSQL's answers, so many are spoilt."""


class Fault(StrEnum):
    """What may happen to a call."""

    NONE = "passed"
    LATE = "late"
    VERY_LATE = "later than anybody waits"
    RESET = "reset before it came there"
    UNTOLD = "reset before its answer came back"
    CUT = "its answer cut short"
    ERROR = "answered with 500"
    SLOW_DOWN = "answered with 503"


_STORE = {
    Fault.LATE: 6,
    Fault.VERY_LATE: 1,
    Fault.RESET: 4,
    Fault.UNTOLD: 4,
    Fault.CUT: 4,
    Fault.ERROR: 6,
    Fault.SLOW_DOWN: 6,
}
_POSTGRES = {Fault.LATE: 20, Fault.VERY_LATE: 1, Fault.RESET: 3, Fault.UNTOLD: 3, Fault.CUT: 3}
_LATE = {Fault.LATE: (0.05, 1.5), Fault.VERY_LATE: (12.0, 15.0)}


@dataclass
class Weather:
    """Before which engines it is bad, and what it did."""

    seed: int
    bad_for: set[str] = field(default_factory=set)
    counts: Counter[tuple[str, Fault]] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)

    @contextmanager
    def bad(self, *whom: str) -> Iterator[None]:
        """Have bad weather before these engines for as long as the context lasts."""
        self.bad_for = set(whom)
        try:
            yield
        finally:
            self.bad_for.clear()

    def recovered(self, seconds: float) -> None:
        """Note how long it took after the weather was good again."""
        self.recoveries.append(seconds)

    def drawn(self, who: str, faults: dict[Fault, int], dice: random.Random) -> Fault:
        """Draw what happens to a call."""
        if who not in self.bad_for:
            return Fault.NONE
        fault = Fault.NONE
        if dice.random() < _SHARE:
            (fault,) = dice.choices(list(faults), list(faults.values()))
        self.counts[who, fault] += 1
        return fault

    def told(self) -> dict[str, str]:
        """Tell it for people."""
        told = {f"{who}: {fault}": f"{n:,}" for (who, fault), n in sorted(self.counts.items())}
        told["longest recovery"] = f"{max(self.recoveries, default=0.0):.1f} s"
        return told


@asynccontextmanager
async def stormy(plant: Plant, seed: int) -> AsyncIterator[Weather]:
    """Put the proxies before a plant's engines, before the plant runs."""
    weather = Weather(seed)
    database = make_url(plant.engines.database_url)
    sockets = str(database.query["host"])
    store = urlsplit(plant.engines.s3_endpoint_url)
    postgres = _Postgres(weather, f"{sockets}/.s.PGSQL.5432")
    calls = _Store(weather, str(store.hostname), store.port or 80)
    async with _served(postgres) as postgres_port, _served(calls) as store_port:
        way = database.set(host="127.0.0.1", port=postgres_port, query={"sslmode": "disable"})
        plant.reach_by(
            database_url=way.render_as_string(hide_password=False),
            endpoint_url=f"http://127.0.0.1:{store_port}",
        )
        yield weather


class _Proxy:
    """Takes connections, each to its end."""

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
    """Before PostgreSQL: bytes come and go, and each piece that comes back may be spoilt."""

    def __init__(self, weather: Weather, path: str) -> None:
        super().__init__()
        self._weather = weather
        self._path = path
        self._dice = random.Random(f"{weather.seed}/PostgreSQL")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_unix_connection(self._path)
        sending = asyncio.create_task(_poured(reader, forth))
        answering = asyncio.create_task(self._answered(back, writer))
        try:
            await asyncio.wait({sending, answering}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, answering):
                task.cancel()
            await asyncio.gather(sending, answering, return_exceptions=True)
            forth.transport.abort()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(_PIECE):
            fault = self._weather.drawn(POSTGRES, _POSTGRES, self._dice)
            if fault in _LATE:
                await asyncio.sleep(self._dice.uniform(*_LATE[fault]))
            if fault in {Fault.RESET, Fault.UNTOLD}:
                return
            if fault is Fault.CUT:
                writer.write(piece[: len(piece) // 2])
                await writer.drain()
                return
            writer.write(piece)
            await writer.drain()


class _Store(_Proxy):
    """Before the store: one call after the other, each over a connection of its own."""

    def __init__(self, weather: Weather, host: str, port: int) -> None:
        super().__init__()
        self._weather = weather
        self._where = (host, port)
        self._dice = random.Random(f"{weather.seed}/store")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        fault = self._weather.drawn(STORE, _STORE, self._dice)
        lines = head[:-4].split(b"\r\n")
        body = await reader.readexactly(_length(lines))
        if fault in _LATE:
            await asyncio.sleep(self._dice.uniform(*_LATE[fault]))
        if fault is Fault.RESET:
            return
        if fault in {Fault.ERROR, Fault.SLOW_DOWN}:
            writer.write(_refusal(fault))
        else:
            answer = await self._asked(lines, body)
            if fault is Fault.UNTOLD:
                return
            writer.write(answer[: len(answer) // 2] if fault is Fault.CUT else answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def _asked(self, lines: list[bytes], body: bytes) -> bytes:
        """Ask the store, which ends its answer by closing the connection."""
        kept = [line for line in lines if not line.lower().startswith(b"connection:")]
        reader, writer = await asyncio.open_connection(*self._where)
        try:
            writer.write(b"\r\n".join([*kept, b"Connection: close", b"", b""]) + body)
            await writer.drain()
            return await reader.read()
        finally:
            writer.transport.abort()


def _length(lines: list[bytes]) -> int:
    for line in lines:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _refusal(fault: Fault) -> bytes:
    status, code = (
        (b"500 Internal Server Error", b"InternalError")
        if fault is Fault.ERROR
        else (b"503 Slow Down", b"SlowDown")
    )
    body = b"<Error><Code>" + code + b"</Code><Message>as drawn</Message></Error>"
    length = b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
    return b"HTTP/1.1 " + status + b"\r\nContent-Type: application/xml\r\n" + length + body


async def _poured(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()


@asynccontextmanager
async def _served(proxy: _Proxy) -> AsyncIterator[int]:
    """Serve on a port of loopback until the context ends; gives the port."""
    server = await asyncio.start_server(proxy, "127.0.0.1", 0, backlog=256)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(proxy.open):
            task.cancel()
        await asyncio.gather(*proxy.open, return_exceptions=True)
