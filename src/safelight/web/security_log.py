"""Log security events, in one line each that programs such as fail2ban can parse.

A line contains the event, the client's address and the request's id, and for some events an id or a
count. None of these can contain text that a client chose, so no client can forge a line.
"""

import logging
from enum import StrEnum

from starlette.requests import HTTPConnection

from safelight.web.http.proxies import client_address

_log = logging.getLogger("safelight.security")


class SecurityEvent(StrEnum):
    """What happened. The names are public, since filters contain them."""

    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    SIGN_IN_FAILED = "sign_in_failed"
    BEARER_REJECTED = "token_rejected"
    THROTTLED = "throttled"
    SESSION_REVOKED = "session_revoked"
    PHOTO_DELETED = "photo_deleted"
    PHOTO_TRASHED = "photo_trashed"
    TRASH_EMPTIED = "trash_emptied"
    LINKS_REVOKED = "links_revoked"
    RECONCILE_APPLIED = "reconcile_applied"


_WARNINGS = frozenset(
    {SecurityEvent.SIGN_IN_FAILED, SecurityEvent.BEARER_REJECTED, SecurityEvent.THROTTLED}
)


def deletion_event(*, permanent: bool) -> SecurityEvent:
    """Return the event of a photo that was deleted for good, or moved to the trash."""
    return SecurityEvent.PHOTO_DELETED if permanent else SecurityEvent.PHOTO_TRASHED


def log_security_event(connection: HTTPConnection, event: SecurityEvent, **numbers: int) -> None:
    """Log an event of a client: at level `warning` if it was refused, otherwise at `info`."""
    facts = {"event": event.value, "address": str(client_address(connection) or "-"), **numbers}
    level = logging.WARNING if event in _WARNINGS else logging.INFO
    _log.log(level, "security", extra={"facts": facts})
