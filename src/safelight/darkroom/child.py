"""The program of a child: take a picture's descriptor, answer with its facts, again and again.

The server runs ``python -I -m safelight.darkroom.child LIMITS`` with one end of a socket pair as
its standard input; messages are JSON, one a packet. First comes ``{"ready": …}``. Then each
request, which may bring two file descriptors along, gets ``{"taken": true}`` before the picture is
touched, so that a death before it is not blamed on the picture, and then its answer.
"""

import contextlib
import gc
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from safelight import errors
from safelight.darkroom import confinement
from safelight.darkroom.giveway import give_way
from safelight.darkroom.samples import samples
from safelight.inspection.limits import DecodeLimits
from safelight.photo import Preset

_Message = dict[str, Any]
_Duty = Callable[[_Message, Sequence[int]], _Message]

_CHANNEL: Final = 0
_REQUEST_BYTES: Final = 4096
_REASON_CHARACTERS: Final = 500
_DESCRIPTORS: Final = 2


def main() -> None:
    """Load all that is needed, give up all that isn't, then answer until the server hangs up."""
    channel = socket.socket(fileno=_CHANNEL)
    give_way()
    try:
        limits = DecodeLimits(**json.loads(sys.argv[1]))
        duties = _duties(limits, drill="drill" in sys.argv[2:])
        _warm_up(limits)
        confinement.limit_resources(limits.address_space)
        confinement.drop_privileges()
        confined = confinement.forbid_system_calls()
    except Exception as error:  # noqa: BLE001, whatever it is, the operator has to be told
        reason = f"{type(error).__name__}: {error}"
        _send(channel, {"ready": False, "reason": reason[:_REASON_CHARACTERS]})
        return
    _send(channel, {"ready": True, "confined": confined})
    _serve(channel, duties)


def _duties(limits: DecodeLimits, *, drill: bool) -> Mapping[str, _Duty]:
    """Import the decoder here, so that its failure can be told."""
    from safelight.darkroom.duties import Inspector  # noqa: PLC0415

    inspector = Inspector(limits)
    duties: dict[str, _Duty] = {"inspect": inspector.inspect, "develop": inspector.develop}
    if drill:
        from safelight.darkroom.drill import rehearse  # noqa: PLC0415

        duties["drill"] = rehearse
    return duties


def _warm_up(limits: DecodeLimits) -> None:
    """Meet every loader once, while threads, libraries and memory can still be had."""
    from safelight.inspection import decoding  # noqa: PLC0415
    from safelight.renditions import rendering  # noqa: PLC0415

    preset = Preset(name="sample", width=1, quality=1, effort=0)
    for form, data in samples():
        with contextlib.suppress(errors.UnsupportedType):  # An extra that isn't installed.
            decoding.inspect(data, form, limits)
            list(rendering.render(decoding.open_still(data, form), [preset]))
    gc.collect()
    gc.freeze()


def _serve(channel: socket.socket, duties: Mapping[str, _Duty]) -> None:
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, _REQUEST_BYTES, _DESCRIPTORS)
        if not message:
            os._exit(0)  # The server has hung up, and there is nothing to clean up.
        request = json.loads(message)
        _send(channel, {"taken": True})
        _send(channel, _answer(duties[request["duty"]], request, descriptors))
        gc.collect()  # The maps of pictures that an error's traceback held on to.
        for descriptor in descriptors:
            os.close(descriptor)


def _answer(duty: _Duty, request: _Message, descriptors: Sequence[int]) -> _Message:
    try:
        return duty(request, descriptors)
    except errors.Invalid as refusal:
        return {"refusal": {"code": refusal.code, "message": str(refusal)}}
    except Exception:  # noqa: BLE001, an odd picture found a hole in our code: its own fault alone
        return {"refusal": {"code": errors.CorruptImage.code, "message": errors.CorruptImage.text}}


def _send(channel: socket.socket, message: _Message) -> None:
    channel.send(json.dumps(message).encode())


if __name__ == "__main__":
    main()
