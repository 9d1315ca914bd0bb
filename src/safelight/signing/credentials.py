"""Credential providers: keys from the settings, or else from the AWS credential chain."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Protocol

from safelight.settings import S3Settings
from safelight.settings.validators import reveal
from safelight.signing import aws_chain
from safelight.signing.refresh import RefreshingCredentials
from safelight.signing.sigv4 import Credentials


class CredentialProvider(Protocol):
    """A source of credentials that may change over time."""

    @property
    def current(self) -> Credentials:
        """The current credentials; from any thread, without waiting."""

    async def refresh(self, refused: Credentials) -> bool:
        """Fetch newer credentials after a refusal, and return whether there are any."""


@asynccontextmanager
async def make_credential_provider(
    s3: S3Settings, clock: Callable[[], datetime], *, authorities: str | None = None
) -> AsyncIterator[CredentialProvider]:
    """Yield the settings' keys, or those of the AWS chain, refreshed while the context lasts.

    Certificate `authorities` (PEM) are trusted besides the usual ones. Raises SettingsError if
    neither has keys.
    """
    if s3.access_key and s3.secret_key:
        token = s3.session_token
        yield StaticCredentials(
            Credentials(
                access_key=s3.access_key,
                secret_key=reveal(s3.secret_key),
                session_token=reveal(token) if token else None,
            )
        )
        return
    fetch = partial(aws_chain.fetch_credentials, region=s3.region, authorities=authorities)
    refreshing = RefreshingCredentials(await asyncio.to_thread(fetch), fetch, clock=clock)
    async with refreshing.run():
        yield refreshing


class StaticCredentials:
    """Keys that never change: those of the settings, or of the embedded store."""

    def __init__(self, credentials: Credentials) -> None:
        self.current = credentials

    async def refresh(self, _refused: Credentials) -> bool:
        """Return False: there are no newer keys."""
        return False


def signing_credentials(s3: S3Settings, credentials: CredentialProvider) -> CredentialProvider:
    """Return the keys for signing alone if there are any, otherwise the service's keys."""
    if s3.signing_access_key is None or s3.signing_secret_key is None:
        return credentials
    return StaticCredentials(
        Credentials(
            access_key=s3.signing_access_key,
            secret_key=reveal(s3.signing_secret_key),
        )
    )
