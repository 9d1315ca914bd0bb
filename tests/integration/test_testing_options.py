"""The options of pytest that name an app's library and tables."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.ext.asyncio import AsyncSession

from safelight import Library, UsageError
from safelight.engines import EmbeddedEngines
from safelight.errors import SettingsError
from safelight.testing.options import LIBRARY, TABLES, configured_library, configured_tables
from support.databases import database

SHOP = Path(__file__).parents[2] / "examples" / "shop"
APP = """
from safelight import Library, SyncLibrary
from sqlalchemy import Column, Integer, MetaData, Table

class Base:
    metadata = MetaData()

Table("notes", Base.metadata, Column("id", Integer, primary_key=True))
library = Library(None)
blocking = SyncLibrary(library)
called = []
"""

Configure = Callable[..., Any]


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Return the configuration of an app's tests."""
    (tmp_path / "an_app.py").write_text(APP)
    monkeypatch.syspath_prepend(tmp_path)

    def make(rootpath: Path = tmp_path, **options: str) -> Any:
        return SimpleNamespace(rootpath=rootpath, getini=lambda name: options.get(name, ""))

    return make


def test_library_is_that_of_the_app(configure: Configure) -> None:
    import an_app  # type: ignore[import-not-found]

    assert configured_library(configure()) is None
    for name in ("an_app:library", "an_app:blocking"):
        assert configured_library(configure(**{LIBRARY: name})) is an_app.library
    for wrong in ("an_app:called", "an_app:nothing", "no_app:library", "an_app", ":library"):
        with pytest.raises(SettingsError, match=LIBRARY):
            configured_library(configure(**{LIBRARY: wrong}))


def test_tables_are_created_by_metadata_or_a_function(
    configure: Configure, postgres: EmbeddedEngines
) -> None:
    assert configured_tables(configure()) is None
    with database(postgres) as plain:
        url = plain.replace("postgresql://", "postgresql+psycopg://")
        create = configured_tables(configure(**{TABLES: "an_app:Base.metadata"}))
        assert create
        create(url)
        engine = create_engine(url)
        assert inspect(engine).has_table("notes")
        engine.dispose()
    append = configured_tables(configure(**{TABLES: "an_app:called.append"}))
    assert append
    append("the URL")
    import an_app

    assert an_app.called == ["the URL"]
    with pytest.raises(SettingsError, match="neither a MetaData nor a function"):
        configured_tables(configure(**{TABLES: "an_app:called"}))


def test_tables_are_migrated_by_the_apps_alembic(
    configure: Configure, postgres: EmbeddedEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(SHOP)
    with database(postgres) as plain, database(postgres) as other:
        url = plain.replace("postgresql://", "postgresql+psycopg://")
        monkeypatch.setenv("DATABASE_URL", other)
        migrate = configured_tables(configure(SHOP, **{TABLES: "alembic.ini"}))
        assert migrate
        migrate(url)
        engine = create_engine(url)
        assert inspect(engine).has_table("products")
        engine.dispose()


async def test_engine_is_for_rows_and_closed_with_the_library(memory_library: Library) -> None:
    async with AsyncSession(memory_library.engine) as session:
        assert await session.scalar(text("SELECT count(*) FROM safelight_photos")) == 0
    engine = memory_library.engine
    assert engine is memory_library.engine
    await memory_library.close()
    assert engine.pool.checkedin() == 0  # type: ignore[attr-defined]  # of a queue
    with pytest.raises(UsageError, match="not started"):
        _ = memory_library.engine
