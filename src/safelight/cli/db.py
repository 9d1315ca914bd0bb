"""``safelight db``: the database schema, and the bucket that belongs to it."""

from typing import TYPE_CHECKING, Annotated, TypeVar

from cyclopts import App, Parameter

from safelight.errors import SettingsError
from safelight.terminal import print_note, print_result

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from safelight.catalog import Catalog
    from safelight.settings import Settings

app = App(name="db", help="Upgrade the database schema, or set the bucket of its photos.")

T = TypeVar("T")
_Bucket = Annotated[str, Parameter(name="BUCKET", help="The bucket's name.")]


@app.command
def upgrade() -> None:
    """Upgrade the database schema to the newest version.

    The database is the one at SAFELIGHT_DATABASE_URL. `serve` also does this
    when it starts; use this command to upgrade before a deployment.

    Example: SAFELIGHT_DATABASE_URL=postgresql://… safelight db upgrade
    """
    from safelight.settings.environment import read_settings

    upgrade_schema(read_settings())


def upgrade_schema(settings: "Settings") -> None:
    """Upgrade the schema of the configured database. Raises SettingsError."""
    if settings.database_url is None:
        raise SettingsError(
            "SAFELIGHT_DATABASE_URL is not set. 'safelight serve' upgrades the embedded database."
        )
    import asyncio

    from safelight.settings.validators import reveal

    asyncio.run(_use_catalog(reveal(settings.database_url), _no_change))
    print_result("The database schema is up to date.")


@app.command(name="set-bucket")
def set_bucket(bucket: _Bucket, /) -> None:
    """Set the bucket that has the photos of the database.

    A database remembers its bucket, and `serve` refuses another one. Use this
    after you have copied all photos to another bucket. With the embedded
    database, stop the server first.

    Example: safelight db set-bucket pictures
    """
    from pydantic import ValidationError

    from safelight.settings import S3Settings
    from safelight.settings.environment import read_settings

    try:
        S3Settings(bucket=bucket)
    except ValidationError as error:
        raise SettingsError(f"{bucket!r} is not a valid name of a bucket.") from error
    replace_bucket(read_settings(), bucket)


def replace_bucket(settings: "Settings", bucket: str) -> None:
    """Store the name of the bucket in the database. Raises OperatorError."""
    import asyncio

    from safelight.settings.validators import reveal

    async def replace(catalog: "Catalog") -> str | None:
        return await catalog.bucket_record.replace(bucket)

    if settings.database_url:
        before = asyncio.run(_use_catalog(reveal(settings.database_url), replace))
    else:
        from safelight.engines import EmbeddedEngines

        if not (settings.data_dir / "postgres").is_dir():
            raise SettingsError(
                f"There is no database in {settings.data_dir.absolute()}: set SAFELIGHT_DATA_DIR or"
                " SAFELIGHT_DATABASE_URL to the server's value."
            )
        engines = EmbeddedEngines(settings.data_dir, bucket=settings.s3.bucket, storage=False)
        engines.start()
        try:
            before = asyncio.run(_use_catalog(engines.database_url, replace))
        finally:
            engines.stop()
    was = f" (before: {before})" if before not in {None, bucket} else ""
    print_result(f"The bucket of this database is {bucket}{was}.")
    if settings.s3.bucket != bucket:
        print_note(f"Start the server with SAFELIGHT_S3__BUCKET={bucket}.")


async def _no_change(_catalog: "Catalog") -> None:
    return None


async def _use_catalog(url: str, work: "Callable[[Catalog], Awaitable[T]]") -> T:
    """Upgrade the catalog, and run `work` with it."""
    from safelight.catalog import Catalog

    catalog = Catalog(url)
    try:
        await catalog.upgrade()
        return await work(catalog)
    finally:
        await catalog.close()
