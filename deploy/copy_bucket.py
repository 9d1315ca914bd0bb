"""Copy the photos of one bucket to another: ``python copy_bucket.py SAFELIGHT_S3__ BACKUP_S3__``.

Both arguments are prefixes of environment variables: ``ENDPOINT_URL``, ``BUCKET``, ``REGION``,
``ACCESS_KEY`` and ``SECRET_KEY`` follow. Objects that exist with the same size aren't copied again,
since objects never change. Nothing is deleted.
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
    def variable(name: str, default: str) -> str:
        return os.environ.get(prefix + name) or default

    return S3Store(
        variable("BUCKET", "safelight"),
        endpoint=variable("ENDPOINT_URL", "https://s3.amazonaws.com"),
        region=variable("REGION", "us-east-1"),
        access_key_id=variable("ACCESS_KEY", ""),
        secret_access_key=variable("SECRET_KEY", ""),
        client_options={"allow_http": True},
    )


async def _copy(source: S3Store, target: S3Store, meta: "ObjectMeta") -> bool:
    """Copy an object with its headers, and return whether it was missing."""
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
    """Copy everything under ``photos/``, and return the number of new objects."""
    turns, copied = asyncio.Semaphore(_AT_ONCE), 0

    async def one(meta: "ObjectMeta") -> bool:
        async with turns:
            return await _copy(source, target, meta)

    async for batch in source.list("photos/", chunk_size=1000):
        copied += sum(await asyncio.gather(*map(one, batch)))
    return copied


def main() -> None:
    """Copy, and print the number of objects."""
    if len(sys.argv) != len(("program", "from", "to")):
        sys.exit(__doc__)
    copied = asyncio.run(copy_all(_bucket(sys.argv[1]), _bucket(sys.argv[2])))
    print(f"{copied} objects copied", flush=True)  # noqa: T201  the output of the program
    # Skip the interpreter's shutdown, which aborts if a thread of obstore still uses it.
    os._exit(0)


if __name__ == "__main__":
    main()
