"""One decoder: confine itself, then answer requests until the server closes the connection.

Its first message is ``{"ready": …}``. Then each request, which may come with two file descriptors,
gets ``{"taken": true}`` before the photo is read, so that an earlier death is not blamed on the
photo, and then its answer.
"""

import gc
import json
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from safelight import errors
from safelight.darkroom.child import confinement, seccomp
from safelight.imaging.limits import DecodeLimits

Message = dict[str, Any]
Handler = Callable[[Message, Sequence[int]], Message]

_REQUEST_BYTES: Final = 4096
_REASON_CHARACTERS: Final = 500
_DESCRIPTORS: Final = 2


def run(
    channel: socket.socket,
    limits: DecodeLimits,
    more_handlers: Mapping[str, Handler],
    *,
    root: int | None,
    threads: bool,
) -> None:
    """Drop all rights, then serve requests.

    `root` is an open directory that becomes the root. `threads` may be started if requested.
    """
    try:
        # What threads don't share comes before libvips, which starts all of its threads at once.
        confinement.prefer_in_memory_shortage()
        confinement.forbid_new_privileges()
        confinement.restrict_by_landlock()
        handlers = _load_handlers(limits) | dict(more_handlers)
        gc.freeze()  # What has just been loaded stays, and takes long to go through.
        confinement.limit_resources(limits.address_space)
        if root is not None:
            confinement.enter_empty_root(root)
        gaps = [] if confinement.drop_privileges() else ["it runs as root"]
        if not seccomp.install_filter(threads=threads):
            gaps.append("system calls can't be filtered")
    except Exception as error:  # noqa: BLE001, whatever it is, the server logs it
        reason = f"{type(error).__name__}: {error}"
        send(channel, {"ready": False, "reason": reason[:_REASON_CHARACTERS]})
        return
    send(channel, {"ready": True, "pid": os.getpid(), "gaps": gaps})
    _serve(channel, handlers)


def _load_handlers(limits: DecodeLimits) -> dict[str, Handler]:
    """Import what initializes libvips, which starts its threads."""
    from safelight.darkroom.child.handlers import Handlers

    handlers = Handlers(limits)
    return {"check": handlers.check, "inspect": handlers.inspect, "render": handlers.render}


def _serve(channel: socket.socket, handlers: Mapping[str, Handler]) -> None:
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, _REQUEST_BYTES, _DESCRIPTORS)
        if not message:
            os._exit(0)  # The server has closed the connection. Nothing needs cleaning up.
        request = json.loads(message)
        send(channel, {"taken": True})
        send(channel, _answer(handlers[request["operation"]], request, descriptors))
        gc.collect()  # The memory maps of photos that an error's traceback still refers to.
        for descriptor in descriptors:
            os.close(descriptor)


def _answer(handler: Handler, request: Message, descriptors: Sequence[int]) -> Message:
    try:
        return handler(request, descriptors)
    except errors.Invalid as refusal:
        return {"refusal": {"code": refusal.code, "message": str(refusal)}}
    except Exception:  # noqa: BLE001, a defect of ours that one photo exposes refuses that photo only
        return {"refusal": {"code": errors.CorruptImage.code, "message": errors.CorruptImage.text}}


def send(channel: socket.socket, message: Message) -> None:
    """Send one message."""
    channel.send(json.dumps(message).encode())
