"""A host application's own Alembic, in the database of Safelight's tables."""

import asyncio
import importlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog import Catalog
from safelight.engines import EmbeddedEngines
from safelight.library import Library
from support.app_server import settings_for
from support.pictures import jpeg

SHOP = Path(__file__).parents[2] / "examples" / "shop"


@pytest.fixture
def shop(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Config]:
    """The Alembic of the example, on a database with Safelight's tables."""
    url = database_url.replace("postgresql+psycopg://", "postgresql://")
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.syspath_prepend(SHOP)
    yield Config(SHOP / "alembic.ini")
    for name in ("app", "models", "photo_library"):
        sys.modules.pop(name, None)


def _proposed(config: Config, folder: Path) -> str:
    """Return what `alembic revision --autogenerate` proposes."""
    config.set_main_option(
        "version_locations", f"{folder}{os.pathsep}{SHOP / 'migrations' / 'versions'}"
    )
    command.revision(config, message="proposed", autogenerate=True, version_path=str(folder))
    (path,) = folder.glob("*.py")
    return path.read_text()


def test_autogenerate_proposes_nothing_about_safelights_tables(
    shop: Config, tmp_path: Path
) -> None:
    command.upgrade(shop, "head")
    proposed = _proposed(shop, tmp_path)
    assert "    pass" in proposed
    assert "op." not in proposed


def test_autogenerate_sees_the_hosts_own_changes(shop: Config, tmp_path: Path) -> None:
    proposed = _first_revision(shop, tmp_path)
    assert proposed.count("op.create_table") == 2
    assert "safelight_photos.id" in proposed
    assert "drop" not in proposed.partition("def downgrade")[0]
    assert "procrastinate" not in proposed


def _first_revision(config: Config, folder: Path) -> str:
    """Return what it proposes for an empty database of the host."""
    config.set_main_option("version_locations", str(folder))
    command.revision(config, message="first", autogenerate=True, version_path=str(folder))
    (path,) = folder.glob("*.py")
    return path.read_text()


def test_without_the_filter_all_tables_would_be_dropped(shop: Config, tmp_path: Path) -> None:
    """What the filter is for; if this fails, Alembic has changed."""
    command.upgrade(shop, "head")
    folder = tmp_path / "migrations"
    folder.mkdir()
    for name in ("env.py", "script.py.mako"):
        source = (SHOP / "migrations" / name).read_text()
        (folder / name).write_text(source.replace("include_name=include_name", ""))
    versions = SHOP / "migrations" / "versions"
    shop.set_main_option("script_location", str(folder))
    shop.set_main_option("version_locations", str(versions))
    (tmp_path / "out").mkdir()
    assert "op.drop_table('safelight_photos')" in _proposed(shop, tmp_path / "out")


async def _warnings(
    engines: EmbeddedEngines,
    folder: Path,
    url: str,
    caplog: pytest.LogCaptureFixture,
    *,
    filtered: bool = False,
) -> int:
    settings = settings_for(engines, folder, database_url=url, alembic_filtered=filtered)
    caplog.clear()
    with caplog.at_level(logging.WARNING, "safelight"):
        async with Library.from_settings(settings, worker=False):
            pass
    return caplog.text.count("include_name=safelight.alembic.include_name")


async def test_start_warns_once_until_the_filter_is_confirmed(
    engines: EmbeddedEngines, shop: Config, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = os.environ["DATABASE_URL"]
    assert await _warnings(engines, tmp_path, url, caplog) == 0
    await asyncio.to_thread(command.upgrade, shop, "head")
    assert await _warnings(engines, tmp_path, url, caplog) == 1
    assert await _warnings(engines, tmp_path, url, caplog, filtered=True) == 0


async def test_version_table_in_another_schema_is_harmless(database_url: str) -> None:
    catalog = Catalog(database_url)

    async def create(connection: AsyncConnection) -> None:
        await connection.execute(text("CREATE SCHEMA other"))
        await connection.execute(text("CREATE TABLE other.alembic_version (version_num text)"))

    try:
        await catalog.transaction(create)
        assert not await catalog.has_host_alembic()
    finally:
        await catalog.close()


async def test_shop_shows_its_photos(
    engines: EmbeddedEngines, shop: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAFELIGHT_S3__ENDPOINT_URL", engines.s3_endpoint_url)
    monkeypatch.setenv("SAFELIGHT_S3__ACCESS_KEY", engines.s3_access_key)
    monkeypatch.setenv("SAFELIGHT_S3__SECRET_KEY", engines.s3_secret_key)
    monkeypatch.setenv("SAFELIGHT_DATA_DIR", str(tmp_path / "data"))
    await asyncio.to_thread(command.upgrade, shop, "head")
    app = importlib.import_module("app").app
    ada, ben = {"X-User": "ada"}, {"X-User": "ben"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client,
    ):
        avatar = await client.put("/me/avatar", files={"photo": ("a.jpg", jpeg())}, headers=ada)
        async with httpx.AsyncClient() as store:
            made = await store.get(avatar.json()["url"])
        assert made.headers["content-type"] == "image/webp"
        added = await client.post("/api/photos", files={"photo": ("b.jpg", jpeg(90))}, headers=ada)
        product = {"name": "A lamp", "photo_id": added.json()["id"]}
        foreign = await client.post("/products", params=product, headers=ben)
        assert (foreign.status_code, foreign.json()["code"]) == (404, "not_found")
        made_product = await client.post("/products", params=product, headers=ada)
        assert made_product.status_code == 201
        page = (await client.get("/shops/ada")).text
        assert page.startswith('<img src="http')
        assert " 90w&" not in page
        assert ' 90w" ' in page
        library = importlib.import_module("photo_library").library
        removed = f"/products/{made_product.json()['id']}"
        assert (await client.delete(removed, headers=ben)).status_code == 404
        assert len((await library.list_photos("ada")).photos) == 2
        assert (await client.delete(removed, headers=ada)).status_code == 204
        await client.put("/me/avatar", files={"photo": ("a.jpg", jpeg(91))}, headers=ada)
        (avatar_now,) = (await library.list_photos("ada")).photos
        assert avatar_now.facts.width == 91
