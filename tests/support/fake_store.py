"""An S3 store in memory that a test can make misbehave in any way, over real HTTP."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import ClassVar, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from safelight.signing.credentials import StaticCredentials
from safelight.signing.sigv4 import Credentials, presign
from safelight.storage import BucketConfig

BUCKET = "pictures"
KEYS = Credentials(access_key="AKIDEXAMPLE", secret_key="a-secret")
CREDENTIALS = StaticCredentials(KEYS)
_LONG_AGO = "2020-01-01T00:00:00.000Z"


class StoreAnswer(NamedTuple):
    """A response of the store."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012  never changed


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """A request to the store; `key` is empty for the bucket itself."""

    method: str
    key: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    path: str

    @property
    def is_presigned(self) -> bool:
        return "X-Amz-Signature" in self.query

    @property
    def is_signed(self) -> bool:
        return self.is_presigned or "authorization" in self.headers


Hook = Callable[[StoreRequest], StoreAnswer | None]


def store_error(
    status: int, code: str, message: str = "", more: str = "", **headers: str
) -> StoreAnswer:
    """Return an S3 error document."""
    body = f"<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>".encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return StoreAnswer(status, body, names)


@dataclass
class FakeStore:
    """The objects, the requests so far, and hooks that answer instead of the store."""

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, str] = field(default_factory=dict)
    """Unfinished multipart uploads: keys by id."""
    requests: list[StoreRequest] = field(default_factory=list)
    hooks: list[Hook] = field(default_factory=list)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    has_bucket: bool = True
    other_keys: list[Credentials] = field(default_factory=list)
    """Keys that presigned requests may have, besides KEYS."""
    lock: Lock = field(default_factory=Lock)

    @property
    def config(self) -> BucketConfig:
        return BucketConfig(endpoint_url=self.url, bucket=BUCKET, region="us-east-1")

    def count(self, method: str, *, query: str = "") -> int:
        """Return the number of requests with a method, and with a parameter if given."""
        return sum(
            each.method == method and (not query or query in each.query) for each in self.requests
        )

    def answer(self, request: StoreRequest) -> StoreAnswer:
        self.requests.append(request)
        for hook in self.hooks:  # without the lock, since they may wait
            if answer := hook(request):
                return answer
        with self.lock:
            return self._refuse(request) or self._act(request)

    def _refuse(self, request: StoreRequest) -> StoreAnswer | None:
        if not request.is_signed:
            return store_error(403, "AccessDenied", "Access Denied.")
        if request.is_presigned and not self._is_valid(request):
            return store_error(403, "SignatureDoesNotMatch", "The signature does not match.")
        if not self.has_bucket and not (request.method == "PUT" and not request.key):
            return store_error(404, "NoSuchBucket", "The specified bucket does not exist")
        return None

    def _is_valid(self, request: StoreRequest) -> bool:
        query = request.query
        access_key = query["X-Amz-Credential"].partition("/")[0]
        keys = next((each for each in self.other_keys if each.access_key == access_key), KEYS)
        signed = presign(
            keys,
            endpoint=self.url,
            bucket=BUCKET,
            key=request.key or None,
            expires_in=timedelta(seconds=int(query["X-Amz-Expires"])),
            date=datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC),
            method=request.method,  # type: ignore[arg-type]  # one of S3's
        )
        return signed.endswith(f"&X-Amz-Signature={query['X-Amz-Signature']}")

    def _act(self, request: StoreRequest) -> StoreAnswer:  # noqa: C901, PLR0911  a call each
        key, query = request.key, request.query
        if request.method == "POST" and "delete" in query:
            return self._delete_many(request.body)
        if request.method == "GET" and "uploads" in query:
            return self._list_uploads(query.get("prefix", ""))
        if not key and request.method == "PUT":
            self.has_bucket = True
            return StoreAnswer(200)
        if not key:
            return self._list(query)
        if request.method == "PUT":
            if key in self.objects and request.headers.get("if-none-match"):
                return store_error(412, "PreconditionFailed")
            self.objects[key] = request.body
            return StoreAnswer(200, headers={"ETag": '"e"'})
        if request.method == "DELETE":
            if "uploadId" in query:
                self.uploads.pop(query["uploadId"], None)
            else:
                self.objects.pop(key, None)
            return StoreAnswer(204)
        if f"{key}/" in self.objects and request.method == "HEAD":
            return StoreAnswer(200)  # as in JuiceFS, where it is the folder
        if key not in self.objects:
            return store_error(404, "NoSuchKey")
        return self._read(key, request.headers.get("range", ""))

    def _read(self, key: str, wanted: str) -> StoreAnswer:
        headers = {"ETag": '"e"', "Last-Modified": "Sun, 22 Nov 2026 15:00:00 GMT"}
        content = self.objects[key]
        if not wanted:
            return StoreAnswer(200, content, headers)
        first, last = map(int, wanted.removeprefix("bytes=").split("-"))
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        return StoreAnswer(206, content[first : last + 1], headers)

    def _list(self, query: dict[str, str]) -> StoreAnswer:
        prefix = query.get("prefix", "")
        after = max(query.get("start-after", ""), query.get("continuation-token", ""))
        # As in JuiceFS, a list also begins with the folder after which it should begin, and one
        # below a folder doesn't have that folder.
        folder = f"{after.rpartition('/')[0]}/"
        found = [
            key
            for key in sorted(self.objects)
            if key.startswith(prefix) and key != prefix and (key > after or key == folder)
        ]
        keys = found[: int(query.get("max-keys", "1000"))]
        rows = [
            f"<Contents><Key>{key}</Key><Size>{len(self.objects[key])}</Size><ETag>e</ETag>"
            f"<LastModified>{_LONG_AGO}</LastModified></Contents>"
            for key in keys
        ]
        more = "<IsTruncated>false</IsTruncated>"
        if len(keys) < len(found):
            token = f"<NextContinuationToken>{keys[-1]}</NextContinuationToken>"
            more = f"<IsTruncated>true</IsTruncated>{token}"
        return StoreAnswer(
            200,
            f"<ListBucketResult><Name>{BUCKET}</Name><KeyCount>{len(rows)}</KeyCount>"
            f"{more}{''.join(rows)}</ListBucketResult>".encode(),
        )

    def _list_uploads(self, prefix: str) -> StoreAnswer:
        rows = [
            f"<Upload><Key>{key}</Key><UploadId>{upload_id}</UploadId>"
            f"<Initiated>{_LONG_AGO}</Initiated></Upload>"
            for upload_id, key in self.uploads.items()
            if key.startswith(prefix)
        ]
        body = f"<ListMultipartUploadsResult>{''.join(rows)}</ListMultipartUploadsResult>"
        return StoreAnswer(200, body.encode())

    def _delete_many(self, body: bytes) -> StoreAnswer:
        keys = [part.partition("</Key>")[0] for part in body.decode().split("<Key>")[1:]]
        for key in keys:
            self.objects.pop(key, None)
        rows = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
        return StoreAnswer(200, f"<DeleteResult>{rows}</DeleteResult>".encode())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: ClassVar[FakeStore]

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        parts = urlsplit(self.path)
        answer = self.store.answer(
            StoreRequest(
                method=self.command,
                key=unquote(parts.path).removeprefix(f"/{BUCKET}").removeprefix("/"),
                query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=body,
                path=self.path,
            )
        )
        self.send_response_only(answer.status)
        headers = {"Date": format_datetime(self.store.clock(), usegmt=True)} | answer.headers
        for name, value in {"Content-Length": str(len(answer.body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_OPTIONS = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Ignore clients that refuse the certificate or disconnect."""


@contextmanager
def run_fake_store(*hooks: Hook, tls: ssl.SSLContext | None = None) -> Iterator[FakeStore]:
    """Run a store on loopback; each hook may answer a request instead of it."""
    store = FakeStore(hooks=list(hooks))
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"store": store}))
    if tls:
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    store.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)
