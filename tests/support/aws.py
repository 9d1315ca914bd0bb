"""Fake AWS credential sources on loopback: metadata service, container agent, STS, SSO portal.

Every response contains credentials of an `Issuer`, which a `SessionStore` accepts.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs
from uuid import uuid4

CONTAINER_SECRET = "Bearer of-the-container"
METADATA_TOKEN = "a-metadata-token"
WEB_IDENTITY = "a.web.identity"
SSO_TOKEN = "an-sso-access-token"


class Clock:
    """A clock that moves only when a test moves it."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True, slots=True)
class Issued:
    access_key: str
    secret_key: str
    token: str | None
    end: datetime


@dataclass
class Issuer:
    """Issues session credentials that live for `life`.

    Like the metadata service, `current` returns the same ones until they expire in less than
    `replaced_before`; `new` always returns other ones.
    """

    clock: Callable[[], datetime]
    life: timedelta = timedelta(hours=1)
    replaced_before: timedelta = timedelta(minutes=45)
    away: bool = False
    known: dict[str, Issued] = field(default_factory=dict)
    _latest: Issued | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def new(self) -> Issued:
        made = Issued(
            f"ASIA{uuid4().hex[:16].upper()}",
            uuid4().hex,
            f"token/+ =~{uuid4().hex}",
            self.clock() + self.life,
        )
        self.known[made.access_key] = self._latest = made
        return made

    def current(self) -> Issued:
        with self._lock:
            latest = self._latest
            if latest is None or latest.end - self.clock() <= self.replaced_before:
                return self.new()
            return latest

    def revoke(self) -> None:
        """Refuse all credentials issued so far."""
        with self._lock:
            self.known.clear()
            self._latest = None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    issuer: Issuer
    requests: list[str]

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_PUT(self) -> None:
        self._respond("/latest/api/token" in self.path, METADATA_TOKEN)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/latest/meta-data/iam/security-credentials/"):
            allowed = self.headers["x-aws-ec2-metadata-token"] == METADATA_TOKEN
            role = path.rpartition("/")[2]
            self._respond(allowed, self._document() if role and allowed else "a-role")
        elif path == "/container":
            allowed = self.headers["Authorization"] == CONTAINER_SECRET
            self._respond(allowed, self._document() if allowed else "")
        else:
            allowed = self.headers["x-amz-sso_bearer_token"] == SSO_TOKEN
            self._respond(allowed, self._portal() if allowed else "{}", status=401)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        action = parse_qs(body)["Action"][0]
        allowed = action == "AssumeRole" or parse_qs(body)["WebIdentityToken"] == [WEB_IDENTITY]
        self._respond(allowed, self._sts(action) if allowed else _REFUSED, status=400)

    def _document(self) -> str:
        made = self.issuer.current()
        return json.dumps(
            {
                "Code": "Success",
                "AccessKeyId": made.access_key,
                "SecretAccessKey": made.secret_key,
                "Token": made.token,
                "Expiration": f"{made.end:%Y-%m-%dT%H:%M:%SZ}",
            }
        )

    def _portal(self) -> str:
        made = self.issuer.new()
        answer = {
            "accessKeyId": made.access_key,
            "secretAccessKey": made.secret_key,
            "sessionToken": made.token,
            "expiration": int(made.end.timestamp() * 1000),
        }
        return json.dumps({"roleCredentials": answer})

    def _sts(self, action: str) -> str:
        made = self.issuer.new()
        return (
            f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>'
            f"<Credentials><AccessKeyId>{made.access_key}</AccessKeyId>"
            f"<SecretAccessKey>{made.secret_key}</SecretAccessKey>"
            f"<SessionToken>{made.token}</SessionToken>"
            f"<Expiration>{made.end:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>"
            f"</{action}Result></{action}Response>"
        )

    def _respond(self, allowed: object, text: str, *, status: int = 403) -> None:
        self.requests.append(f"{self.command} {self.path}")
        body = text.encode()
        self.send_response(500 if self.issuer.away else 200 if allowed else status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


_REFUSED = (
    '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>'
    "<Code>InvalidIdentityToken</Code><Message>no</Message></Error></ErrorResponse>"
)


@dataclass(frozen=True, slots=True)
class Services:
    """The services' address, and the requests that they received."""

    url: str
    issuer: Issuer
    requests: list[str]


@contextmanager
def services(issuer: Issuer) -> Iterator[Services]:
    requests: list[str] = []
    handler = type("Handler", (_Handler,), {"issuer": issuer, "requests": requests})
    with serve(handler) as url:
        yield Services(url, issuer, requests)


@contextmanager
def serve(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve on loopback, each request on its own thread, and yield the URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)
