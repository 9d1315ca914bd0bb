"""Checks of the store: as the service, a client with a link, and a browser use it."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from typing import Final
from xml.etree import ElementTree as ET

from safelight.errors import SafelightError
from safelight.keys import incoming
from safelight.server.lan import lan_addresses
from safelight.settings import Settings
from safelight.signing.credentials import CredentialProvider, signing_credentials
from safelight.signing.sigv4 import Credentials
from safelight.storage import (
    Bucket,
    BucketConfig,
    CheckOutcome,
    CheckResult,
    LinkProbe,
    SetupOutcome,
    StoreProbe,
    configure_bucket,
    page_origins,
    try_cors,
)
from safelight.storage.objects import probe_key
from safelight.storage.probe.versions import outdated_store
from safelight.storage.s3_api import APIResponse, BucketAPI

_PART: Final = b"part"


async def check_store(
    settings: Settings, config: BucketConfig, credentials: CredentialProvider
) -> AsyncIterator[CheckResult]:
    """Write, read and delete objects in every way that the service does."""
    probe = StoreProbe(config, credentials, timeout=settings.s3.timeout)
    report = await probe.run(allow_public=settings.s3.allow_public)
    for result in report.results:
        yield _named("store", result)
    if report.failure:
        return
    if warning := outdated_store(report.server):
        yield CheckResult(check="store: version", outcome=CheckOutcome.WARNING, message=warning)
    yield await _check_multipart(settings, config, credentials)
    yield await _check_bulk_delete(settings, config, credentials)


async def check_links(
    settings: Settings, config: BucketConfig, credentials: CredentialProvider
) -> AsyncIterator[CheckResult]:
    """Open links to an object as browsers do: by the address in links, with the keys that sign."""
    address = replace(config, endpoint_url=settings.s3.public_endpoint_url or config.endpoint_url)
    probe = LinkProbe(
        address,
        signing_credentials(settings.s3, credentials),
        timeout=settings.s3.timeout,
        is_public=settings.s3.public_endpoint_url is not None,
        has_own_keys=settings.s3.signing_access_key is not None,
    )
    key, body = probe_key(), secrets.token_bytes(64)
    async with BucketAPI(config, credentials, timeout=settings.s3.timeout) as api, probe:
        try:
            written = await api.request("PUT", {}, key=key, body=body, headers={})
            if not written.is_success:  # `check_store` has the reason
                return
            try:
                results = (await probe.run(key, body)).results
            finally:
                await api.request("DELETE", {}, key=key)
        except SafelightError as error:
            message = f"The store stopped answering: {error.__cause__ or error}"
            yield CheckResult(check="links", outcome=CheckOutcome.FAILURE, message=message)
            return
    for result in results:
        yield _named("links", result)


async def check_setup(
    settings: Settings, config: BucketConfig, keys: Credentials
) -> AsyncIterator[CheckResult]:
    """Check that pages may upload to the store, and that abandoned uploads expire."""
    hosts = (*settings.allowed_hosts, *lan_addresses(settings))
    origins = page_origins(settings.model_copy(update={"allowed_hosts": hosts}))
    public = settings.s3.public_endpoint_url or config.endpoint_url
    trial = await try_cors(replace(config, endpoint_url=public), keys, origins)
    if trial.works:
        yield CheckResult(check="store: CORS", message=trial.text)
    else:
        message = f"{trial.text[:1].upper()}{trial.text[1:]}. Run 'safelight bucket setup'."
        yield CheckResult(check="store: CORS", outcome=CheckOutcome.WARNING, message=message)
    try:
        steps = await configure_bucket(config, keys, origins=origins, dry_run=True)
    except SafelightError as error:
        yield CheckResult(check="store: setup", outcome=CheckOutcome.WARNING, message=str(error))
        return
    for step in steps:
        if step.title == "CORS" or step.outcome is SetupOutcome.ALREADY_SET:
            continue
        if step.outcome is SetupOutcome.PLANNED:
            message = "It isn't configured. Run 'safelight bucket setup'."
            outcome = CheckOutcome.WARNING
        else:
            message, outcome = f"The store answers: {step.outcome} {step.code}", CheckOutcome.NOTE
        yield CheckResult(
            check=f"store: {step.title.lower()}", outcome=outcome, message=message.strip()
        )


def check_lifetime(keys: Credentials, settings: Settings, *, now: datetime) -> CheckResult:
    """Check that links don't expire with the keys, before their time."""
    if settings.s3.signing_access_key or keys.expires_at is None:
        return CheckResult(check="credentials")
    left = keys.expires_at - now
    if left >= settings.links.lifetime:
        return CheckResult(check="credentials")
    return CheckResult(
        check="credentials",
        outcome=CheckOutcome.WARNING,
        message=(
            f"The keys expire at {keys.expires_at:%Y-%m-%d %H:%M} UTC, and links with them. For"
            " links that live longer, set SAFELIGHT_S3__SIGNING_ACCESS_KEY and"
            " SAFELIGHT_S3__SIGNING_SECRET_KEY (docs/credentials.md)."
        ),
    )


async def _check_multipart(
    settings: Settings, config: BucketConfig, credentials: CredentialProvider
) -> CheckResult:
    """Upload an object in parts, as large photos are."""
    key = incoming(secrets.token_hex(16))
    async with BucketAPI(config, credentials, timeout=settings.s3.timeout) as api:
        try:
            refused = await _upload_in_parts(api, key)
            await api.request("DELETE", {}, key=key)
        except (SafelightError, ET.ParseError) as error:
            return _multipart_failure(str(error.__cause__ or error))
    if refused is None:
        return CheckResult(check="store: multipart uploads")
    return _multipart_failure(str(refused.error))


async def _upload_in_parts(api: BucketAPI, key: str) -> APIResponse | None:
    """Return the first response that isn't a success."""
    created = await api.request("POST", {"uploads": ""}, key=key)
    if not created.is_success:
        return created
    upload_id = ET.fromstring(created.body).findtext("{*}UploadId", "")  # noqa: S314  see storage/multipart.py
    query = {"uploadId": upload_id}
    part = await api.request("PUT", {"partNumber": "1", **query}, key=key, body=_PART)
    if not part.is_success:
        await api.request("DELETE", query, key=key)
        return part
    etag = part.headers.get("etag", "")
    parts = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>"
    done = await api.request("POST", query, key=key, body=body.encode())
    # The status is sent before the parts are joined.
    return None if done.is_success and b"<Error>" not in done.body else done


def _multipart_failure(response: str) -> CheckResult:
    return CheckResult(
        check="store: multipart uploads",
        outcome=CheckOutcome.FAILURE,
        message=(
            "An upload in parts doesn't work, so large photos can't be uploaded straight to the"
            " store. Allow s3:PutObject and s3:AbortMultipartUpload on incoming/*."
        ),
        response=response,
    )


async def _check_bulk_delete(
    settings: Settings, config: BucketConfig, credentials: CredentialProvider
) -> CheckResult:
    bucket = Bucket(config, credentials, timeout=settings.s3.timeout)
    keys = [probe_key(), probe_key()]
    try:
        for key in keys:
            await bucket.put(key, _PART, content_type="text/plain")
        await bucket.delete(keys)
        left = await asyncio.gather(*map(bucket.size, keys))
    except SafelightError as error:
        return CheckResult(
            check="store: transfers",
            outcome=CheckOutcome.FAILURE,
            message="Photos can't be transferred to the store, although it answers.",
            response=" ".join(str(error.__cause__).split())[:300],
        )
    if any(size is not None for size in left):
        message = "The store accepts deleting many objects at once, but keeps them."
        return CheckResult(check="store: transfers", outcome=CheckOutcome.FAILURE, message=message)
    if not bucket.features.bulk_deletes:
        message = "The store doesn't delete many objects at once, so they are deleted one by one."
        return CheckResult(check="store: transfers", outcome=CheckOutcome.NOTE, message=message)
    return CheckResult(check="store: transfers")


def _named(prefix: str, result: CheckResult) -> CheckResult:
    return replace(result, check=f"{prefix}: {result.check}")
