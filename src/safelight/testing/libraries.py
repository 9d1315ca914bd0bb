"""Open the backends of a library for one test."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from safelight import keys
from safelight.catalog import Catalog
from safelight.darkroom.pool import Darkroom
from safelight.imaging.presets import build_presets
from safelight.library.backends import Backends
from safelight.library.spool import Spool
from safelight.settings import S3Settings, Settings
from safelight.settings.validators import reveal
from safelight.signing.credentials import StaticCredentials
from safelight.signing.links import LinkSigner
from safelight.signing.sigv4 import Credentials
from safelight.signing.uploads import UploadSigner
from safelight.storage import Bucket, BucketConfig, MultipartUploads
from safelight.testing.bucket import (
    CONFIG,
    CREDENTIALS,
    TIMEOUT,
    MemoryMultipartUploads,
    MemoryObjects,
    make_memory_bucket,
)
from safelight.testing.store import MemoryStoreServer


@asynccontextmanager
async def open_memory_backends(
    settings: Settings,
    database_url: str,
    clock: Callable[[], datetime],
    *,
    darkroom: Darkroom,
    server: MemoryStoreServer | None = None,
) -> AsyncIterator[Backends]:
    """Open backends with a bucket in memory, on a database with all migrations.

    `server` answers links and presigned uploads; without one, none does. It forgets the bucket at
    the end. The darkroom is closed.
    """
    config, objects = CONFIG, MemoryObjects(clock=clock)
    if server:
        config = replace(config, endpoint_url=server.url, bucket=f"test-{uuid4().hex}")
        server.buckets[config.bucket] = objects
    signing: dict[str, Any] = {
        "clock": clock,
        "endpoint": config.endpoint_url,
        "bucket": config.bucket,
        "region": config.region,
    }
    catalog = Catalog(database_url, finds_duplicates=settings.duplicates == "share")
    try:
        yield Backends(
            bucket=make_memory_bucket(objects, config=config),
            catalog=catalog,
            darkroom=darkroom,
            link_signer=LinkSigner(settings.links, credentials=CREDENTIALS, **signing),
            spool=Spool(settings.data_dir / "spool", max_bytes=settings.limits.max_spooled_bytes),
            limits=settings.limits,
            uploads=settings.uploads,
            upload_signer=UploadSigner(
                settings.uploads.signature_lifetime,
                credentials=lambda: CREDENTIALS.current,
                **signing,
            ),
            multipart=MemoryMultipartUploads(objects, config=config),
            presets=build_presets(settings.renditions),
            trash_time=timedelta(days=settings.trash_days),
        )
    finally:
        await darkroom.close()
        await catalog.close()
        if server:
            server.buckets.pop(config.bucket, None)


async def empty_bucket(s3: S3Settings) -> None:
    """Delete all photos and uploads in a bucket, also unfinished ones."""
    assert s3.endpoint_url
    assert s3.access_key
    assert s3.secret_key
    config = BucketConfig.from_settings(s3, endpoint_url=s3.endpoint_url)
    credentials = StaticCredentials(
        Credentials(access_key=s3.access_key, secret_key=reveal(s3.secret_key))
    )
    bucket = Bucket(config, credentials, timeout=TIMEOUT)
    multipart = MultipartUploads(config, credentials, timeout=TIMEOUT)
    try:
        for prefix in (keys.PHOTOS, keys.INCOMING, keys.QUARANTINE):
            await bucket.delete_prefix(prefix)
        async for batch in multipart.list_unfinished(keys.INCOMING):
            for each in batch:
                await multipart.abort(each.key)
    finally:
        await multipart.close()
        await bucket.close()
