"""Copy the photos of one bucket to another: ``python copy_bucket.py SAFELIGHT_S3__ BACKUP_S3__``.

Both are what the names of environment variables begin with: ``ENDPOINT_URL``, ``BUCKET``,
``REGION``, ``ACCESS_KEY`` and ``SECRET_KEY`` follow. What is there already, of the same size, isn't
copied again, since objects never change. Nothing is deleted.
"""

import asyncio
import os
import sys
from typing import TYPE_CHECKING

from obstore.store import S3Store

if TYPE_CHECKING:
    from obstore import ObjectMeta

_AT_ONCE = 8


def _bucket(prefix: str) -> S3Store:
    def told(name: str, default: str) -> str:
        return os.environ.get(prefix + name) or default

    return S3Store(
        told("BUCKET", "safelight"),
        endpoint=told("ENDPOINT_URL", "https://s3.amazonaws.com"),
        region=told("REGION", "us-east-1"),
        access_key_id=told("ACCESS_KEY", ""),
        secret_access_key=told("SECRET_KEY", ""),
        client_options={"allow_http": True},
    )


async def _copy(source: S3Store, target: S3Store, meta: "ObjectMeta") -> bool:
    """Copy one, headers and all; whether it had to be."""
    key = meta["path"]
    try:
        if (await target.head_async(key))["size"] == meta["size"]:
            return False
    except FileNotFoundError:
        pass
    try:
        found = await source.get_async(key)
        data = await found.bytes_async()
    except FileNotFoundError:  # it was deleted meanwhile
        return False
    await target.put_async(key, data, attributes=found.attributes, use_multipart=False)
    return True


async def copy_all(source: S3Store, target: S3Store) -> int:
    """Copy everything below ``photos/``; gives how many objects were new."""
    turns, copied = asyncio.Semaphore(_AT_ONCE), 0

    async def one(meta: "ObjectMeta") -> bool:
        async with turns:
            return await _copy(source, target, meta)

    async for batch in source.list("photos/", chunk_size=1000):
        copied += sum(await asyncio.gather(*map(one, batch)))
    return copied


def main() -> None:
    """Copy, and tell how many there were."""
    if len(sys.argv) != len(("program", "from", "to")):
        sys.exit(__doc__)
    copied = asyncio.run(copy_all(_bucket(sys.argv[1]), _bucket(sys.argv[2])))
    print(f"{copied} objects copied")  # noqa: T201  it's what it has to say


if __name__ == "__main__":
    main()
