"""Measure deletions by jobs: ``python benchmarks/purges.py``.

Creates photos (rows, and objects of a few bytes) on temporary engines, soft-deletes them, and lets
a worker purge them; then runs the second sweep, with the clock set forward.
"""

import argparse
import asyncio
import secrets
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import keys
from safelight.catalog import Catalog
from safelight.catalog.tables import photos
from safelight.engines import EmbeddedEngines
from safelight.jobs import Task, Worker, enqueue
from safelight.library.sweep import FORGET_AFTER, Sweep
from safelight.library.tasks import PURGE
from safelight.models import Status
from safelight.settings import Settings
from safelight.signing.sigv4 import Credentials
from safelight.storage import Bucket, BucketConfig


class _Keys:
    def __init__(self, credentials: Credentials) -> None:
        self.current = credentials

    async def refresh(self, refused: Credentials) -> bool:  # noqa: ARG002  from the protocol
        return False


async def _measure(engines: EmbeddedEngines, count: int) -> None:
    settings = Settings()
    catalog = Catalog(engines.database_url)
    await catalog.upgrade()
    credentials = Credentials(access_key=engines.s3_access_key, secret_key=engines.s3_secret_key)
    access = BucketConfig(
        endpoint_url=engines.s3_endpoint_url, bucket=engines.bucket, region=engines.region
    )
    storage = Bucket(access, _Keys(credentials), timeout=settings.s3.timeout)
    names = await _store(storage, count)
    await catalog.transaction(lambda connection: _soft_delete(connection, names))
    sweep = Sweep(catalog, storage, clock=lambda: datetime.now(UTC))
    started_at = time.monotonic()
    await catalog.transaction(lambda connection: enqueue(connection, PURGE))
    worker = Worker(engines.database_url, [Task(name=PURGE, work=sweep.purge)])
    async with worker.running():
        while await catalog.read(_unpurged):  # noqa: ASYNC110  a row has no event
            await asyncio.sleep(0.1)
    _print("purged by a worker", count, time.monotonic() - started_at)
    later = datetime.now(UTC) + FORGET_AFTER + timedelta(minutes=5)
    started_at = time.monotonic()
    await Sweep(catalog, storage, clock=lambda: later).run()
    _print("swept a second time", count, time.monotonic() - started_at)
    await catalog.close()


async def _store(storage: Bucket, count: int) -> list[str]:
    names = [keys.new_storage_id() for _ in range(count)]
    waiting = iter(names)

    async def put_all() -> None:
        for name in waiting:
            await storage.put(
                keys.original(name), secrets.token_bytes(64), content_type="image/gif"
            )

    await asyncio.gather(*(put_all() for _ in range(4)))
    return names


async def _soft_delete(connection: AsyncConnection, names: list[str]) -> None:
    now = datetime.now(UTC)
    same = {"owner": "bench", "status": Status.DELETED, "title": "", "description": ""}
    times = {"filename": "", "reserved_at": now, "deleted_at": now}
    await connection.execute(insert(photos), [{**same, **times, "name": name} for name in names])


async def _unpurged(connection: AsyncConnection) -> int:
    query = select(func.count()).select_from(photos).where(photos.c.purged_at.is_(None))
    return await connection.scalar(query) or 0


def _print(what: str, count: int, seconds: float) -> None:
    print(f"{what}: {count} in {seconds:.1f} s, {count / seconds:.0f} per second")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    count = parser.parse_args(sys.argv[1:]).count
    with tempfile.TemporaryDirectory(prefix="safelight-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        engines = EmbeddedEngines(Path(folder) / "engines", bucket="safelight")
        engines.start()
        try:
            asyncio.run(_measure(engines, count))
        finally:
            engines.stop()


if __name__ == "__main__":
    main()
