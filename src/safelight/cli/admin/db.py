"""``safelight db``: the database schema, and the bucket that belongs to it."""

import contextlib
from typing import TYPE_CHECKING, Annotated, TypeVar

from cyclopts import App, Parameter

from safelight.cli.options import option
from safelight.errors import SettingsError
from safelight.terminal import print_note, print_result

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from safelight.catalog import Catalog
    from safelight.engines import EmbeddedEngines
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
def set_bucket(
    bucket: _Bucket,
    /,
    *,
    force: Annotated[bool, option("Set it without looking for the photos in it.")] = False,
) -> None:
    """Set the bucket that has the photos of the database.

    A database remembers its bucket, and `serve` refuses another one. Use this
    after you have stopped all servers and copied all photos to another bucket.
    A sample of the photos must be there.

    Example: safelight db set-bucket pictures
    """
    from pydantic import ValidationError

    from safelight.settings import S3Settings
    from safelight.settings.environment import read_settings

    try:
        S3Settings(bucket=bucket)
    except ValidationError as error:
        raise SettingsError(f"{bucket!r} is not a valid name of a bucket.") from error
    replace_bucket(read_settings(), bucket, force=force)


def replace_bucket(settings: "Settings", bucket: str, *, force: bool = False) -> None:
    """Store the name of the bucket in the database. Raises OperatorError."""
    import asyncio

    from safelight.server.record import running_servers

    for server in running_servers(settings.data_dir):
        raise SettingsError(
            f"The server with the process {server.pid} is running, and would go on with the bucket"
            " that it has now. Stop it and all other servers and workers of this database first."
        )
    s3 = settings.s3.model_copy(update={"bucket": bucket})
    moved = settings.model_copy(update={"s3": s3})
    if settings.database_url is None and not (settings.data_dir / "postgres").is_dir():
        raise SettingsError(
            f"There is no database in {settings.data_dir.absolute()}: set SAFELIGHT_DATA_DIR or"
            " SAFELIGHT_DATABASE_URL to the server's value."
        )
    if settings.database_url and not (
        force or s3.endpoint_url or (settings.data_dir / "seaweedfs").is_dir()
    ):
        raise SettingsError(
            "The bucket can't be checked: set SAFELIGHT_S3__ENDPOINT_URL and the keys to the"
            " server's values, or add --force."
        )
    is_new = s3.endpoint_url is None and not _embedded_store_has_bucket(moved)
    if is_new and not force:
        raise SettingsError(
            f"The embedded store has no bucket {bucket!r}. This command creates none and copies no"
            " photos: correct the name. To set it anyway, add --force; the next start then creates"
            " the bucket, which is empty."
        )
    before, count = _with_engines(
        moved, lambda engines: asyncio.run(_replace(moved, engines, force=force)), storage=not force
    )
    was = f" (before: {before})" if before not in {None, bucket} else ""
    checked = f" Photos found there in a sample: {count}." if count else ""
    print_result(f"The bucket of this database is {bucket}{was}.{checked}")
    if is_new:
        print_note(
            "The embedded store has no such bucket: the next start creates it, and photos that are"
            " in another one will be missing."
        )
    if settings.s3.bucket != bucket:
        print_note(f"Start all servers and workers with SAFELIGHT_S3__BUCKET={bucket}.")


def _embedded_store_has_bucket(settings: "Settings") -> bool:
    from safelight.library.backends import make_engines

    engines = make_engines(settings)
    return engines is not None and engines.has_bucket()


def _with_engines(
    settings: "Settings", work: "Callable[[EmbeddedEngines | None], T]", *, storage: bool
) -> T:
    """Run `work` while the embedded engines of the settings run, with or without the store."""
    from safelight.library.backends import make_engines

    engines = make_engines(settings, storage=storage)
    if engines is None:
        return work(None)
    engines.start()
    try:
        return work(engines)
    finally:
        engines.stop()


async def _replace(
    settings: "Settings", engines: "EmbeddedEngines | None", *, force: bool
) -> tuple[str | None, int]:
    """Return the previous bucket, and how many photos were found in the new one."""
    from safelight.catalog import Catalog
    from safelight.settings.validators import reveal

    name, count = settings.s3.bucket, 0
    if settings.database_url:
        catalog = Catalog(reveal(settings.database_url))
    else:
        assert engines is not None
        catalog = Catalog(engines.database_url)
    try:
        await catalog.upgrade()
        if not force:
            count = await _look_up(settings, engines, catalog)
        return await catalog.bucket_record.replace(name), count
    finally:
        await catalog.close()


async def _look_up(
    settings: "Settings", engines: "EmbeddedEngines | None", catalog: "Catalog"
) -> int:
    """Check the bucket of the settings, and return how many of the photos were found there."""
    from datetime import UTC, datetime

    from safelight.library.backends import bucket_config, embedded_credentials
    from safelight.library.reconcile.moved_bucket import require_photos
    from safelight.signing.credentials import CredentialProvider, make_credential_provider
    from safelight.storage import Bucket, StoreProbe

    config, timeout = bucket_config(settings, engines), settings.s3.timeout
    async with contextlib.AsyncExitStack() as stack:
        credentials: CredentialProvider
        if settings.s3.endpoint_url is None:
            assert engines is not None
            credentials = embedded_credentials(engines)
        else:
            credentials = await stack.enter_async_context(
                make_credential_provider(
                    settings.s3, lambda: datetime.now(UTC), authorities=settings.authorities
                )
            )
        report = await StoreProbe(config, credentials, timeout=timeout).run(allow_public=True)
        if report.failure:
            name = settings.s3.bucket
            raise SettingsError(f"The bucket {name!r} can't be used. {report.failure.text}")
        bucket = Bucket(config, credentials, timeout=timeout, features=report.features)
        stack.push_async_callback(bucket.close)
        return await require_photos(catalog, bucket, settings.s3.bucket)


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
