"""The schema: migrated once, equal to the table definitions, and never downgraded."""

import asyncio
from datetime import UTC, datetime

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import URL, Connection, create_engine, inspect, make_url, text

from safelight import keys
from safelight.catalog import Catalog
from safelight.catalog.migrate import _LOCK
from safelight.catalog.tables import metadata
from safelight.engines import EmbeddedEngines
from safelight.errors import CatalogUnavailable, SettingsError
from safelight.models import Caption


def _with_password(url: URL) -> str:
    return url.render_as_string(hide_password=False)


async def test_concurrent_upgrades_create_the_schema_once(empty_database: str) -> None:
    catalogs = [Catalog(empty_database) for _ in range(4)]
    try:
        await asyncio.gather(*(catalog.upgrade() for catalog in catalogs))
        row = await catalogs[0].reservations.reserve(
            "a", Caption(), storage_id=keys.new_storage_id(), now=datetime.now(UTC)
        )
        await asyncio.gather(*(catalog.upgrade() for catalog in catalogs))
        assert await catalogs[3].reservations.abandon(row, now=datetime.now(UTC)) is not None
    finally:
        await asyncio.gather(*(catalog.close() for catalog in catalogs))


async def test_migrations_and_table_definitions_give_the_same_schema(empty_database: str) -> None:
    catalog = Catalog(empty_database)
    await catalog.upgrade()
    await catalog.close()
    assert await asyncio.to_thread(_run_sync, empty_database, _differences) == []
    # Alembic compares neither checks nor all of an index, so compare PostgreSQL's definitions too.
    migrated = await asyncio.to_thread(_run_sync, empty_database, _definitions)
    await asyncio.to_thread(_run_sync, empty_database, _recreate)
    assert migrated == await asyncio.to_thread(_run_sync, empty_database, _definitions)


def _run_sync(url: str, work):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    try:
        with engine.begin() as connection:
            return work(connection)
    finally:
        engine.dispose()


def _is_managed(_object: object, name: str | None, kind: str, *_: object) -> bool:
    return not (kind == "table" and name is not None and not name.startswith("safelight_")) and (
        name != "safelight_alembic_version"
    )


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(
        connection,
        opts={
            "include_object": _is_managed,
            "compare_type": True,
            "compare_server_default": True,
            "version_table": "safelight_alembic_version",
        },
    )
    return list(compare_metadata(context, metadata))


def _definitions(connection: Connection) -> set[str]:
    tables = ", ".join(f"'{name}'" for name in metadata.tables)
    indexes = connection.execute(
        text(f"SELECT indexdef FROM pg_indexes WHERE tablename IN ({tables})")
    ).scalars()
    checks = connection.execute(
        text(
            "SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint"
            f" WHERE conrelid::regclass::text IN ({tables}) AND contype IN ('c', 'u', 'p', 'f')"
        )
    ).scalars()
    return {*indexes, *checks}


def _recreate(connection: Connection) -> None:
    metadata.drop_all(connection)
    assert not set(metadata.tables) & set(inspect(connection).get_table_names())
    metadata.create_all(connection)


async def test_newer_schema_is_refused_and_left_unchanged(empty_database: str) -> None:
    catalog = Catalog(empty_database)
    await catalog.upgrade()
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("UPDATE safelight_alembic_version SET version_num = '9999'")
        with pytest.raises(SettingsError, match="newer Safelight"):
            await catalog.upgrade()
        rows = connection.execute("SELECT version_num FROM safelight_alembic_version").fetchall()
    await catalog.close()
    assert rows == [("9999",)]


async def test_upgrade_waits_for_a_concurrent_migration_beyond_the_query_timeout(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_timeouts = "SET statement_timeout = '2s'; SET lock_timeout = '2s'"
    monkeypatch.setattr("safelight.catalog.connections.pool._SESSION", short_timeouts)
    catalog = Catalog(empty_database)
    async with await psycopg.AsyncConnection.connect(empty_database) as migrating:
        await migrating.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        waiting = asyncio.create_task(catalog.upgrade())
        await asyncio.sleep(3)
        assert not waiting.done()
        await migrating.rollback()
        await waiting
    timeout = await catalog._database.read(
        lambda connection: connection.scalar(text("SHOW statement_timeout"))
    )
    await catalog.close()
    assert timeout == "2s", "only the migration waits longer"


async def test_missing_permission_to_create_tables_is_reported(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("REVOKE ALL ON SCHEMA public FROM pg_database_owner, public")
    catalog = Catalog(empty_database)
    with pytest.raises(SettingsError, match="cannot create tables"):
        await catalog.upgrade()
    await catalog.close()


async def test_options_in_the_database_url_are_kept(engines: EmbeddedEngines) -> None:
    url = make_url(engines.database_url)
    with_option = url.update_query_dict({"options": "-c search_path=mine"}, append=True)
    catalog = Catalog(_with_password(with_option))
    rows = await catalog._database.read(
        lambda connection: connection.execute(
            text("SELECT current_setting('search_path'), current_setting('timezone')")
        )
    )
    await catalog.close()
    assert tuple(rows.one()) == ("mine", "UTC")


async def test_missing_database_is_reported_within_seconds(
    engines: EmbeddedEngines,
) -> None:
    unreachable = "postgresql://user:password@127.0.0.1:1/none"
    missing = make_url(engines.database_url).set(database="not_there")
    for url in (unreachable, _with_password(missing)):
        catalog = Catalog(url)
        with pytest.raises(CatalogUnavailable):
            await asyncio.wait_for(catalog.ping(), 120)
        await catalog.close()
