"""Check that a bucket has the photos of a catalog, before the catalog takes it for its own."""

import asyncio
from typing import Final

from safelight import keys
from safelight.catalog import Catalog
from safelight.catalog.scan import RowKeys
from safelight.errors import OperatorError
from safelight.models import Status
from safelight.storage import Bucket

SAMPLE: Final = 100
_AT_ONCE: Final = 8


async def require_photos(catalog: Catalog, bucket: Bucket, name: str) -> int:
    """Look up the originals of up to SAMPLE photos, and return their number.

    Raises OperatorError if one is missing or has another size, StorageUnavailable as the bucket.
    """
    # Storage ids are random, and so is the choice of those that follow a random one.
    rows = await catalog.row_scan.page(after=keys.new_storage_id(), limit=SAMPLE)
    if len(rows) < SAMPLE:
        rows += await catalog.row_scan.page(after="", limit=SAMPLE - len(rows))
    photos = list({row.id: row for row in rows if row.status is Status.READY}.values())
    slots = asyncio.Semaphore(_AT_ONCE)

    async def is_there(row: RowKeys) -> bool:
        async with slots:
            return await bucket.size(keys.original(row.storage_id)) == row.size

    found = await asyncio.gather(*map(is_there, photos))
    if missing := found.count(False):
        raise OperatorError(
            f"The bucket {name!r} doesn't have all photos of this database: {missing} of"
            f" {len(photos)} that were looked up are missing or have another size. Copy all objects"
            " first, or correct the name. To set it anyway, add --force."
        )
    return len(photos)
