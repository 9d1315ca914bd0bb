"""An S3 server on loopback for buckets in memory: it answers links and presigned uploads.

It checks signatures, signed headers, lengths, checksums and expiry as a real store does, and
answers nothing that isn't presigned.
"""

import re
import threading
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import md5, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import compare_digest, token_hex
from typing import Any, Final, NamedTuple, Self, get_args
from urllib.parse import parse_qsl, unquote, urlsplit

import obstore

from safelight.signing.sigv4 import Method, presign
from safelight.storage import UnfinishedUpload
from safelight.testing.bucket import CREDENTIALS, MemoryObjects

_part_numbers = re.compile(rb"<PartNumber>\s*(\d+)\s*</PartNumber>").findall
_SIGNED_PARAMETERS: Final = "X-Amz-"
_CORS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, PUT, POST, DELETE",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Expose-Headers": "*",
}


class _Answer(NamedTuple):
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """A request; `host` is its Host header, and the names of `headers` are lower-case."""

    method: str
    host: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass
class MemoryStoreServer:
    """The server, and its buckets by name. It listens from `start` to `close`."""

    buckets: dict[str, MemoryObjects] = field(default_factory=dict)
    url: str = ""
    _server: ThreadingHTTPServer | None = None
    _thread: threading.Thread | None = None

    def start(self) -> Self:
        """Listen on a free port of 127.0.0.1."""
        answers = {f"do_{method}": _Handler.answer for method in get_args(Method)}
        members = {"store": self, "do_OPTIONS": _Handler.allow, **answers}
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), members))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop listening."""
        if self._server and self._thread:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def answer(self, request: _Request) -> _Answer:
        """Check a request, and answer it."""
        objects = self.buckets.get(request.bucket)
        if objects is None:
            return _error(404, "NoSuchBucket")
        refusal = _check_signature(request, objects.clock())
        return _error(403, refusal) if refusal else _Bucket(objects).answer(request)


class _Bucket:
    def __init__(self, objects: MemoryObjects) -> None:
        self._objects = objects

    def answer(self, request: _Request) -> _Answer:
        if "uploadId" in request.query:
            return self._answer_multipart(request, request.query["uploadId"])
        if request.method == "POST" and "uploads" in request.query:
            return self._start(request)
        if request.method == "PUT":
            return self._put(request)
        if request.method in {"GET", "HEAD"}:
            return self._get(request)
        return _error(405, "MethodNotAllowed")

    def _put(self, request: _Request) -> _Answer:
        wanted = request.headers.get("x-amz-checksum-sha256")
        if wanted and b64encode(sha256(request.body).digest()).decode() != wanted:
            return _error(400, "BadDigest")
        self._store(request.key, request.body, request.headers.get("content-type", ""))
        return _Answer(200, headers={"ETag": _etag(request.body)})

    def _get(self, request: _Request) -> _Answer:
        try:
            found = obstore.get(self._objects.store, request.key)
        except FileNotFoundError:
            return _error(404, "NoSuchKey")
        body = bytes(found.bytes())
        stored = {str(name): str(value) for name, value in found.attributes.items()}
        headers = {n: v for n, v in stored.items() if n in {"Content-Type", "Cache-Control"}}
        for name in ("Content-Disposition", "Content-Type"):
            if value := request.query.get(f"response-{name.lower()}"):
                headers[name] = value
        return _Answer(200, body, {**headers, "ETag": _etag(body)})

    def _start(self, request: _Request) -> _Answer:
        upload = UnfinishedUpload(
            key=request.key, s3_upload_id=token_hex(16), started_at=self._objects.clock()
        )
        self._objects.unfinished.append(upload)
        self._objects.parts[upload.s3_upload_id] = {}
        self._objects.content_types[upload.s3_upload_id] = request.headers.get("content-type", "")
        return _xml(f"<UploadId>{upload.s3_upload_id}</UploadId>", "InitiateMultipartUploadResult")

    def _answer_multipart(self, request: _Request, upload_id: str) -> _Answer:
        parts = self._objects.parts.get(upload_id)
        if parts is None:
            return _error(404, "NoSuchUpload")
        if request.method == "PUT":
            parts[int(request.query["partNumber"])] = request.body
            return _Answer(200, headers={"ETag": _etag(request.body)})
        if request.method == "GET":
            return _xml(
                "".join(map(_part_xml, *zip(*sorted(parts.items()), strict=True))) if parts else "",
                "ListPartsResult",
            )
        if request.method == "POST":
            numbers = [int(number) for number in _part_numbers(request.body)]
            if not numbers or not parts.keys() >= set(numbers):
                return _error(400, "InvalidPart")
            body = b"".join(parts[number] for number in numbers)
            self._store(request.key, body, self._objects.content_types.pop(upload_id, ""))
        self._objects.discard(request.key, upload_id)
        if request.method == "DELETE":
            return _Answer(204)
        return _xml(f"<Key>{request.key}</Key>", "CompleteMultipartUploadResult")

    def _store(self, key: str, body: bytes, content_type: str) -> None:
        attributes: Any = {"Content-Type": content_type} if content_type else None
        obstore.put(self._objects.store, key, body, attributes=attributes, use_multipart=False)


def _check_signature(request: _Request, now: datetime) -> str | None:
    """Return why a request is refused, None if its signature is valid."""
    query = request.query
    if "X-Amz-Signature" not in query or request.method not in get_args(Method):
        return "AccessDenied"
    try:
        date = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        lifetime = timedelta(seconds=int(query["X-Amz-Expires"]))
        names = set(query["X-Amz-SignedHeaders"].split(";")) - {"host"}
        signed = presign(
            CREDENTIALS.current,
            endpoint=f"http://{request.host}",
            bucket=request.bucket,
            key=request.key,
            expires_in=lifetime,
            date=date,
            method=request.method,  # type: ignore[arg-type]  # it is one of them
            signed_headers={name: request.headers[name] for name in names},
            query={n: v for n, v in query.items() if not n.startswith(_SIGNED_PARAMETERS)},
        )
    except (ValueError, KeyError):
        return "SignatureDoesNotMatch"
    if not compare_digest(signed.rpartition("=")[2], query["X-Amz-Signature"]):
        return "SignatureDoesNotMatch"
    return None if date <= now + timedelta(minutes=15) and now < date + lifetime else "AccessDenied"


def _etag(body: bytes) -> str:
    return f'"{md5(body, usedforsecurity=False).hexdigest()}"'


def _part_xml(number: int, body: bytes) -> str:
    return (
        f"<Part><PartNumber>{number}</PartNumber><ETag>{_etag(body)}</ETag>"
        f"<Size>{len(body)}</Size></Part>"
    )


def _xml(content: str, root: str) -> _Answer:
    body = f'<?xml version="1.0" encoding="UTF-8"?><{root}>{content}</{root}>'.encode()
    return _Answer(200, body, {"Content-Type": "application/xml"})


def _error(status: int, code: str) -> _Answer:
    return _xml(f"<Code>{code}</Code>", "Error")._replace(status=status)


class _Handler(BaseHTTPRequestHandler):
    store: MemoryStoreServer

    def answer(self) -> None:
        """Answer a request."""
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        parts = urlsplit(self.path)
        bucket, _, key = unquote(parts.path).removeprefix("/").partition("/")
        self._send(
            self.store.answer(
                _Request(
                    method=self.command,
                    host=self.headers["Host"] or "",
                    bucket=bucket,
                    key=key,
                    query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=body,
                )
            )
        )

    def allow(self) -> None:
        """Answer a CORS preflight."""
        self._send(_Answer(204))

    def _send(self, answer: _Answer) -> None:
        self.send_response_only(answer.status)
        headers = {"Content-Length": str(len(answer.body)), **_CORS, **answer.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Ignore clients that disconnect."""
