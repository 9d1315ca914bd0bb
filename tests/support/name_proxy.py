"""An HTTP proxy that sends every request to one server, whatever the host is called.

With it in HTTP_PROXY, names need not resolve: those of buckets, when they are part of the host.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import urlsplit

import pytest

_HOP: frozenset[str] = frozenset(
    {"connection", "proxy-connection", "transfer-encoding", "keep-alive"}
)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    target: ClassVar[str]

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        parts = urlsplit(self.path)
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        upstream = HTTPConnection(self.target, timeout=120)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        upstream.request(self.command, path, body or None, headers)
        response = upstream.getresponse()
        content = response.read()
        self.send_response_only(response.status)
        for name, value in response.getheaders():
            if name.lower() not in _HOP | {"content-length"}:
                self.send_header(name, value)
        length = response.headers.get("content-length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        upstream.close()

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_OPTIONS = _forward  # noqa: N815  the base class's names

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True


@contextmanager
def run_name_proxy(url: str) -> Iterator[None]:
    """Run a proxy to the server at `url`, which all clients of this process use meanwhile."""
    handler = type("Handler", (_Handler,), {"target": urlsplit(url).netloc})
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name in [each for each in os.environ if each.lower().endswith("_proxy")]:
                patch.delenv(name)
            patch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.server_port}")
            patch.setenv("NO_PROXY", "127.0.0.1,localhost")
            yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(120)
