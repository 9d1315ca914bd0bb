"""The bucket, told what Safelight wants of it, and what Safelight wants to be allowed on it."""

import asyncio
from datetime import UTC, datetime

from safelight import permissions
from safelight.cli.lan import addresses
from safelight.cli.terminal import complain, say
from safelight.credentials import source_of
from safelight.errors import SettingsError
from safelight.settings import Settings
from safelight.sigv4 import Credentials
from safelight.storage import Access, Outcome, Step, ensure_bucket, is_there, page_origins, set_up

_WITHOUT = {
    "CORS": "pages can't send photos to this store by themselves",
    "Lifecycle": "uploads that are given up are cleared by Safelight alone",
    "Public access": "see to it that no policy of the bucket lets strangers in",
}
"""What follows if the store doesn't know a step."""


def print_policy(settings: Settings) -> None:
    """Print the least that the service's keys must be allowed."""
    s3 = settings.s3
    say(permissions.written(permissions.service_policy(s3.bucket, region=s3.region)))


def setup(settings: Settings, *, dry_run: bool) -> None:
    """Set the bucket up and tell of each step. Raises SettingsError if one is refused."""
    if settings.s3.endpoint_url is None:
        say("The embedded photo store is set up by 'safelight serve', at each start.")
        complain("For a store of your own, set SAFELIGHT_S3__ENDPOINT_URL.")
        return
    access = Access.from_settings(settings.s3, endpoint_url=settings.s3.endpoint_url)
    reached = (*settings.allowed_hosts, *addresses(settings))
    origins = page_origins(settings.model_copy(update={"allowed_hosts": reached}))
    credentials = asyncio.run(_credentials(settings))
    made = not (dry_run or is_there(access, credentials)) and ensure_bucket(access, credentials)
    if made:
        say(f"Bucket: made {access.bucket}")
    steps = set_up(access, credentials, origins=origins, dry_run=dry_run)
    for step in steps:
        say(_told(step, origins))
    _conclude(steps, access, made=made)


async def _credentials(settings: Settings) -> Credentials:
    async with source_of(settings.s3, lambda: datetime.now(UTC)) as source:
        return source.current()


def _told(step: Step, origins: tuple[str, ...]) -> str:
    line = f"{step.title}: {step.outcome}"
    if step.outcome is Outcome.UNKNOWN:
        return f"{line} ({step.code}); {_WITHOUT[step.title]}"
    if step.outcome is Outcome.REFUSED:
        return f"{line} ({step.code})"
    return f"{line}, for pages of {', '.join(origins)}" if step.title == "CORS" else line


def _conclude(steps: list[Step], access: Access, *, made: bool) -> None:
    if refused := [step for step in steps if step.outcome is Outcome.REFUSED]:
        titles = ", ".join(step.title for step in refused)
        raise SettingsError(f"The store refuses {titles}: {_advice(refused, access)}")
    if not made and not {step.outcome for step in steps} & {Outcome.DONE, Outcome.WANTED}:
        say("Nothing had to be changed.")


def _advice(refused: list[Step], access: Access) -> str:
    if any(step.code == "AccessDenied" for step in refused):
        return (
            f"run this with keys that may set up the bucket {access.bucket!r}"
            " (docs/credentials.md has their policy)."
        )
    return f"look up {refused[0].code} in its documentation, or set the bucket up by its own means."
