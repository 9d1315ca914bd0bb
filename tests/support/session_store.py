"""A bucket that accepts session credentials, which the embedded store doesn't support.

botocore's signers check the signatures, and the issuer's clock decides whether credentials and
links have expired. Only the calls that Safelight makes are supported.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, parse_qsl, urlsplit
from xml.etree import ElementTree as ET

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from support.aws import Issued, Issuer, serve

BUCKET = "safelight"


class Refusal(Exception):
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status


@dataclass
class SessionStore:
    """The objects, the access keys of all requests, and the refused requests."""

    issuer: Issuer
    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    access_keys: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    bucket_exists: bool = True
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def session_store(issuer: Issuer) -> Iterator[SessionStore]:
    store = SessionStore(issuer)
    with serve(type("Handler", (_Handler,), {"store": store})) as url:
        store.url = url
        yield store


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: SessionStore

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        try:
            self._check(body)
            status, answer = self._act(body)
        except Refusal as error:
            self.store.refused.append(f"{self.command} {error}")
            status, answer = error.status, f"<Error><Code>{error}</Code></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("ETag", '"e"')
        self.send_header("Last-Modified", "Sun, 22 Nov 2026 15:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_HEAD = _answer  # noqa: N815  the names are http.server's
    do_PUT = do_POST = do_DELETE = _answer  # noqa: N815

    def _check(self, body: bytes) -> None:
        query = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        if "X-Amz-Signature" in query:
            self._check_link(query)
        else:
            self._check_call(body)

    def _check_link(self, query: dict[str, str]) -> None:
        issued = self._issued(query["X-Amz-Credential"], query.get("X-Amz-Security-Token"))
        begin = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        life = timedelta(seconds=int(query["X-Amz-Expires"]))
        if not begin <= self.store.issuer.clock() < begin + life:
            raise Refusal(403, "AccessDenied")
        url, _, signature = self.path.partition("&X-Amz-Signature=")
        names = query["X-Amz-SignedHeaders"].split(";")
        self._verify(S3SigV4QueryAuth, issued, url, names, query["X-Amz-Date"], signature)

    def _check_call(self, body: bytes) -> None:
        kind, _, rest = self.headers.get("Authorization", "").partition(" ")
        if kind != "AWS4-HMAC-SHA256":
            raise Refusal(403, "AccessDenied")
        fields = dict(part.strip().split("=", 1) for part in rest.split(","))
        issued = self._issued(fields["Credential"], self.headers["x-amz-security-token"])
        names = fields["SignedHeaders"].split(";")
        date, signature = self.headers["x-amz-date"], fields["Signature"]
        self._verify(S3SigV4Auth, issued, self.path, names, date, signature)
        if self.headers["x-amz-content-sha256"] not in {
            sha256(body).hexdigest(),
            "UNSIGNED-PAYLOAD",
        }:
            raise Refusal(400, "XAmzContentSHA256Mismatch")
        self.store.access_keys.append(issued.access_key)

    def _issued(self, credential: str, token: str | None) -> Issued:
        issued = self.store.issuer.known.get(credential.partition("/")[0])
        if issued is None:
            raise Refusal(403, "InvalidAccessKeyId")
        if token != issued.token:
            raise Refusal(400, "InvalidToken")
        if self.store.issuer.clock() >= issued.end:
            raise Refusal(400, "ExpiredToken")
        return issued

    def _verify(  # noqa: PLR0917  what a signature is made of
        self,
        kind: type[SigV4Auth],
        issued: Issued,
        url: str,
        names: list[str],
        date: str,
        signature: str,
    ) -> None:
        keys = ReadOnlyCredentials(issued.access_key, issued.secret_key, issued.token)
        auth = kind(keys, "s3", "us-east-1")
        request = AWSRequest(
            method=self.command,
            url=f"http://{self.headers['Host']}{url}",
            headers={name: self.headers[name] for name in names},
        )
        request.context["timestamp"] = date
        text = auth.string_to_sign(request, auth.canonical_request(request))
        if auth.signature(text, request) != signature:
            raise Refusal(403, "SignatureDoesNotMatch")

    def _act(self, body: bytes) -> tuple[int, bytes]:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        key = parts.path.removeprefix(f"/{BUCKET}").removeprefix("/")
        objects = self.store.objects
        with self.store.lock:
            if self.command == "PUT" and not key:
                self.store.bucket_exists = True
                return 200, b""
            if not self.store.bucket_exists:
                raise Refusal(404, "NoSuchBucket")
            if self.command == "PUT" and key in objects and self.headers["If-None-Match"]:
                raise Refusal(412, "PreconditionFailed")
            if self.command == "PUT":
                objects[key] = body
                return 200, b""
            if "delete" in query:
                return 200, self._delete(body)
            if "list-type" in query:
                return 200, _listing([k for k in objects if k.startswith(query["prefix"][0])])
            if self.command == "DELETE":
                objects.pop(key, None)
                return 204, b""
            if key in objects:
                return 200, objects[key]
        raise Refusal(404, "NoSuchKey")

    def _delete(self, body: bytes) -> bytes:
        named = [each.text or "" for each in ET.fromstring(body).iter() if each.tag.endswith("Key")]
        for key in named:
            self.store.objects.pop(key, None)
        rows = [f"<Deleted><Key>{key}</Key></Deleted>" for key in named]
        return f"<DeleteResult>{''.join(rows)}</DeleteResult>".encode()


def _listing(keys: list[str]) -> bytes:
    rows = [
        f"<Contents><Key>{key}</Key><Size>1</Size><ETag>e</ETag>"
        "<LastModified>2026-11-22T15:00:00.000Z</LastModified></Contents>"
        for key in keys
    ]
    return (
        f"<ListBucketResult><Name>{BUCKET}</Name><KeyCount>{len(keys)}</KeyCount>"
        f"<IsTruncated>false</IsTruncated>{''.join(rows)}</ListBucketResult>"
    ).encode()
