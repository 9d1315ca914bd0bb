"""Stores that lack what we ask of one: a real store, behind what refuses as those stores do."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from safelight import keys
from safelight.credentials import Fixed
from safelight.engines import EmbeddedEngines
from safelight.errors import StorageUnavailable
from safelight.settings import S3Settings
from safelight.sigv4 import Credentials
from safelight.storage import Access, Storage

LACKING = {"if-none-match": 501, "x-amz-checksum-sha256": 400}
"""Headers, and how Backblaze B2 answers to them."""


class Lesser(ThreadingHTTPServer):
    """Passes requests on to a store, but for those that have a header it knows nothing of."""

    daemon_threads = True

    def __init__(self, store: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.store = urlsplit(store).netloc
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.lacking = dict(LACKING)


class Handler(BaseHTTPRequestHandler):
    server: Lesser
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        refusals = (status for name, status in self.server.lacking.items() if name in self.headers)
        status = next(refusals, None)
        if status:
            self._say(status, {}, b"")
            return
        store = HTTPConnection(self.server.store, timeout=10)
        store.request(self.command, self.path, body, dict(self.headers))
        said = store.getresponse()
        kept = {
            name: said.headers[name] for name in ("ETag", "Last-Modified") if said.headers[name]
        }
        size = said.headers.get("Content-Length") if self.command == "HEAD" else None
        self._say(said.status, kept, said.read(), size)
        store.close()

    def _say(
        self, status: int, headers: dict[str, str], body: bytes, size: str | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": size or str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer  # noqa: N815  the base class's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def lesser(engines: EmbeddedEngines) -> Iterator[Lesser]:
    server = Lesser(engines.s3_endpoint_url)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _storage(lesser: Lesser, engines: EmbeddedEngines, **settings: bool) -> Storage:
    s3 = S3Settings(endpoint_url=lesser.url, bucket=engines.bucket, **settings)  # type: ignore[arg-type]  # two flags
    pair = Credentials(access_key=engines.s3_access_key, secret_key=engines.s3_secret_key)
    access = Access.from_settings(s3, endpoint_url=lesser.url)
    return Storage(access, Fixed(pair), timeout=timedelta(seconds=8))


async def test_without_both_a_store_takes_keeps_and_deletes_photos(
    lesser: Lesser, engines: EmbeddedEngines
) -> None:
    storage = _storage(lesser, engines, conditional_writes=False, checksums=False)
    name = keys.new_name()
    original = keys.original(name)
    prefix = original.rpartition("/")[0] + "/"
    await storage.put(original, b"the bytes", content_type="image/jpeg")
    await storage.put(f"{prefix}other", b"others", content_type="image/jpeg")
    assert await storage.size(original) == len(b"the bytes")
    await storage.delete_prefix(prefix)
    assert await storage.size(original) is None
    assert await storage.size(f"{prefix}other") is None


@pytest.mark.parametrize(
    "settings", [{}, {"checksums": False}, {"conditional_writes": False}], ids=str
)
async def test_a_store_that_lacks_more_than_was_said_takes_nothing(
    lesser: Lesser, engines: EmbeddedEngines, settings: dict[str, bool]
) -> None:
    storage = _storage(lesser, engines, **settings)
    key = keys.original(keys.new_name())
    with pytest.raises(StorageUnavailable):
        await storage.put(key, b"the bytes", content_type="image/jpeg")
    assert await storage.size(key) is None


def test_by_default_a_store_is_thought_to_have_both() -> None:
    access = Access.from_settings(S3Settings(), endpoint_url="http://127.0.0.1:1")
    assert access.conditional_writes
    assert access.checksums
