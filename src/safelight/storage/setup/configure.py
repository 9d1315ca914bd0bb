"""Create a bucket, and configure its CORS, lifecycle rules and public-access block.

Only what is missing is written. Stores support different subsets, so each step has its own
outcome and none prevents the others.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from http import HTTPStatus
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, ParseError, SubElement, fromstring, tostring

from safelight.errors import SettingsError, StorageUnavailable
from safelight.signing.credentials import StaticCredentials
from safelight.signing.sigv4 import Credentials
from safelight.storage.config import BucketConfig
from safelight.storage.objects import PROBE_PREFIX
from safelight.storage.probe.connection import explain_connection
from safelight.storage.probe.refusals import explain_keys
from safelight.storage.s3_api import APIResponse, BucketAPI
from safelight.storage.setup.rules import BucketRule, bucket_rules

_log = logging.getLogger(__name__)

_XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"
_TIMEOUT = timedelta(seconds=10)
_PAUSES = (0.5, 1.0)
"""Seconds to wait for a change to be visible: at AWS it isn't at once."""
_LIST_QUERY = {"list-type": "2", "prefix": PROBE_PREFIX, "max-keys": "1"}
_NO_BUCKET = "NoSuchBucket"
_NOT_FOUND = str(HTTPStatus.NOT_FOUND.value)
_BUCKET_MISSING = frozenset({_NO_BUCKET, "NotFound", _NOT_FOUND})
_BUCKET_EXISTS = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})
_BAD_CREDENTIALS = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch"})


class SetupOutcome(StrEnum):
    """The result of a step."""

    DONE = "done"
    PLANNED = "would be done"
    ALREADY_SET = "already set"
    UNSUPPORTED = "not supported by the store"
    REFUSED = "refused"
    NOT_KEPT = "accepted, but not kept by the store"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupStep:
    """One part of a bucket's configuration, and its outcome.

    `code` is the store's error code, `response` its error with code, status and message.
    """

    title: str
    outcome: SetupOutcome
    code: str = ""
    response: str = ""


async def ensure_bucket(config: BucketConfig, credentials: Credentials) -> bool:
    """Create the bucket if it doesn't exist; return whether it was created.

    Raises SettingsError if it can't be created, the store doesn't answer or rejects the keys. A
    store that accepts the keys but refuses to list the bucket is assumed to have it.
    """
    async with _open_api(config, credentials) as api:
        # Not HEAD: its response doesn't distinguish wrong keys from a missing permission.
        response = await api.request("GET", _LIST_QUERY)
        _raise_for_credentials(response, config)
        if response.code in _BUCKET_MISSING:
            return await _create_bucket(api, config)
        if not response.is_success:
            _log.warning(
                "the bucket %s can't be listed (%s): deleting photos needs s3:ListBucket",
                config.bucket,
                response.code,
            )
        return False


async def bucket_exists(config: BucketConfig, credentials: Credentials) -> bool:
    """Return whether the bucket exists; true also if these keys aren't allowed to know.

    Raises SettingsError if the store doesn't answer.
    """
    async with _open_api(config, credentials) as api:
        if (await api.request("GET", {"cors": ""})).code == _NO_BUCKET:
            return False
        # A store without CORS may not have looked for the bucket.
        return (await api.request("GET", _LIST_QUERY)).code != _NO_BUCKET


async def configure_bucket(
    config: BucketConfig, credentials: Credentials, *, origins: Sequence[str], dry_run: bool = False
) -> list[SetupStep]:
    """Allow pages of `origins`, expire uploads after a day, and block public access.

    Other rules stay. With `dry_run` nothing is changed. Raises SettingsError if the store doesn't
    answer, rejects the keys, or has no such bucket.
    """
    async with _open_api(config, credentials) as api:
        return [await _apply(rule, api, config, dry_run=dry_run) for rule in bucket_rules(origins)]


@asynccontextmanager
async def _open_api(config: BucketConfig, credentials: Credentials) -> AsyncIterator[BucketAPI]:
    async with BucketAPI(config, StaticCredentials(credentials), timeout=_TIMEOUT) as api:
        try:
            yield api
        except StorageUnavailable as error:
            host = urlsplit(api.url()).netloc
            explained = await asyncio.to_thread(
                explain_connection, error.__cause__ or error, config, host
            )
            raise SettingsError(explained.message) from error


async def _create_bucket(api: BucketAPI, config: BucketConfig) -> bool:
    body = b""
    if config.region != "us-east-1":
        document = Element("CreateBucketConfiguration", xmlns=_XMLNS)
        SubElement(document, "LocationConstraint").text = config.region
        body = tostring(document)
    response = await api.request("PUT", {}, body=body)
    if response.code in _BUCKET_EXISTS:
        return False
    if not response.is_success:
        raise SettingsError(
            f"The bucket {config.bucket!r} does not exist and can't be created with these keys"
            f" ({response.code}): create it, or correct SAFELIGHT_S3__BUCKET. The store's response:"
            f" {response.error}"
        )
    _log.info("created the bucket %s", config.bucket)
    return True


async def _apply(
    rule: BucketRule, api: BucketAPI, config: BucketConfig, *, dry_run: bool
) -> SetupStep:
    query = {rule.subresource: ""}
    response = await api.request("GET", query)
    _raise_for_credentials(response, config)
    if response.code == _NO_BUCKET:
        raise SettingsError(
            f"The bucket {config.bucket!r} does not exist at {config.endpoint_url}: create it, or"
            " correct SAFELIGHT_S3__BUCKET."
        )
    document = _parse(response, rule)
    if document is None:
        return _failure(rule, response)
    if not rule.is_missing_from(document):
        return SetupStep(title=rule.title, outcome=SetupOutcome.ALREADY_SET)
    if dry_run:
        return SetupStep(title=rule.title, outcome=SetupOutcome.PLANNED)
    changed = rule.add_to(document)
    changed.set("xmlns", _XMLNS)
    response = await api.request("PUT", query, body=tostring(changed))
    if not response.is_success:
        return _failure(rule, response)
    for pause in (*_PAUSES, None):
        kept = _parse(await api.request("GET", query), rule)
        if kept is not None and not rule.is_missing_from(kept):
            return SetupStep(title=rule.title, outcome=SetupOutcome.DONE)
        if pause:
            await asyncio.sleep(pause)
    return SetupStep(title=rule.title, outcome=SetupOutcome.NOT_KEPT)


def _parse(response: APIResponse, rule: BucketRule) -> Element | None:
    """Return the current document; None if the response is another one.

    An empty configuration is a 404 with a code of its own. A store that doesn't know a subresource
    may list the bucket instead, and a PUT there would mean creating it.
    """
    if response.status == HTTPStatus.NOT_FOUND and response.code.startswith("NoSuch"):
        return Element(rule.root)
    try:
        document = fromstring(response.body)  # noqa: S314  from the operator's own store
    except ParseError:
        return None
    for element in document.iter():
        element.tag = element.tag.rpartition("}")[2]
    return document if document.tag == rule.root else None


def _raise_for_credentials(response: APIResponse, config: BucketConfig) -> None:
    if response.code in _BAD_CREDENTIALS:
        raise SettingsError(explain_keys(response.error, config))


def _failure(rule: BucketRule, response: APIResponse) -> SetupStep:
    is_unsupported = (
        response.is_success or response.error.is_unsupported or response.code == _NOT_FOUND
    )
    outcome = SetupOutcome.UNSUPPORTED if is_unsupported else SetupOutcome.REFUSED
    return SetupStep(
        title=rule.title, outcome=outcome, code=response.code, response=str(response.error)
    )
