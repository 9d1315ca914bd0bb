"""Dump the data of a release: its catalog as SQL, and the objects of its photos as JSON.

``PYTHONPATH=tests python -m upgrades.dump`` runs the code that is checked out and writes both files
beside this one, named by the schema's number. It never replaces a file, which may be a release's.
"""

import asyncio
import base64
import io
import json
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import psycopg

from safelight import keys
from safelight.engines import EmbeddedEngines, binaries
from safelight.library import Library
from safelight.models import Caption
from safelight.settings import RenditionSettings
from support import pictures
from support.app_server import settings_for

FOLDER = Path(__file__).parent
SESSION = "the secret of a session that never grows old"
RENDITIONS = RenditionSettings(quality=78, effort=1)
"""The settings of the renditions in all dumps. With others, new renditions would be added."""
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
LONG_AFTER = datetime(2100, 1, 1, tzinfo=UTC)
_SKIPPED_LINES = re.compile(
    r"SET (?!check_function_bodies)|\\(un)?restrict|--|$|SELECT pg_catalog\.set_config"
)
"""Lines of a dump that depend on the server, and those that have no effect."""


def main() -> None:
    """Dump the newest schema, made by temporary engines."""
    with tempfile.TemporaryDirectory() as folder:
        engines = EmbeddedEngines(Path(folder) / "engines", bucket="safelight")
        engines.start()
        try:
            asyncio.run(_fill(engines, Path(folder)))
            number = _schema_number(engines)
            _write(FOLDER / f"{number}.sql", _dump_catalog(engines))
            _write(FOLDER / f"{number}.json", json.dumps(_objects(engines), indent=1) + "\n")
        finally:
            engines.stop()


async def _fill(engines: EmbeddedEngines, folder: Path) -> None:
    """Add and delete photos of two owners, and leave the traces of a crash."""
    settings = settings_for(engines, folder / "data", renditions=RENDITIONS)
    library = Library.from_settings(settings, worker=False)
    async with library.lifespan(None):
        upright = pictures.exif(3, "2024:05:06 07:08:09")
        beach = io.BytesIO(pictures.jpeg(700, 300, quality=10, exif=upright))
        await library.add("ann", beach, Caption(title="The beach", filename="b'ach \\1.jpg"))
        await library.add("ann", io.BytesIO(pictures.png(40, 30)), Caption(description="Größe 海"))
        bens = await library.add("ben", io.BytesIO(pictures.webp(60, 40)), Caption(title="Ben's"))
        await library.edit("ben", bens.photo.id, taken_at=datetime(2023, 4, 5))  # noqa: DTZ001, a local time
        deleted = (await library.add("ben", io.BytesIO(pictures.gif(60, 40)))).photo
        await library.delete("ben", deleted.id)
        await library.uploads.begin("ben", size=1000, content_type="image/png")
        pending = keys.new_storage_id()
        await library.backends.catalog.reservations.reserve(
            "ann", Caption(), storage_id=pending, now=LONG_AGO
        )
        left = [keys.original(storage_id) for storage_id in (deleted.storage_id, pending)]
    # A deletion that was not finished, and an upload that was never acknowledged.
    for key in left:
        _s3_client(engines).put_object(Bucket=engines.bucket, Key=key, Body=pictures.gif(60, 40))
    with psycopg.connect(engines.database_url) as connection:
        connection.execute("UPDATE safelight_photos SET purged_at = NULL")
        connection.execute(
            "INSERT INTO safelight_sessions"
            " (digest, issued_by, created_at, seen_at, address, browser)"
            " VALUES (encode(sha256(%s), 'hex'), 'issuer', now(), %s, '::1', 'Mosaic')",
            (SESSION.encode(), LONG_AFTER),
        )


def _s3_client(engines: EmbeddedEngines) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=engines.s3_endpoint_url,
        region_name=engines.region,
        aws_access_key_id=engines.s3_access_key,
        aws_secret_access_key=engines.s3_secret_key,
    )


def _objects(engines: EmbeddedEngines) -> dict[str, str]:
    """Return the objects of the bucket by key, in base64."""
    store = _s3_client(engines)
    found = store.list_objects_v2(Bucket=engines.bucket, Prefix="photos/")
    return {
        item["Key"]: base64.b64encode(
            store.get_object(Bucket=engines.bucket, Key=item["Key"])["Body"].read()
        ).decode()
        for item in found["Contents"]
    }


def _schema_number(engines: EmbeddedEngines) -> str:
    with psycopg.connect(engines.database_url) as connection:
        row = connection.execute("SELECT version_num FROM safelight_alembic_version").fetchone()
    assert row is not None
    return str(row[0])


def _dump_catalog(engines: EmbeddedEngines) -> str:
    """Dump the catalog as statements that work on any PostgreSQL, for any role."""
    program = (
        binaries.postgres_package() / f"pginstall{binaries.POSTGRES_MAJOR}" / "bin" / "pg_dump"
    )
    output = subprocess.run(
        [program, "--no-owner", "--no-privileges", "--inserts", engines.database_url],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return "\n".join(line for line in output.splitlines() if not _SKIPPED_LINES.match(line)) + "\n"


def _write(path: Path, text: str) -> None:
    if path.exists():
        sys.exit(f"{path} already exists and was not replaced.")
    path.write_text(text)
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
