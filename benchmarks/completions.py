"""Measure the completion of large direct uploads: ``python benchmarks/completions.py``.

Photos of 40 MB each are sent to the bucket, and then completed all at once. It prints how much the
web process's memory grows meanwhile, and the 95th percentile of a page's time, compared with that
of an idle server.
"""

import argparse
import http.client
import io
import statistics
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import httpx
from PIL import Image

import catalogs
from stage import AUTHORIZED, PAGE, Database, MiB, Server, Stage, pss_of, stage

_SIDE = 6_000
_QUALITY = 95
_INTERVAL = 0.05


class MemoryMonitor:
    """Records the peak memory of a process during the context."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self.rss = self.pss = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(0.02):
            self.rss = max(self.rss, self._server.rss())
            self.pss = max(self.pss, pss_of(self._server.pid))


class Reader:
    """Requests a page at a steady pace during the context, and records the times."""

    def __init__(self, server: Server) -> None:
        self._port = server.port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self.seconds: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.seconds, n=20)[-1]

    def _read(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        while not self._stop.wait(_INTERVAL):
            started_at = time.perf_counter()
            connection.request("GET", PAGE, headers=AUTHORIZED)
            answer = connection.getresponse()
            answer.read()
            self.seconds.append(time.perf_counter() - started_at)
            assert answer.status == 200


def _make_photo() -> bytes:
    """Make a JPEG of coloured noise, which compresses worst."""
    channels = [Image.effect_noise((_SIDE, _SIDE), 64) for _ in range(3)]
    stream = io.BytesIO()
    Image.merge("RGB", channels).save(stream, "JPEG", quality=_QUALITY)
    print(f"a JPEG of {_SIDE} x {_SIDE} pixels and {len(stream.getvalue()) / 1e6:.1f} MB")
    return stream.getvalue()


def _with_comment(data: bytes, number: int) -> bytes:
    """Make the bytes differ, by a comment (T.81, B.2.4.5) after the SOI marker."""
    return data[:2] + struct.pack(">HHQ", 0xFFFE, 10, number) + data[2:]


def _send(client: httpx.Client, data: bytes) -> dict[str, Any]:
    """Send a photo directly to the bucket, in parts."""
    body = {"filename": "large.jpg", "content_type": "image/jpeg", "size": len(data)}
    answer = client.post("/api/uploads", json=body)
    answer.raise_for_status()
    upload: dict[str, Any] = answer.json()

    def step(operation: str, content: bytes | None = None, **more: str | int) -> httpx.Response:
        signed = client.post(
            f"/api/uploads/{upload['id']}/sign", json={"operation": operation, **more}
        )
        request = signed.raise_for_status().json()
        return httpx.request(
            request["method"],
            request["url"],
            headers=request["headers"],
            content=content,
            timeout=60,
        ).raise_for_status()

    created = step("create").text
    upload_id = created.partition("<UploadId>")[2].partition("</UploadId>")[0]
    tags = []
    for number in range(1, upload["parts"] + 1):
        part = data[(number - 1) * upload["part_size"] : number * upload["part_size"]]
        tags.append(step("part", part, part_number=number, upload_id=upload_id).headers["ETag"])
    listed = "".join(
        f"<Part><PartNumber>{n}</PartNumber><ETag>{tag}</ETag></Part>"
        for n, tag in enumerate(tags, 1)
    )
    manifest = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>"
    step("complete", manifest.encode(), upload_id=upload_id)
    return upload


def _measure(on: Stage, count: int) -> None:
    server = on.ours(_make_database(on))
    data = _make_photo()
    with httpx.Client(
        base_url=f"http://127.0.0.1:{server.port}", headers=AUTHORIZED, timeout=600
    ) as client:
        cpu = server.cpu()
        sent = [_send(client, _with_comment(data, number)) for number in range(count)]
        cpu = server.cpu() - cpu
        print(f"sent {count}: {cpu / count * 1000:.0f} ms of the web process's CPU per upload")
        with Reader(server) as idle:
            time.sleep(20)
        before, rss = pss_of(server.pid), server.rss()
        started_at = time.perf_counter()
        with (
            MemoryMonitor(server) as peak,
            Reader(server) as busy,
            ThreadPoolExecutor(count) as pool,
        ):
            answers = list(
                pool.map(lambda upload: client.post(f"/api/uploads/{upload['id']}/complete"), sent)
            )
        took = time.perf_counter() - started_at
    statuses = sorted({answer.status_code for answer in answers})
    print(f"completed {count} at once in {took:.1f} s: {statuses}")
    for name, grown in (("PSS", peak.pss - before), ("RSS", peak.rss - rss)):
        per_upload = grown / MiB / count
        print(
            f"web process: {name} grows by {grown / MiB:.0f} MiB,"
            f" {per_upload:.1f} per upload (target: 16)"
        )
    print(
        f"p95 of {PAGE}: {idle.p95 * 1000:.1f} ms idle, {busy.p95 * 1000:.1f} ms meanwhile,"
        f" {busy.p95 / idle.p95:.2f} times (target: under 3)"
    )


def _make_database(on: Stage) -> Database:
    """Create a database with a page of photos."""
    database = on.database("completions")
    server = on.ours(database)
    server.stop()
    catalogs.fill(database.url, 100, renditions=4, tutorials=False)
    return database


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=20, help="completions at once")
    arguments = parser.parse_args()
    with stage() as on:
        _measure(on, arguments.count)


if __name__ == "__main__":
    main()
