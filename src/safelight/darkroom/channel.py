"""Read the messages of decoders and of their template."""

import asyncio
import socket
from typing import Final

from safelight.darkroom import protocol

_START_SECONDS: Final = 9.0
"""Less than the ten seconds within which an upload has to be answered."""


class DecoderStartFailed(Exception):
    """A decoder can't be started. No photo is to blame."""


async def receive_ready(channel: socket.socket) -> protocol.Ready:
    """Wait for the first message of a process. Raises DecoderStartFailed."""
    try:
        async with asyncio.timeout(_START_SECONDS):
            message = await asyncio.get_running_loop().sock_recv(channel, protocol.MAX_ANSWER_BYTES)
        ready = protocol.decode_ready(message)
    except (TimeoutError, OSError, protocol.ProtocolError) as error:
        raise DecoderStartFailed("it did not come up") from error
    if not ready.ready:
        raise DecoderStartFailed(ready.reason)
    return ready


def receive_message(channel: socket.socket) -> bytes | None:
    """Read one message: None if there is none yet, empty if the other end has hung up."""
    try:
        return channel.recv(protocol.MAX_ANSWER_BYTES)
    except BlockingIOError:
        return None
    except OSError:
        return b""
