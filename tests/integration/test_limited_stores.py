"""Stores that lack a feature: a real store behind a proxy that refuses it."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from safelight import keys
from safelight.engines import EmbeddedEngines
from safelight.errors import StorageUnavailable
from safelight.settings import S3Settings
from safelight.signing.credentials import StaticCredentials
from safelight.signing.sigv4 import Credentials
from safelight.storage import Bucket, BucketConfig, StoreFeatures

UNSUPPORTED = {"if-none-match": 501, "x-amz-checksum-sha256": 400}
"""Unsupported headers, and the status that Backblaze B2 answers with."""


class LimitedStore(ThreadingHTTPServer):
    """A proxy before a store that refuses requests with headers it does not support."""

    daemon_threads = True

    def __init__(self, store: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.store = urlsplit(store).netloc
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.unsupported = dict(UNSUPPORTED)
        self.refused_key = ""


class Handler(BaseHTTPRequestHandler):
    server: LimitedStore
    protocol_version = "HTTP/1.1"

    def forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        refusals = (
            status for name, status in self.server.unsupported.items() if name in self.headers
        )
        status = next(refusals, None)
        if self.server.refused_key and self.path.endswith(self.server.refused_key):
            status = 400
        if status:
            self._respond(status, {}, b"")
            return
        store = HTTPConnection(self.server.store, timeout=120)
        store.request(self.command, self.path, body, dict(self.headers))
        response = store.getresponse()
        headers = {
            name: response.headers[name]
            for name in ("ETag", "Last-Modified")
            if response.headers[name]
        }
        size = response.headers.get("Content-Length") if self.command == "HEAD" else None
        self._respond(response.status, headers, response.read(), size)
        store.close()

    def _respond(
        self, status: int, headers: dict[str, str], body: bytes, size: str | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": size or str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = forward  # noqa: N815  the base class's names

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def limited_store(engines: EmbeddedEngines) -> Iterator[LimitedStore]:
    server = LimitedStore(engines.s3_endpoint_url)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _bucket(limited_store: LimitedStore, engines: EmbeddedEngines, **settings: bool) -> Bucket:
    s3 = S3Settings(endpoint_url=limited_store.url, bucket=engines.bucket, **settings)  # type: ignore[arg-type]  # two flags
    credentials = Credentials(access_key=engines.s3_access_key, secret_key=engines.s3_secret_key)
    config = BucketConfig.from_settings(s3, endpoint_url=limited_store.url)
    return Bucket(config, StaticCredentials(credentials), timeout=timedelta(seconds=60))


async def test_store_without_both_features_works(
    limited_store: LimitedStore, engines: EmbeddedEngines
) -> None:
    bucket = _bucket(limited_store, engines, conditional_writes=False, checksums=False)
    original = keys.original(keys.new_storage_id())
    prefix = original.rpartition("/")[0] + "/"
    await bucket.put(original, b"the bytes", content_type="image/jpeg")
    await bucket.put(f"{prefix}other", b"others", content_type="image/jpeg")
    assert await bucket.size(original) == len(b"the bytes")
    await bucket.delete_prefix(prefix)
    assert await bucket.size(original) is None
    assert await bucket.size(f"{prefix}other") is None


@pytest.mark.parametrize(
    "unsupported", [UNSUPPORTED, *({name: status} for name, status in UNSUPPORTED.items())], ids=str
)
async def test_bucket_does_without_what_the_store_refuses(
    limited_store: LimitedStore,
    engines: EmbeddedEngines,
    caplog: pytest.LogCaptureFixture,
    unsupported: dict[str, int],
) -> None:
    limited_store.unsupported = dict(unsupported)
    bucket = _bucket(limited_store, engines)
    original = keys.original(keys.new_storage_id())
    prefix = original.rpartition("/")[0] + "/"
    names = [original, f"{prefix}{'a' * 16}"]
    await asyncio.gather(
        *(bucket.put(key, b"the bytes", content_type="image/jpeg") for key in names)
    )
    assert bucket.features.conditional_writes is ("if-none-match" not in unsupported)
    assert bucket.features.checksums is ("x-amz-checksum-sha256" not in unsupported)
    ours = [record for record in caplog.records if record.name.startswith("safelight.storage")]
    assert [record.levelno for record in ours] == [logging.WARNING] * len(unsupported)
    assert [await bucket.size(key) for key in names] == [9, 9]
    await bucket.delete(names)
    assert [await bucket.size(key) for key in names] == [None, None]
    assert [page async for page in bucket.list_objects("photos/-/")] == []


async def test_refusal_of_one_object_disables_nothing(
    limited_store: LimitedStore, engines: EmbeddedEngines
) -> None:
    limited_store.unsupported = {}
    limited_store.refused_key = "original"
    bucket = _bucket(limited_store, engines)
    with pytest.raises(StorageUnavailable):
        await bucket.put(
            keys.original(keys.new_storage_id()), b"the bytes", content_type="image/jpeg"
        )
    assert bucket.features == StoreFeatures()


def test_both_features_are_expected_by_default() -> None:
    config = BucketConfig.from_settings(S3Settings(), endpoint_url="http://127.0.0.1:1")
    assert config.conditional_writes
    assert config.checksums
