"""Upload a PNG again and again, one at a time, and time each, in a separate process.

Each upload differs by a text chunk of random bytes. Reads a JSON object from standard input and
writes one to standard output: see `Uploading` and `Outcome`.
"""

import http.client
import json
import os
import sys
import time
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path

_BOUNDARY = "----a-boundary"
_END = 12
"""Bytes of the last chunk, IEND."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploading:
    """The uploads: one after the other, with a pause of `pause` seconds between them."""

    port: int
    path: str
    photo: str
    uploads: int
    pause: float = 0.05
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The number of uploads, and their times in milliseconds, from sending to the answer."""

    uploads: int
    median: float
    p95: float


def send(uploading: Uploading) -> Outcome:
    """Send all uploads."""
    png = Path(uploading.photo).read_bytes()
    connection = http.client.HTTPConnection("127.0.0.1", uploading.port, timeout=300)
    kind = f"multipart/form-data; boundary={_BOUNDARY}"
    times: list[float] = []
    for _ in range(uploading.uploads):
        body = _form(png)
        started_at = time.perf_counter()
        connection.request(
            "POST", uploading.path, body, {**uploading.headers, "Content-Type": kind}
        )
        answer = connection.getresponse()
        answer.read()
        times.append((time.perf_counter() - started_at) * 1000)
        if answer.status != http.HTTPStatus.CREATED:
            raise SystemExit(f"the server answered {answer.status}")
        time.sleep(uploading.pause)
    times.sort()
    return Outcome(
        uploads=len(times), median=times[len(times) // 2], p95=times[len(times) * 95 // 100]
    )


def _form(png: bytes) -> bytes:
    """Return the form's body: the photo with a text chunk before its end."""
    text = b"tEXtComment\0" + os.urandom(16).hex().encode()
    chunk = (len(text) - 4).to_bytes(4, "big") + text + zlib.crc32(text).to_bytes(4, "big")
    head = (
        f"--{_BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="photo"; filename="photo.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
    ).encode()
    tail = f"\r\n--{_BOUNDARY}--\r\n".encode()
    return head + png[:-_END] + chunk + png[-_END:] + tail


if __name__ == "__main__":
    print(json.dumps(asdict(send(Uploading(**json.load(sys.stdin))))))
