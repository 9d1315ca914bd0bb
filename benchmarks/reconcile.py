"""A million rows compared with their objects: how long it takes, and how much memory.

``python benchmarks/reconcile.py [--rows 1000000]``. The rows are real, in the embedded PostgreSQL;
the store's list is made of their names as S3 would give it, a thousand keys an answer, since four
million objects can't be stored quickly. One original in 10,000 is left out, and one object in
10,000 is one too many, so that what is found is known.
"""

import argparse
import asyncio
import resource
import tempfile
import time
from dataclasses import replace
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
from safelight.library.findings import Plan, Tally
from safelight.library.reconciler import Reconciler
from safelight.settings import S3Settings, Settings
from safelight.storage import Inventory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from obstore import ObjectMeta

_RENDITIONS = 3
_EACH = 10_000
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
_NAMES = """
SELECT name, size, jsonb_path_query_array(renditions, '$[*].key') FROM safelight_photos
WHERE name > %s ORDER BY name LIMIT 1000
"""


class Pretended(Inventory):
    """A store that lists what the rows name, and has nothing else."""

    def __init__(self, store: Inventory, database_url: str) -> None:
        self.__dict__.update(store.__dict__)
        self._connection = psycopg.connect(database_url, autocommit=True)
        self._waiting: list[ObjectMeta] = []
        self._name = ""
        self._seen = 0

    async def _page(self, prefix: str, *, after: str) -> "Sequence[ObjectMeta]":  # noqa: ARG002  the store's
        if prefix != keys.PHOTOS:
            return []
        if len(self._waiting) < 1000:
            self._more()
        page, self._waiting = self._waiting[:1000], self._waiting[1000:]
        return page

    def _more(self) -> None:
        for name, size, renditions in self._connection.execute(_NAMES, [self._name]).fetchall():
            self._seen += 1
            named = [*renditions] if self._seen % _EACH == 0 else [keys.original(name), *renditions]
            named += [keys.rendition(name, "f" * 40)] if self._seen % _EACH == 1 else []
            self._waiting += [_meta(key, size) for key in sorted(named)]
            self._name = name

    async def size(self, key: str) -> int | None:  # noqa: ARG002  the store's
        return None

    async def folders(self, prefix: str) -> list[str]:  # noqa: ARG002  the store's
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


async def _compare(settings: Settings, database_url: str) -> Tally:
    library = Library.from_settings(settings, worker=False)
    async with library.lifespan(None):
        pretended = Pretended(library.parts.storage, database_url)
        reconciler = Reconciler(
            replace(library.parts, storage=pretended), _nothing, clock=library.now
        )
        _tell("before")
        tally = Tally()
        async for told in reconciler.run(Plan()):
            tally = told if isinstance(told, Tally) else tally
        return tally


def _tell(when: str) -> None:
    now = psutil.Process().memory_info().rss / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"memory {when}: {now:.0f} MB, at its peak {peak:.0f} MB")


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
            asyncio.run(_upgraded(settings))
            fill(engines.database_url, rows, renditions=_RENDITIONS, tutorials=False)
            began = time.monotonic()
            tally = asyncio.run(_compare(settings, engines.database_url))
            print(f"{time.monotonic() - began:.1f} s: {tally}")
            _tell("after")
        finally:
            engines.stop()


async def _upgraded(settings: Settings) -> None:
    async with Library.from_settings(settings, worker=False).lifespan(None):
        pass


if __name__ == "__main__":
    main()
