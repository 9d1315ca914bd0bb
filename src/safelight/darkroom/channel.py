"""Wait for a decoder, or for the template of decoders, to start."""

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
