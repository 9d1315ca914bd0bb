"""A fake server, for responses that a real one can't be made to give."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar


class FakeResponse:
    """A response of the fake server."""

    def __init__(self, status: int, body: object, **headers: str) -> None:
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def problem(status: int, code: str, detail: str, **headers: str) -> FakeResponse:
    return FakeResponse(status, {"code": code, "detail": detail, "status": status}, **headers)


NOT_FOUND = problem(404, "not_found", "There is no such page.")


@contextmanager
def run_fake_server(
    *answers: FakeResponse, pause: float = 0, older: bool = False
) -> Iterator["FakeServer"]:
    """Answer requests with these responses in turn; the last one repeats.

    With `older`, requests for direct uploads get a 404 and aren't recorded.
    """
    server = FakeServer(list(answers), pause, older=older)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.release()
        server.shutdown()
        thread.join()
        server.server_close()


class FakeServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answers: list[FakeResponse], pause: float, *, older: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = answers
        self.pause = pause
        self.older = older
        self.requests: list[tuple[str, str, int]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.held = threading.Event()
        """Set when a request is held."""
        self._request_to_hold: str | None = None
        self._let_through = 0
        self._lock = threading.Lock()
        self.released = threading.Event()

    def hold(self, request: str, *, after: int = 0) -> None:
        """Read requests that start so slowly, and don't answer them, after the first few."""
        self._request_to_hold = request
        self._let_through = after

    def release(self) -> None:
        self.released.set()

    def pass_or_hold(self, request: str) -> threading.Event:
        """Return an event to wait for before the request is read whole and answered."""
        passed = threading.Event()
        passed.set()
        if self._request_to_hold is None or not request.startswith(self._request_to_hold):
            return passed
        with self._lock:
            self._let_through -= 1
            if self._let_through >= 0:
                return passed
        self.held.set()
        return self.released

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore disconnected clients."""


class Handler(BaseHTTPRequestHandler):
    server: FakeServer
    protocol_version = "HTTP/1.1"
    buffer: ClassVar = bytearray(1024 * 1024)

    def answer(self) -> None:
        released = self.server.pass_or_hold(f"{self.command} {self.path}")
        left = int(self.headers.get("content-length", "0"))
        size = left
        while left > 0:
            left -= self.rfile.readinto(memoryview(self.buffer)[:left]) or left
            released.wait(0.5)
        released.wait()
        response = NOT_FOUND
        if not (self.server.older and self.path.startswith("/api/uploads")):
            self.server.requests.append((self.command, self.path, size))
            time.sleep(self.server.pause)
            answers = self.server.answers
            response = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(response.status)
        self.send_header("Content-Length", str(len(response.body)))
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body)

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815  the base class's names

    def log_message(self, *_: object) -> None:
        """Log nothing."""
