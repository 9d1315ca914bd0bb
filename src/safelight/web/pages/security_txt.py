"""The contact for reports of vulnerabilities: `/.well-known/security.txt` (RFC 9116)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from fastapi import APIRouter, Response

from safelight.settings import Settings

PATH: Final = "/.well-known/security.txt"

_LIFETIME: Final = timedelta(days=180)
"""RFC 9116 recommends less than a year. The file is made for each request, so it never expires."""


def security_txt_router(settings: Settings, now: Callable[[], datetime]) -> APIRouter:
    """Make the router of security.txt, which is empty without a contact."""
    router = APIRouter(include_in_schema=False)
    contact = settings.security_contact
    if contact is None:
        return router

    @router.get(PATH, response_class=Response)
    async def security_txt() -> Response:
        expires = (now().astimezone(UTC) + _LIFETIME).date()
        lines = [f"Contact: {contact}", f"Expires: {expires}T00:00:00Z"]
        if settings.public_url:
            lines.append(f"Canonical: {settings.public_url}{PATH}")
        return Response("\n".join(lines) + "\n", media_type="text/plain")

    return router
