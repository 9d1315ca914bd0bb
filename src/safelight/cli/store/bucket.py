"""``safelight bucket``: configure a bucket, print its IAM policy, rotate the embedded keys."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from cyclopts import App

from safelight.cli.options import option
from safelight.environment import read_variable
from safelight.errors import SettingsError
from safelight.terminal import print_note, print_result
from safelight.token_file import data_directory

if TYPE_CHECKING:
    from safelight.settings import Settings
    from safelight.storage import BucketConfig, SetupStep, SetupTrial

app = App(name="bucket", help="Configure the bucket, or rotate the embedded store's keys.")


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
    if read_variable(os.environ, "SAFELIGHT_S3__ENDPOINT_URL"):
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

    config = BucketConfig.from_settings(
        settings.s3, endpoint_url=settings.s3.endpoint_url, authorities=settings.authorities
    )
    hosts = (*settings.allowed_hosts, *lan_addresses(settings))
    origins = page_origins(settings.model_copy(update={"allowed_hosts": hosts}))
    created, steps, trials = asyncio.run(_configure(settings, config, origins, dry_run=dry_run))
    for step in steps:
        print_result(_format_step(step, origins, trials.get(step.title)))
    if refused := [step for step in steps if step.outcome is SetupOutcome.REFUSED]:
        titles = ", ".join(step.title for step in refused)
        raise SettingsError(
            f"The store refused {titles}: {_advice(refused, config)} The store's response:"
            f" {refused[0].response}"
        )
    changes = {SetupOutcome.DONE, SetupOutcome.PLANNED, SetupOutcome.NOT_KEPT}
    if not created and not changes & {step.outcome for step in steps}:
        print_result("Nothing to change.")


async def _configure(
    settings: "Settings", config: "BucketConfig", origins: tuple[str, ...], *, dry_run: bool
) -> tuple[bool, "list[SetupStep]", "dict[str, SetupTrial]"]:
    """Return whether the bucket was created, each step's outcome, and how it works."""
    from safelight.signing.credentials import make_credential_provider
    from safelight.storage import (
        SetupOutcome,
        bucket_exists,
        configure_bucket,
        ensure_bucket,
        find_outdated_store,
        try_cors,
        try_privacy,
    )

    async with make_credential_provider(
        settings.s3, lambda: datetime.now(UTC), authorities=settings.authorities
    ) as provider:
        credentials = provider.current
    created = not (dry_run or await bucket_exists(config, credentials)) and await ensure_bucket(
        config, credentials
    )
    if created:
        print_result(f"Bucket: created {config.bucket}")
    if warning := await find_outdated_store(config, credentials):
        print_note(warning)
    steps = await configure_bucket(config, credentials, origins=origins, dry_run=dry_run)
    outcomes = {step.title: step.outcome for step in steps}
    trials = [await try_privacy(config, credentials)]
    if outcomes["CORS"] is not SetupOutcome.PLANNED:
        # Browsers use the public endpoint.
        public = replace(
            config, endpoint_url=settings.s3.public_endpoint_url or config.endpoint_url
        )
        is_new = outcomes["CORS"] is SetupOutcome.DONE
        trials.append(await try_cors(public, credentials, origins, is_new=is_new))
    return created, steps, {trial.title: trial for trial in trials}


def _format_step(step: "SetupStep", origins: tuple[str, ...], trial: "SetupTrial | None") -> str:
    """Return the outcome of a step, and what happened when it was tried."""
    from safelight.storage import SetupOutcome

    line = f"{step.title}: {step.outcome}"
    if step.code:
        line += f" ({step.code})"
    elif step.title == "CORS" and step.outcome is not SetupOutcome.NOT_KEPT:
        line += f", for pages of {', '.join(origins)}"
    if step.title == "Lifecycle" and step.outcome in {
        SetupOutcome.UNSUPPORTED,
        SetupOutcome.NOT_KEPT,
    }:
        return f"{line}; only Safelight deletes abandoned uploads"
    return f"{line}; {trial.text}" if trial else line


def _advice(refused: "list[SetupStep]", config: "BucketConfig") -> str:
    if any(step.code == "AccessDenied" for step in refused):
        return (
            f"use keys that may configure the bucket {config.bucket!r}"
            " (docs/credentials.md has their policy)."
        )
    return f"look up {refused[0].code} in the store's documentation, or configure the bucket there."
