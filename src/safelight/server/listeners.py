"""The sockets that the service listens on.

`localhost` is two addresses, and a browser or curl may use either. If the service had only one, a
program of another user could listen on the other, and receive tokens. So it listens on both, or not
at all.
"""

import errno
import socket
from typing import Final

from safelight.errors import SettingsError
from safelight.settings import Settings

ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  compared, not bound
"""By the address that stands for all of a machine's: its loopback address."""
LOOPBACKS: Final = ("127.0.0.1", "::1")
NO_SUCH_ADDRESS: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""The errors of listening on ::1 where the machine has no IPv6."""

_BACKLOG: Final = 2048
_ATTEMPTS: Final = 20
"""With port 0: the kernel's choice for one address may be taken at the other."""


def listen(settings: Settings) -> list[socket.socket]:
    """Bind the port at every address of the service, before anything else starts.

    All sockets have the same port. Raises SettingsError, or EngineError if another server uses the
    data directory.
    """
    for _ in range(_ATTEMPTS):
        sockets: list[socket.socket] = []
        port = settings.port
        try:
            for address in listen_addresses(settings):
                if listener := _bind(address, port, required=not sockets):
                    sockets.append(listener)
                    port = listener.getsockname()[1]
        except OSError as error:
            for listener in sockets:
                listener.close()
            if settings.port == 0 and sockets and error.errno == errno.EADDRINUSE:
                continue
            _check_not_running(settings)
            where = f"[{address}]" if ":" in address else address
            # create_server appends the address once more.
            reason = str(error.strerror).partition(" (while")[0]
            raise SettingsError(
                f"Can't listen on {where}:{port} ({reason}): stop the program that uses it,"
                " or set SAFELIGHT_HOST or SAFELIGHT_PORT."
            ) from error
        return sockets
    raise SettingsError("No port is free on both 127.0.0.1 and [::1]: set SAFELIGHT_PORT.")


def listen_addresses(settings: Settings) -> list[str]:
    """List the addresses to listen at: the configured one first, and all of `localhost`."""
    host = settings.host.strip("[]")
    if host == "0.0.0.0":  # noqa: S104  compared
        return [host, "::1"]
    if host == "::":
        return [host] if socket.has_dualstack_ipv6() else [host, "127.0.0.1"]
    if host == "localhost":
        return [*LOOPBACKS]
    return [host, *(other for other in LOOPBACKS if host in LOOPBACKS and other != host)]


def _bind(address: str, port: int, *, required: bool) -> socket.socket | None:
    """Return a listening socket; None if the machine has no such address and it isn't required."""
    try:
        family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server(
            (address, port),
            family=family,
            backlog=_BACKLOG,
            dualstack_ipv6=address == "::" and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        if error.errno in NO_SUCH_ADDRESS and not required:
            return None
        raise


def _check_not_running(settings: Settings) -> None:
    """Raise EngineError if another server uses the data directory, and so probably the port."""
    if (settings.data_dir / "lock").is_file():
        from safelight.engines.lock import Lock

        lock = Lock(settings.data_dir.resolve() / "lock")
        lock.acquire()
        lock.release()
