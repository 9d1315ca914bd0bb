"""What a release leaves behind: its catalog as SQL, and the objects that it names, as JSON.

``PYTHONPATH=tests python -m upgrades.made`` writes both beside this file, named by the schema's
number, with the code that is checked out. What is there already stays as it is: it was released.
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

import pictures
from integration.served import settings_for
from safelight import keys
from safelight.engines import EmbeddedEngines, wheels
from safelight.library import Library
from safelight.photo import Caption

FOLDER = Path(__file__).parent
SESSION = "the secret of a session that never grows old"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
LONG_AFTER = datetime(2100, 1, 1, tzinfo=UTC)
_ABOUT_THE_SERVER = re.compile(
    r"SET (?!check_function_bodies)|\\(un)?restrict|--|$|SELECT pg_catalog\.set_config"
)
"""Lines of a dump that are about the server which it came from, or about nothing."""


def main() -> None:
    """Make the dump of the newest schema, on engines of its own."""
    with tempfile.TemporaryDirectory() as folder:
        engines = EmbeddedEngines(Path(folder) / "engines", bucket="safelight")
        engines.start()
        try:
            asyncio.run(_lived(engines, Path(folder)))
            number = _number(engines)
            _write(FOLDER / f"{number}.sql", _dumped(engines))
            _write(FOLDER / f"{number}.json", json.dumps(_objects(engines), indent=1) + "\n")
        finally:
            engines.stop()


async def _lived(engines: EmbeddedEngines, folder: Path) -> None:
    """Let photos of two owners come and go, and leave it as if it had been killed meanwhile."""
    library = Library.from_settings(settings_for(engines, folder / "data"), worker=False)
    async with library.lifespan(None):
        upright = pictures.exif(3, "2024:05:06 07:08:09")
        beach = io.BytesIO(pictures.jpeg(700, 300, quality=10, exif=upright))
        await library.add("ann", beach, Caption(title="The beach", filename="b'ach \\1.jpg"))
        await library.add("ann", io.BytesIO(pictures.png(40, 30)), Caption(description="Größe 海"))
        await library.add("ben", io.BytesIO(pictures.webp(60, 40)), Caption(title="Ben's"))
        doomed = (await library.add("ben", io.BytesIO(pictures.gif(60, 40)))).photo
        await library.delete("ben", doomed.id)
        await library.begin_upload("ben", size=1000, content_type="image/png")
        name = keys.new_name()
        await library.parts.catalog.reservations.make("ann", Caption(), name=name, now=LONG_AGO)
        left = [keys.original(each) for each in (doomed.name, name)]
    # A deletion that didn't come to its end, and an upload that was never acknowledged.
    for key in left:
        _store(engines).put_object(Bucket=engines.bucket, Key=key, Body=pictures.gif(60, 40))
    with psycopg.connect(engines.database_url) as connection:
        connection.execute("UPDATE safelight_photos SET purged_at = NULL")
        connection.execute(
            "INSERT INTO safelight_sessions"
            " (digest, issued_by, created_at, seen_at, address, browser)"
            " VALUES (encode(sha256(%s), 'hex'), 'issuer', now(), %s, '::1', 'Mosaic')",
            (SESSION.encode(), LONG_AFTER),
        )


def _store(engines: EmbeddedEngines) -> Any:  # noqa: ANN401  boto3 makes its class as it runs
    return boto3.client(
        "s3",
        endpoint_url=engines.s3_endpoint_url,
        region_name=engines.region,
        aws_access_key_id=engines.s3_access_key,
        aws_secret_access_key=engines.s3_secret_key,
    )


def _objects(engines: EmbeddedEngines) -> dict[str, str]:
    """Give what is in the bucket, each object in base64, by its key."""
    store = _store(engines)
    found = store.list_objects_v2(Bucket=engines.bucket, Prefix="photos/")
    return {
        each["Key"]: base64.b64encode(
            store.get_object(Bucket=engines.bucket, Key=each["Key"])["Body"].read()
        ).decode()
        for each in found["Contents"]
    }


def _number(engines: EmbeddedEngines) -> str:
    with psycopg.connect(engines.database_url) as connection:
        row = connection.execute("SELECT version_num FROM safelight_alembic_version").fetchone()
    assert row is not None
    return str(row[0])


def _dumped(engines: EmbeddedEngines) -> str:
    """Dump the catalog as statements that any PostgreSQL takes, whoever it belongs to there."""
    program = wheels.postgres_package() / f"pginstall{wheels.POSTGRES_MAJOR}" / "bin" / "pg_dump"
    said = subprocess.run(
        [program, "--no-owner", "--no-privileges", "--inserts", engines.database_url],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return "\n".join(line for line in said.splitlines() if not _ABOUT_THE_SERVER.match(line)) + "\n"


def _write(path: Path, text: str) -> None:
    if path.exists():
        sys.exit(f"{path} is there already, and stays as it is.")
    path.write_text(text)
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
