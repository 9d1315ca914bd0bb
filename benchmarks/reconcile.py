"""Measure time and memory of comparing a million rows with their objects.

``python benchmarks/reconcile.py [--rows 1000000]``. The rows are real, in the embedded PostgreSQL.
Since storing four million objects takes long, the store's list is generated from the rows, with a
thousand keys per page as in S3. One original in 10,000 is missing, and one object in 10,000 is an
orphan, so that the findings are known.
"""

import argparse
import asyncio
import resource
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
from pydantic import SecretStr

from catalogs import fill
from safelight import keys
from safelight.engines import EmbeddedEngines
from safelight.library import Library
from safelight.library.reconcile.findings import Progress, ReconcileOptions
from safelight.library.reconcile.reconciler import Reconciler
from safelight.settings import S3Settings, Settings
from safelight.storage import Bucket

if TYPE_CHECKING:
    from collections.abc import Sequence

    from obstore import ObjectMeta

_RENDITIONS = 3
_DEFECT_INTERVAL = 10_000
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
_NAMES = """
SELECT name, size, jsonb_path_query_array(renditions, '$[*].key') FROM safelight_photos
WHERE name > %s ORDER BY name LIMIT 1000
"""


class FakeBucket(Bucket):
    """A bucket that lists the objects that the rows name, and contains none."""

    def __init__(self, store: Bucket, database_url: str) -> None:
        self.__dict__.update(store.__dict__)
        self._connection = psycopg.connect(database_url, autocommit=True)
        self._queued: list[ObjectMeta] = []
        self._name = ""
        self._seen = 0

    async def _list_page(self, prefix: str, *, start_after: str) -> "Sequence[ObjectMeta]":  # noqa: ARG002  overrides the bucket's
        if prefix != keys.PHOTOS:
            return []
        if len(self._queued) < 1000:
            self._more()
        page, self._queued = self._queued[:1000], self._queued[1000:]
        return page

    def _more(self) -> None:
        for name, size, renditions in self._connection.execute(_NAMES, [self._name]).fetchall():
            self._seen += 1
            named = (
                [*renditions]
                if self._seen % _DEFECT_INTERVAL == 0
                else [keys.original(name), *renditions]
            )
            named += [keys.rendition(name, "f" * 40)] if self._seen % _DEFECT_INTERVAL == 1 else []
            self._queued += [_meta(key, size) for key in sorted(named)]
            self._name = name

    async def size(self, key: str) -> int | None:  # noqa: ARG002  overrides the bucket's
        return None

    async def list_folders(self, prefix: str) -> list[str]:  # noqa: ARG002  overrides the bucket's
        return []


def _meta(key: str, size: int) -> "ObjectMeta":
    return {
        "path": key,
        "size": size,
        "last_modified": _LONG_AGO,
        "e_tag": None,
        "version": None,
    }


async def _nothing() -> None:
    pass


async def _compare(settings: Settings, database_url: str) -> Progress:
    library = Library.from_settings(settings, worker=False)
    async with library.lifespan(None):
        bucket = FakeBucket(library.backends.bucket, database_url)
        reconciler = Reconciler(
            library.backends.catalog,
            bucket,
            library.backends.multipart,
            _nothing,
            clock=library.now,
        )
        _print_memory("before")
        progress = Progress()
        async for event in reconciler.run(ReconcileOptions()):
            progress = event if isinstance(event, Progress) else progress
        return progress


def _print_memory(when: str) -> None:
    now = psutil.Process().memory_info().rss / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"memory {when}: {now:.0f} MB, peak {peak:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="safelight-") as folder:
        Path(folder).chmod(0o711)
        engines = EmbeddedEngines(Path(folder) / "engines", bucket="safelight")
        engines.start()
        try:
            settings = Settings(
                data_dir=Path(folder) / "data",
                database_url=SecretStr(engines.database_url),
                s3=S3Settings(
                    endpoint_url=engines.s3_endpoint_url,
                    access_key=engines.s3_access_key,
                    secret_key=SecretStr(engines.s3_secret_key),
                ),
            )
            asyncio.run(_migrate(settings))
            fill(engines.database_url, rows, renditions=_RENDITIONS, tutorials=False)
            started_at = time.monotonic()
            progress = asyncio.run(_compare(settings, engines.database_url))
            print(f"{time.monotonic() - started_at:.1f} s: {progress}")
            _print_memory("after")
        finally:
            engines.stop()


async def _migrate(settings: Settings) -> None:
    async with Library.from_settings(settings, worker=False).lifespan(None):
        pass


if __name__ == "__main__":
    main()
