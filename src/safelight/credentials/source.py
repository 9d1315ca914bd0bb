"""Where credentials come from: the settings if they have any, or else the AWS chain."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Protocol

from safelight.credentials import chain
from safelight.credentials.fixed import Fixed
from safelight.credentials.renewed import Renewed
from safelight.settings import S3Settings
from safelight.sigv4 import Credentials


class Source(Protocol):
    """Who has the credentials of the moment."""

    def current(self) -> Credentials:
        """Give them; from any thread, without waiting."""

    async def renew(self, refused: Credentials) -> bool:
        """Look for others, since the store refused these; tell whether there are any."""


@asynccontextmanager
async def source_of(s3: S3Settings, clock: Callable[[], datetime]) -> AsyncIterator[Source]:
    """Take the settings' keys, or ask the AWS chain and keep asking while the context lasts.

    Raises SettingsError if neither has any.
    """
    if s3.access_key and s3.secret_key:
        token = s3.session_token
        yield Fixed(
            Credentials(
                access_key=s3.access_key,
                secret_key=s3.secret_key.get_secret_value(),
                session_token=token.get_secret_value() if token else None,
            )
        )
        return
    issue = partial(chain.issue, region=s3.region)
    renewed = Renewed(await asyncio.to_thread(issue), issue, clock=clock)
    async with renewed.running():
        yield renewed
