"""The messages between the server and the template, which forks decoders."""

import msgspec

from safelight.darkroom.protocol import Allowance, ProtocolError


class Ended(msgspec.Struct, forbid_unknown_fields=True):
    """A message of the template: decoder `ended`, with its exit status or minus its signal.

    `status` is None if it could not be forked.
    """

    ended: int
    status: int | None


def decode_ended(message: bytes) -> Ended:
    """Decode a later message of the template. Raises ProtocolError."""
    try:
        return msgspec.json.decode(message, type=Ended)
    except msgspec.MsgspecError as error:
        raise ProtocolError from error


def encode_fork(
    number: int, *, threads: bool, background: bool, allowance: Allowance | None
) -> bytes:
    """Encode the request to fork a decoder, which may start threads or not.

    It gets the attached end of a socket pair, a low priority in the `background`, and an allowance
    if it is for a large photo.
    """
    return msgspec.json.encode(
        {"fork": number, "threads": threads, "background": background, "allowance": allowance}
    )


def encode_kill(number: int) -> bytes:
    """Encode the request to kill a decoder that was forked by this number."""
    return msgspec.json.encode({"kill": number})
