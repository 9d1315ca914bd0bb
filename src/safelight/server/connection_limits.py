"""The limit of open files (RLIMIT_NOFILE), and the limits of connections that follow from it."""

import logging
import resource
from dataclasses import dataclass
from typing import Final

from safelight.server.listeners import LOOPBACKS
from safelight.settings import Settings
from safelight.web.http.connections import ConnectionLimiter
from safelight.web.http.proxies import TrustedProxies, parse_address

_ENOUGH: Final = 65_536
"""Some programs do work for every possible descriptor, and a hard limit may be a thousand
million."""
_MAX_RELAYED: Final = 256
_MAX_RELAYED_PER_ADDRESS: Final = 64
_RELAY_MIN_IDLE: Final = 10.0
"""Seconds. A relay can't know if a request is in progress, only if bytes are moving."""
_MAX_BACKLOG: Final = 2_048

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """The limiters of the server's and the relay's connections.

    `backlog` is how many connections the kernel may hand over at once, before one can be closed.
    """

    server: ConnectionLimiter
    relay: ConnectionLimiter
    backlog: int


def make_connection_limits(settings: Settings, files: int) -> ConnectionLimits:
    """Make limiters for a limit of open files.

    Half of the files are for clients, and a quarter for the relay, whose connections take two. The
    rest is for everything else.
    """
    limits = settings.limits
    proxies = TrustedProxies(settings.trusted_proxies)

    def is_proxy(address: str) -> bool:
        return proxies.is_trusted(parse_address(address))

    total = min(limits.max_connections, files // 2)
    if total < limits.max_connections:
        _log.warning(
            "the limit of open files is %d, so at most %d connections are accepted instead of %d",
            files,
            total,
            limits.max_connections,
        )
    return ConnectionLimits(
        server=ConnectionLimiter(
            "server",
            total=total,
            per_address=limits.max_connections_per_address,
            is_proxy=is_proxy,
        ),
        relay=ConnectionLimiter(
            "photo store",
            total=min(_MAX_RELAYED, files // 8),
            per_address=_MAX_RELAYED_PER_ADDRESS,
            min_idle=_RELAY_MIN_IDLE,
            # A proxy on this machine reaches the store directly.
            is_proxy=lambda address: address not in LOOPBACKS and is_proxy(address),
        ),
        backlog=min(_MAX_BACKLOG, files // 8),
    )


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(_count(hard), _ENOUGH)
    if wanted <= _count(soft):
        return _count(soft)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def _count(limit: int) -> int:
    return _ENOUGH if limit == resource.RLIM_INFINITY else limit
