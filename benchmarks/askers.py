"""Request many paths at the same moment, each over its own connection, in a separate process.

Answers of 503 are final here: nothing is sent twice. Reads a JSON object from standard input and
writes one to standard output: see `Asking` and `Outcome`.
"""

import asyncio
import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass, field

_CONNECTING = 100
"""Connections opened at a time: a listener's backlog is short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """The requests: each of the `paths` once, all at the same moment."""

    port: int
    paths: list[str]
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The number of answers by status."""

    statuses: dict[str, int]


async def ask(asking: Asking) -> Outcome:
    """Open all connections, then send all requests."""
    connecting = asyncio.Semaphore(_CONNECTING)

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with connecting:
            return await asyncio.open_connection("127.0.0.1", asking.port)

    connections = await asyncio.gather(*(connect() for _ in asking.paths))
    lines = "".join(f"{name}: {value}\r\n" for name, value in asking.headers.items())
    for path, (_, writer) in zip(asking.paths, connections, strict=True):
        head = f"GET {path} HTTP/1.1\r\nHost: localhost:{asking.port}\r\n{lines}"
        writer.write(f"{head}Connection: close\r\n\r\n".encode())
    answers = await asyncio.gather(*(reader.read() for reader, _ in connections))
    for _, writer in connections:
        writer.close()
    statuses = Counter(answer[9:12].decode() or "none" for answer in answers)
    return Outcome(statuses=dict(statuses))


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(ask(Asking(**json.load(sys.stdin)))))))
