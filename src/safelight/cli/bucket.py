"""``safelight bucket``: configure a bucket, print its IAM policy, rotate the embedded keys."""

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App

from safelight.cli.options import option
from safelight.errors import SettingsError
from safelight.terminal import print_note, print_result
from safelight.token_file import data_directory

if TYPE_CHECKING:
    from safelight.settings import Settings
    from safelight.storage import BucketConfig, SetupStep

app = App(name="bucket", help="Configure the bucket, or rotate the embedded store's keys.")

_IF_UNSUPPORTED: Final = {
    "CORS": "the gallery can't upload straight to this store",
    "Lifecycle": "only Safelight deletes abandoned uploads",
    "Public access": "check that no bucket policy makes it public",
}
"""Per step, the consequence if the store doesn't support it."""


@app.command
def setup(
    *,
    dry_run: Annotated[bool, option("Print the changes without making them.")] = False,
    print_policy: Annotated[bool, option("Print the service's minimum IAM policy.")] = False,
) -> None:
    """Configure a bucket's CORS, lifecycle rules and public-access block.

    The bucket is the one at SAFELIGHT_S3__ENDPOINT_URL; its other rules stay.
    `serve` configures the embedded store when it starts.

    Example: safelight bucket setup --print-policy
    """
    from safelight import iam
    from safelight.settings.environment import read_settings

    settings = read_settings()
    if print_policy:
        s3 = settings.s3
        print_result(iam.to_json(iam.service_policy(s3.bucket, region=s3.region)))
    else:
        configure(settings, dry_run=dry_run)


@app.command(name="rotate")
def rotate_keys() -> None:
    """Replace the embedded photo store's keys. All links stop working.

    Stop the server first. It uses the new keys when it starts again.

    Example: safelight bucket rotate
    """
    if os.environ.get("SAFELIGHT_S3__ENDPOINT_URL"):
        raise SettingsError(
            "The photo store is the one at SAFELIGHT_S3__ENDPOINT_URL: create new keys there, and"
            " delete the old ones. docs/credentials.md explains how."
        )
    from safelight.engines import EmbeddedEngines

    EmbeddedEngines(data_directory(os.environ), bucket="safelight").rotate_keys()
    print_result(
        "The photo store has new keys. Existing links stop working when 'safelight serve' starts."
    )


def configure(settings: "Settings", *, dry_run: bool) -> None:
    """Configure the bucket and print each step. Raises SettingsError if the store refuses one."""
    if settings.s3.endpoint_url is None:
        print_result("'safelight serve' configures the embedded photo store when it starts.")
        print_note("To configure your own store, set SAFELIGHT_S3__ENDPOINT_URL.")
        return
    import asyncio

    from safelight.server.lan import lan_addresses
    from safelight.storage import BucketConfig, SetupOutcome, page_origins

    config = BucketConfig.from_settings(settings.s3, endpoint_url=settings.s3.endpoint_url)
    hosts = (*settings.allowed_hosts, *lan_addresses(settings))
    origins = page_origins(settings.model_copy(update={"allowed_hosts": hosts}))
    created, steps = asyncio.run(_configure(settings, config, origins, dry_run=dry_run))
    for step in steps:
        print_result(_format_step(step, origins))
    if refused := [step for step in steps if step.outcome is SetupOutcome.REFUSED]:
        titles = ", ".join(step.title for step in refused)
        raise SettingsError(f"The store refused {titles}: {_advice(refused, config)}")
    changes = {SetupOutcome.DONE, SetupOutcome.PLANNED}
    if not created and not changes & {step.outcome for step in steps}:
        print_result("Nothing to change.")


async def _configure(
    settings: "Settings", config: "BucketConfig", origins: tuple[str, ...], *, dry_run: bool
) -> tuple[bool, "list[SetupStep]"]:
    """Return whether the bucket was created, and the outcome of each step."""
    from safelight.signing.credentials import make_credential_provider
    from safelight.storage import (
        bucket_exists,
        configure_bucket,
        ensure_bucket,
        find_outdated_store,
    )

    async with make_credential_provider(settings.s3, lambda: datetime.now(UTC)) as provider:
        credentials = provider.current()
    created = not (dry_run or await bucket_exists(config, credentials)) and await ensure_bucket(
        config, credentials
    )
    if created:
        print_result(f"Bucket: created {config.bucket}")
    if warning := await find_outdated_store(config, credentials):
        print_note(warning)
    return created, await configure_bucket(config, credentials, origins=origins, dry_run=dry_run)


def _format_step(step: "SetupStep", origins: tuple[str, ...]) -> str:
    from safelight.storage import SetupOutcome

    line = f"{step.title}: {step.outcome}"
    if step.outcome is SetupOutcome.UNSUPPORTED:
        return f"{line} ({step.code}); {_IF_UNSUPPORTED[step.title]}"
    if step.outcome is SetupOutcome.REFUSED:
        return f"{line} ({step.code})"
    return f"{line}, for pages of {', '.join(origins)}" if step.title == "CORS" else line


def _advice(refused: "list[SetupStep]", config: "BucketConfig") -> str:
    if any(step.code == "AccessDenied" for step in refused):
        return (
            f"use keys that may configure the bucket {config.bucket!r}"
            " (docs/credentials.md has their policy)."
        )
    return f"look up {refused[0].code} in the store's documentation, or configure the bucket there."
