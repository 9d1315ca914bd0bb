"""The schema: its versions, made once, and the same as what the tables say."""

import asyncio
from datetime import UTC, datetime

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import URL, Connection, create_engine, inspect, make_url, text

from safelight import keys
from safelight.catalog import Catalog
from safelight.catalog.schema import _LOCK
from safelight.engines import EmbeddedEngines
from safelight.errors import CatalogUnavailable, SettingsError
from safelight.photo import Caption
from safelight.tables import metadata


def _written(url: URL) -> str:
    return url.render_as_string(hide_password=False)


async def test_of_several_that_start_at_once_one_makes_the_schema(empty: str) -> None:
    catalogs = [Catalog(empty) for _ in range(4)]
    try:
        await asyncio.gather(*(catalog.upgrade() for catalog in catalogs))
        row = await catalogs[0].reservations.make(
            "a", Caption(), name=keys.new_name(), now=datetime.now(UTC)
        )
        await asyncio.gather(*(catalog.upgrade() for catalog in catalogs))
        assert await catalogs[3].reservations.abandon(row, now=datetime.now(UTC)) is not None
    finally:
        await asyncio.gather(*(catalog.close() for catalog in catalogs))


async def test_the_migrations_make_what_the_tables_say(empty: str) -> None:
    catalog = Catalog(empty)
    await catalog.upgrade()
    await catalog.close()
    assert await asyncio.to_thread(_schema, empty, _differences) == []
    # Alembic compares neither checks nor all of an index: so what PostgreSQL itself says of both.
    migrated = await asyncio.to_thread(_schema, empty, _definitions)
    await asyncio.to_thread(_schema, empty, _made_anew)
    assert migrated == await asyncio.to_thread(_schema, empty, _definitions)


def _schema(url: str, work):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    try:
        with engine.begin() as connection:
            return work(connection)
    finally:
        engine.dispose()


def _ours(_object: object, name: str | None, kind: str, *_: object) -> bool:
    return not (kind == "table" and name is not None and not name.startswith("safelight_")) and (
        name != "safelight_alembic_version"
    )


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(
        connection,
        opts={
            "include_object": _ours,
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


def _made_anew(connection: Connection) -> None:
    metadata.drop_all(connection)
    assert not set(metadata.tables) & set(inspect(connection).get_table_names())
    metadata.create_all(connection)


async def test_a_schema_of_a_newer_version_is_refused_and_left_alone(empty: str) -> None:
    catalog = Catalog(empty)
    await catalog.upgrade()
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("UPDATE safelight_alembic_version SET version_num = '9999'")
        with pytest.raises(SettingsError, match="newer Safelight"):
            await catalog.upgrade()
        told = connection.execute("SELECT version_num FROM safelight_alembic_version").fetchall()
    await catalog.close()
    assert told == [("9999",)]


async def test_one_waits_for_another_s_migration_longer_than_for_a_query(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = "-c statement_timeout=200ms -c lock_timeout=200ms"
    monkeypatch.setattr("safelight.catalog.database._OPTIONS", impatient)
    catalog = Catalog(empty)
    async with await psycopg.AsyncConnection.connect(empty) as migrating:
        await migrating.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        waiting = asyncio.create_task(catalog.upgrade())
        await asyncio.sleep(1)
        assert not waiting.done()
        await migrating.rollback()
        await waiting
    told = await catalog._database.read(
        lambda connection: connection.scalar(text("SHOW statement_timeout"))
    )
    await catalog.close()
    assert told == "200ms", "it is for the migration alone"


async def test_a_user_that_may_make_no_tables_is_told_so(empty: str) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("REVOKE ALL ON SCHEMA public FROM pg_database_owner, public")
    catalog = Catalog(empty)
    with pytest.raises(SettingsError, match="may not make tables"):
        await catalog.upgrade()
    await catalog.close()


async def test_options_of_the_url_are_kept_beside_ours(engines: EmbeddedEngines) -> None:
    url = make_url(engines.database_url)
    asked = url.update_query_dict({"options": "-c search_path=mine"}, append=True)
    catalog = Catalog(_written(asked))
    told = await catalog._database.read(
        lambda connection: connection.execute(
            text("SELECT current_setting('search_path'), current_setting('timezone')")
        )
    )
    await catalog.close()
    assert tuple(told.one()) == ("mine", "UTC")


async def test_a_database_that_is_not_there_is_unavailable_and_told_in_time(
    engines: EmbeddedEngines,
) -> None:
    nowhere = "postgresql://nobody:nothing@127.0.0.1:1/none"
    missing = make_url(engines.database_url).set(database="not_there")
    for url in (nowhere, _written(missing)):
        catalog = Catalog(url)
        with pytest.raises(CatalogUnavailable):
            await asyncio.wait_for(catalog.ping(), 30)
        await catalog.close()
