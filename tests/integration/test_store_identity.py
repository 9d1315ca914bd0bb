"""The service sends requests only to a server with the certificate of its store."""

import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from safelight.engines.seaweedfs import ports
from safelight.engines.seaweedfs.certificates import HTTPS, make_certificates
from safelight.engines.seaweedfs.listeners import is_held_by
from safelight.errors import EngineError, StorageUnavailable
from safelight.signing.credentials import StaticCredentials
from safelight.signing.sigv4 import Credentials
from safelight.storage import Bucket, BucketConfig, s3_api

CREDENTIALS = StaticCredentials(Credentials(access_key="AKID", secret_key="secret"))
TIMEOUT, REFUSED = timedelta(seconds=60), timedelta(seconds=0.5)


@dataclass
class Server:
    """A server that answers every request with 200."""

    url: str
    requests: list[str] = field(default_factory=list)


@contextmanager
def serve(context: ssl.SSLContext | None) -> Iterator[Server]:
    """Serve HTTP on loopback, by TLS if there is a context."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            server.requests.append(self.requestline)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("ETag", '"0"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            self.close_connection = True

        def log_request(self, *_: object) -> None:
            """Print nothing."""

    http = HTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        http.socket = context.wrap_socket(http.socket, server_side=True)
    server = Server(f"{'https' if context else 'http'}://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the certificates of one authority."""
    return _write(tmp_path_factory.mktemp("authority"))


def _write(folder: Path) -> Path:
    for name, pem in make_certificates(["filer"], now=datetime.now(UTC)).items():
        (folder / name).write_bytes(pem)
    return folder


def _context(folder: Path, role: str = HTTPS) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{role}.crt", folder / f"{role}.key")
    return context


def _config(url: str, authority: Path) -> BucketConfig:
    return BucketConfig(
        endpoint_url=url,
        bucket="safelight",
        region="us-east-1",
        ca_certificate=(authority / "ca.crt").read_text(),
    )


async def _use(config: BucketConfig) -> None:
    """Send one request by each of the two clients."""
    await Bucket(config, CREDENTIALS, timeout=TIMEOUT).put("photos/x", b"x", content_type="a/b")
    async with s3_api.BucketAPI(config, CREDENTIALS, timeout=TIMEOUT) as api:
        await api.request("PUT", {"cors": ""}, body=b"<x/>")


async def test_store_with_its_certificate_is_used_without_the_proxy_of_the_environment(
    authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with serve(_context(authority)) as store:
        await _use(_config(store.url, authority))
    assert len(store.requests) == 2


async def test_local_store_without_tls_is_used_without_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with serve(None) as store:
        await _use(BucketConfig(endpoint_url=store.url, bucket="safelight", region="us-east-1"))
    assert len(store.requests) == 2


@pytest.mark.parametrize("kind", ["other authority", "role of another component", "no TLS"])
async def test_other_server_receives_no_request(
    authority: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(s3_api, "_RETRY_PAUSES", ())
    contexts = {
        "other authority": _context(_write(tmp_path)),
        "role of another component": _context(authority, "filer"),
    }
    with serve(contexts.get(kind)) as impostor:
        config = _config(impostor.url.replace("http:", "https:"), authority)
        with pytest.raises(StorageUnavailable):
            await Bucket(config, CREDENTIALS, timeout=REFUSED).put(
                "photos/x", b"x", content_type="a/b"
            )
        async with s3_api.BucketAPI(config, CREDENTIALS, timeout=REFUSED) as api:
            with pytest.raises(StorageUnavailable):
                await api.request("PUT", {"cors": ""})
    assert impostor.requests == []


async def test_plain_url_is_refused_if_an_authority_is_configured(authority: Path) -> None:
    with serve(None) as impostor:
        bucket = Bucket(_config(impostor.url, authority), CREDENTIALS, timeout=REFUSED)
        with pytest.raises(StorageUnavailable):
            await bucket.put("photos/x", b"x", content_type="a/b")
    assert impostor.requests == []


async def test_no_request_is_sent_while_the_store_is_not_running(authority: Path) -> None:
    with serve(_context(authority)) as store:
        bucket = Bucket(
            _config(store.url, authority), CREDENTIALS, timeout=TIMEOUT, is_running=lambda: False
        )
        with pytest.raises(StorageUnavailable):
            await bucket.put("photos/x", b"x", content_type="a/b")
    assert store.requests == []


def test_certificates_pass_strict_verification(authority: Path) -> None:
    """Python 3.13 verifies strictly by default."""
    context = ssl.create_default_context(cafile=authority / "ca.crt")
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with serve(_context(authority)) as store:
        address = ("127.0.0.1", int(store.url.rpartition(":")[2]))
        with (
            socket.create_connection(address) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            assert connection.version() == "TLSv1.3"


def test_holder_of_a_port_is_recognised() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert is_held_by(os.getpid(), port)
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
            assert not is_held_by(other.pid, port)
            other.communicate(b"\n")
    assert not is_held_by(os.getpid(), port)


def test_listener_on_every_address_is_recognised() -> None:
    with socket.create_server(("", 0)) as listener:
        assert is_held_by(os.getpid(), listener.getsockname()[1])
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        assert is_held_by(os.getpid(), listener.getsockname()[1])


def test_listener_on_another_address_does_not_count() -> None:
    with socket.create_server(("127.0.0.2", 0)) as listener:
        assert not is_held_by(os.getpid(), listener.getsockname()[1])


def test_required_ports_are_never_replaced(tmp_path: Path) -> None:
    note = tmp_path / "ports.json"
    first = ports.load_or_choose(note)
    again = ports.load_or_choose(note, failed=first, required=("s3", "s3_tls"))
    assert (again.s3, again.s3_tls) == (first.s3, first.s3_tls)
    assert again.filer != first.filer
    with socket.create_server(("127.0.0.1", first.s3_tls)):
        with pytest.raises(EngineError, match=f"Port {first.s3_tls} .* in use by process"):
            ports.load_or_choose(note, required=("s3", "s3_tls"))
        assert ports.load_or_choose(note).s3_tls != first.s3_tls
