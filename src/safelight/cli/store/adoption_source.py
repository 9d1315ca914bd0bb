"""Where `safelight adopt` finds objects: a store, and a bucket with a prefix."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from safelight.environment import clean_variables
from safelight.errors import SettingsError, StorageUnavailable

if TYPE_CHECKING:
    from safelight.library import Library
    from safelight.settings import S3Settings, Settings
    from safelight.storage import Bucket

_ADDRESS: Final = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?(?:/(?P<prefix>.*))?"
)


def parse_address(address: str, variables: Mapping[str, str]) -> tuple[str, str]:
    """Return bucket and prefix of ``s3://bucket/prefix``; without one, BUCKET_NAME is the bucket.

    Raises SettingsError.
    """
    match = _ADDRESS.fullmatch(address)
    bucket = match and (match["bucket"] or clean_variables(variables).get("BUCKET_NAME"))
    if not match or not bucket:
        raise SettingsError(
            f"{address!r} names no bucket: write s3://BUCKET/PREFIX, or s3:// with BUCKET_NAME set."
        )
    prefix = match["prefix"] or ""
    return bucket, f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""


def source_settings(settings: "Settings", variables: Mapping[str, str]) -> "S3Settings | None":
    """Return the store in the tutorial's variables; None if it is the library's own.

    These are S3_ENDPOINT_URL, AWS_ACCESS_KEY and AWS_SECRET_KEY, and Amazon's own names of the
    keys. Raises SettingsError.
    """
    from pydantic import ValidationError

    from safelight.settings import S3Settings

    given = clean_variables(variables)
    region = given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION") or "us-east-1"
    access_key = given.get("AWS_ACCESS_KEY") or given.get("AWS_ACCESS_KEY_ID")
    secret_key = given.get("AWS_SECRET_KEY") or given.get("AWS_SECRET_ACCESS_KEY")
    endpoint = given.get("S3_ENDPOINT_URL")
    if not endpoint and not (access_key and settings.s3.endpoint_url is None):
        return None
    own = settings.s3
    try:
        store = S3Settings(
            endpoint_url=endpoint or f"https://s3.{region}.amazonaws.com",
            access_key=access_key or own.access_key,
            secret_key=secret_key or own.secret_key,
            region=region,
        )
    except ValidationError as error:
        raise SettingsError(
            f"S3_ENDPOINT_URL, AWS_ACCESS_KEY or AWS_SECRET_KEY: {error.errors()[0]['msg']}"
        ) from error
    is_own = (store.endpoint_url, store.access_key) == (own.endpoint_url, own.access_key)
    return None if is_own else store


@asynccontextmanager
async def open_source(
    library: "Library", store: "S3Settings | None", bucket_name: str
) -> "AsyncIterator[Bucket]":
    """Open the bucket with the originals."""
    from safelight.signing.credentials import make_credential_provider
    from safelight.storage import Bucket, BucketConfig

    own = library.backends.bucket
    if store is None:
        if bucket_name == own.name:
            yield own
            return
        source = own.sibling(bucket_name)
        try:
            yield source
        finally:
            await source.close()
        return
    assert store.endpoint_url
    authorities = library.settings.authorities if library.settings else None
    config = BucketConfig.from_settings(
        store.model_copy(update={"bucket": bucket_name}),
        endpoint_url=store.endpoint_url,
        authorities=authorities,
    )
    async with make_credential_provider(store, library.now, authorities=authorities) as credentials:
        bucket = Bucket(config, credentials, timeout=store.timeout)
        try:
            yield bucket
        finally:
            await bucket.close()


async def check_source(source: "Bucket", prefix: str, *, can_list: bool) -> None:
    """Raise SettingsError if the store refuses to list the bucket; rows need no listing."""
    from obstore.exceptions import BaseError

    from safelight.storage.probe.refusals import DENIED
    from safelight.storage.responses import StoreError

    try:
        async for _ in source.list_objects(prefix):
            return
    except StorageUnavailable as error:
        cause = error.__cause__
        refusal = StoreError.of(cause) if isinstance(cause, BaseError) else None
        if refusal is None or refusal.status >= 500 or (refusal.code in DENIED and not can_list):
            return  # the calls for the objects are repeated, and say what they lack
        words = str(refusal).rstrip(".")
        raise SettingsError(
            f"The store of the photos refuses to list the bucket {source.name!r}: {words}."
            " Correct s3://BUCKET, or S3_ENDPOINT_URL, AWS_ACCESS_KEY, AWS_SECRET_KEY and"
            " AWS_REGION."
        ) from error
