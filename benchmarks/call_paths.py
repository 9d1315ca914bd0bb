"""Count our functions behind an upload: ``python benchmarks/call_paths.py [CHECKOUT …]``.

Each checkout is a working tree with its own ``.venv`` and may be of any commit: its server runs
under a profiler, and only the HTTP API is used. Printed for a form upload and for the completion
of a direct upload: how many different functions of the package run in the server's process until
the response is there, and how often the work moves to another file (a call or a resumed coroutine
in another file than the one before). Tasks that were running before the request, such as the
supervisors of the engines, are not counted; callbacks may interleave, so the run with the fewest
moves of several counts.
"""

import argparse
import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

TOKEN = "a-token-for-the-benchmark"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
_RUNS = 7

_PROFILED = r"""
import asyncio, json, os, signal, sys, threading
import safelight

ROOT = os.path.dirname(safelight.__file__) + os.sep
OUT = sys.argv.pop(1)
functions, order, last, on = set(), [], {}, False
before, thread = set(), threading.local()
to_thread = asyncio.to_thread

async def mark_and_run(work, *args, **keywords):
    in_background = is_in_background()
    def run():
        thread.in_background = in_background
        try:
            return work(*args, **keywords)
        finally:
            thread.in_background = False
    return await to_thread(run)

asyncio.to_thread = mark_and_run

def is_in_background():
    try:
        return asyncio.current_task() in before
    except RuntimeError:  # not the event loop's thread
        return getattr(thread, "in_background", False)

def profile(frame, event, argument):
    if not on or event != "call":
        return
    code = frame.f_code
    if not code.co_filename.startswith(ROOT) or is_in_background():
        return
    functions.add(code.co_filename[len(ROOT):] + ":" + code.co_qualname)
    thread = threading.get_ident()
    if last.get(thread) != code.co_filename:
        last[thread] = code.co_filename
        order.append(code.co_filename[len(ROOT):] + ":" + code.co_qualname)

def start(*_):
    global on
    functions.clear(); order.clear(); last.clear(); before.clear()
    before.update(asyncio.all_tasks())
    on = True

def stop(*_):
    global on
    on = False
    with open(OUT + ".part", "w") as file:
        json.dump({"functions": sorted(functions), "moves": order}, file)
    os.rename(OUT + ".part", OUT)

signal.signal(signal.SIGUSR1, start)
signal.signal(signal.SIGUSR2, stop)
threading.setprofile(profile)
sys.setprofile(profile)
sys.argv[0] = "safelight"
from safelight.cli import main
main()
"""
"""SIGUSR1 starts counting in the server, SIGUSR2 stops it and writes what was counted."""


class Probe:
    """A server under the profiler; `out` is where it writes what it counted."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, out: Path) -> None:
        self._process = process
        self._out = out
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers=AUTHORIZED, timeout=60
        )

    def wait(self) -> None:
        """Return once the server is ready."""
        end = time.monotonic() + 60
        while time.monotonic() < end and self._process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                if self.client.get("/readyz").status_code == 200:
                    return
            time.sleep(0.2)
        raise SystemExit("The server does not answer.")

    def count(self, request: Callable[[httpx.Client], httpx.Response]) -> dict[str, list[str]]:
        """Make a request, and return what the server counted while it did the work for it."""
        self._signal(signal.SIGUSR1)
        request(self.client).raise_for_status()
        self._signal(signal.SIGUSR2)
        end = time.monotonic() + 10
        while not self._out.exists() and time.monotonic() < end:
            time.sleep(0.01)
        counted: dict[str, list[str]] = json.loads(self._out.read_text())
        self._out.unlink()
        return counted

    def _signal(self, number: int) -> None:
        os.kill(self._process.pid, number)
        time.sleep(0.02)  # the handler runs before the server's next step


@contextlib.contextmanager
def profiled(checkout: Path) -> Iterator[Probe]:
    """Start the checkout's server under the profiler, on its own engines."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="safelight-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        out = Path(folder, "counted.json")
        environment = {
            **{name: value for name, value in os.environ.items() if "SAFELIGHT" not in name},
            "SAFELIGHT_DATA_DIR": f"{folder}/data",
            "SAFELIGHT_PORT": str(port),
            "SAFELIGHT_TOKEN": TOKEN,
        }
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(
                [checkout / ".venv/bin/python", "-c", _PROFILED, out, "serve", "--no-worker"],
                cwd=folder,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        probe = Probe(process, port, out)
        try:
            probe.wait()
            yield probe
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def photo(number: int) -> bytes:
    """Make a JPEG of noise, about 1 MB, that is like no other."""
    noise = Image.effect_noise((1600, 1200), 64)
    picture = Image.merge("RGB", [noise, noise.rotate(180), Image.new("L", noise.size, number)])
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def form_upload(client: httpx.Client, data: bytes) -> httpx.Response:
    return client.post("/api/photos", files={"photo": ("a.jpg", data, "image/jpeg")})


def send_directly(client: httpx.Client, data: bytes) -> str:
    """Reserve a direct upload and send its bytes; returns its id."""
    reserved: dict[str, Any] = (
        client.post(
            "/api/uploads",
            json={"filename": "a.jpg", "content_type": "image/jpeg", "size": len(data)},
        )
        .raise_for_status()
        .json()
    )
    httpx.put(reserved["url"], headers=reserved["headers"], content=data).raise_for_status()
    return str(reserved["id"])


def measure(checkout: Path) -> dict[str, dict[str, list[str]]]:
    """Count both paths; of several runs, the one with the fewest moves."""
    with profiled(checkout) as probe:
        forms, completions = [], []
        for number in range(_RUNS):
            data = photo(2 * number)
            forms.append(probe.count(lambda client, data=data: form_upload(client, data)))  # type: ignore[misc]
            id_ = send_directly(probe.client, photo(2 * number + 1))
            path = f"/api/uploads/{id_}/complete"
            completions.append(probe.count(lambda client, path=path: client.post(path)))  # type: ignore[misc]
    return {
        "form upload": min(forms, key=lambda counted: len(counted["moves"])),
        "direct completion": min(completions, key=lambda counted: len(counted["moves"])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("checkout", nargs="*", type=Path, default=[Path(__file__).parents[1]])
    parser.add_argument("--list", action="store_true", help="print the functions, too")
    arguments = parser.parse_args()
    first: dict[str, tuple[int, int]] = {}
    for checkout in arguments.checkout:
        print(checkout.resolve())
        for path, counted in measure(checkout.resolve()).items():
            functions, moves = len(counted["functions"]), len(counted["moves"])
            before = first.setdefault(path, (functions, moves))
            ratios = f"{functions / before[0]:.0%} and {moves / before[1]:.0%} of the first"
            print(f"  {path:18} {functions:4} functions {moves:4} moves   {ratios}")
            if arguments.list:
                print(*(f"    {function}" for function in counted["functions"]), sep="\n")
                print("    moves:", *(f"      {move}" for move in counted["moves"]), sep="\n")


if __name__ == "__main__":
    main()
