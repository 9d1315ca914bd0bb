"""The template's program: load all that a decoder needs, and fork one for each request.

The server runs ``python -I -m safelight.darkroom.child LIMITS`` with one end of a socket pair as
its standard input. Messages are JSON, one in each packet. The template's first is
``{"ready": …}``. The server sends ``{"fork": number, "threads": …, "background": …, "allowance":
…}``, with one end of another socket pair for the decoder, and ``{"kill": number}``. The template
sends ``{"ended": number, "status": …}`` for each decoder.

The template never reads a photo, and starts no thread, since a fork copies only one: libvips is
loaded, but each decoder initializes it, which starts its threads (`decoder`).
"""

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from safelight.darkroom.child import confinement, decoder
from safelight.darkroom.child.decoder import Handler, Message, send
from safelight.darkroom.child.priority import set_priority
from safelight.imaging.limits import DecodeLimits

_CHANNEL: Final = 0
_REQUEST_BYTES: Final = 4096
_REASON_CHARACTERS: Final = 500

_MODULES: Final = (
    *("_libvips", "cffi", "logging", "atexit", "array", "struct", "_strptime"),
    *("base64", "math", "mmap", "resource", "zlib", "encodings.utf_16_be", "encodings.latin_1"),
    *("safelight.errors", "safelight.models"),
    *("safelight.imaging.formats", "safelight.imaging.limits", "safelight.imaging.metadata"),
    *("safelight.imaging.xmp", "safelight.imaging.exif"),
    *("safelight.imaging.location", "safelight.imaging.browsers"),
    "safelight.dates",
    "safelight.imaging.cost",
    *("safelight.imaging.thumbhash", "safelight.imaging.headers.gif"),
    *("safelight.imaging.colour.description", "safelight.imaging.headers.colour"),
    *("safelight.imaging.headers.heif", "safelight.imaging.headers.isobmff"),
    *("safelight.imaging.heif.primary", "safelight.imaging.heif.sequence"),
    *("safelight.imaging.headers.animation", "safelight.imaging.headers.other_formats"),
    *("safelight.imaging.headers.jpeg", "safelight.imaging.headers.png"),
    *("safelight.imaging.headers.webp",),
    *("pillow_heif", "PIL.Image", "PIL.ExifTags", "PIL.TiffImagePlugin"),
)
"""What decoders import, apart from what initializes libvips. Some may not be installed."""


def main(more_handlers: Mapping[str, Handler] | None = None) -> None:
    """Load the libraries, then fork decoders until the server closes the connection.

    `more_handlers` are for the program that the tests run instead.
    """
    channel = socket.socket(fileno=_CHANNEL)
    try:
        confinement.die_with_parent(os.getppid())
        limits = DecodeLimits(**json.loads(sys.argv[1]))
        for name in _MODULES:
            _load(name)
        _require_one_thread()
    except Exception as error:  # noqa: BLE001, whatever it is, the server logs it
        reason = f"{type(error).__name__}: {error}"
        send(channel, {"ready": False, "reason": reason[:_REASON_CHARACTERS]})
        return
    gc.collect()
    gc.freeze()  # A collection writes to every object, and so would copy their pages.
    send(channel, {"ready": True})
    _Template(channel, limits, more_handlers or {}).serve()


class _Template:
    """Forks decoders, and reports when they end. `_numbers` has those that run, by pid."""

    def __init__(
        self, channel: socket.socket, limits: DecodeLimits, handlers: Mapping[str, Handler]
    ) -> None:
        self._channel = channel
        self._limits = limits
        self._handlers = handlers
        self._numbers: dict[int, int] = {}
        self._root = confinement.open_empty_root()
        self._wakeup, written = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._pipe = (self._wakeup, written)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(written, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Serve the server until it closes the connection."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        poll.register(self._wakeup, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if self._wakeup in ready:
                os.read(self._wakeup, _REQUEST_BYTES)
                self._reap()
            if self._channel.fileno() in ready:
                self._answer()

    def _answer(self) -> None:
        message, descriptors, _, _ = socket.recv_fds(self._channel, _REQUEST_BYTES, 1)
        if not message:
            os._exit(0)  # The server has closed the connection, and the decoders end with us.
        request = json.loads(message)
        if "fork" in request:
            self._fork(request, descriptors[0])
        for pid, number in self._numbers.items():
            if number == request.get("kill"):
                os.kill(pid, signal.SIGKILL)

    def _fork(self, request: Message, descriptor: int) -> None:
        number, template = request["fork"], os.getpid()
        try:
            pid = os.fork()
        except OSError:
            os.close(descriptor)  # The server sees it close.
            send(self._channel, {"ended": number, "status": None})
            return
        if pid == 0:
            try:
                self._become_decoder(template, descriptor, request)
            finally:
                os._exit(1)
        self._numbers[pid] = number
        os.close(descriptor)

    def _become_decoder(self, template: int, descriptor: int, request: Message) -> None:
        """Drop all that is the template's, then decode."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for end in self._pipe:
            os.close(end)
        os.dup2(descriptor, self._channel.fileno())  # This closes the template's channel.
        os.close(descriptor)
        confinement.die_with_parent(template)
        set_priority(background=request["background"])
        limits, allowance = self._limits, request["allowance"]
        if allowance:
            limits = replace(
                limits,
                address_space=allowance["space"],
                cpu_seconds=allowance["seconds"],
                is_allowance=True,
            )
        decoder.run(
            self._channel, limits, self._handlers, root=self._root, threads=request["threads"]
        )

    def _reap(self) -> None:
        """Report each decoder that has ended, with its exit status or minus its signal."""
        while self._numbers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            number = self._numbers.pop(pid)
            send(self._channel, {"ended": number, "status": os.waitstatus_to_exitcode(status)})


def _load(name: str) -> None:
    try:
        importlib.import_module(name)
    except ImportError:
        if name.startswith("safelight"):
            raise
        # A decoder can't read folders: looking for the module there would not be an ImportError.
        modules: dict[str, Any] = sys.modules
        modules[name] = None


def _require_one_thread() -> None:
    """Raise RuntimeError if a library has started a thread: a fork would leave it out."""
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise RuntimeError(f"a library has started threads ({threads - 1})")


if __name__ == "__main__":
    main()
