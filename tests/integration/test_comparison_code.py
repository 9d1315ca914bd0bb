"""Safelight's code in docs/comparison.md does what the page says."""

import ast
import inspect
import re
import warnings
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import safelight
from safelight import InvalidRequest, Library, NotFound, photo_router
from safelight.engines import EmbeddedEngines
from safelight.library.lifecycle import utc_now
from safelight.settings import Settings
from safelight.testing.libraries import open_memory_backends
from support.databases import database
from support.memory_library import PillowDarkroom, open_memory_library
from support.pictures import jpeg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Starlette would like a package that FastAPI doesn't require
    from fastapi.testclient import TestClient

PAGE = Path(__file__).parents[2] / "docs" / "comparison.md"


def _ours() -> dict[str, list[str]]:
    """Return the blocks of each section that are about Safelight: those before the others'."""
    _, *parts = re.split(r"^## (.+)$", PAGE.read_text(), flags=re.MULTILINE)
    sections = {}
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        ours = text.partition("\nActive Storage")[0]
        if blocks := re.findall(r"^```python\n(.*?)^```$", ours, re.DOTALL | re.MULTILINE):
            sections[title] = blocks
    return sections


OURS = _ours()


class Reader:
    """Runs the page's code, with what a reader's program has around it, as the user ``ada``."""

    def __init__(self, library: Library) -> None:
        class Base(DeclarativeBase):
            pass

        class Product(Base):
            __tablename__ = "products"
            id: Mapped[int] = mapped_column(primary_key=True)
            name: Mapped[str]
            seller: Mapped[str]
            photo_id: Mapped[int | None] = library.photo_column(owner="seller")

        self.library = library
        self.base: Any = Base
        self.sessions = async_sessionmaker(library.engine, expire_on_commit=False)
        self.session: AsyncSession = self.sessions()
        self.names: dict[str, Any] = {
            **{name: getattr(safelight, name) for name in safelight.__all__},
            "Mapped": Mapped,
            "mapped_column": mapped_column,
            "datetime": datetime,
            "timedelta": timedelta,
            "UTC": UTC,
            "library": library,
            "session": self.session,
            "sessions": self.sessions,
            "Base": Base,
            "Product": Product,
            "me": "ada",
            "name": "Cup",
            "photo": jpeg(),
        }

    async def run(self, code: str) -> None:
        """Run code. A user is there as soon as their class is."""
        for statement in ast.parse(code).body:
            module = ast.Module([statement], [])
            flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            result = eval(compile(module, PAGE.name, "exec", flags), self.names)
            if inspect.iscoroutine(result):
                await result
            if isinstance(statement, ast.ClassDef):
                await self.create()
                self.names["user"] = self.names["User"](name="ada")
                self.session.add(self.names["user"])
                await self.session.commit()

    async def create(self) -> None:
        async with self.library.engine.begin() as connection:
            await connection.run_sync(self.base.metadata.create_all)

    async def attach(self) -> Any:
        """Run the first block, and return the user, who has an avatar."""
        await self.run(OURS["Lines to attach"][0])
        await self.session.commit()
        return self.names["user"]

    async def product(self, **values: Any) -> Any:
        await self.create()
        product = self.names["product"] = self.names["Product"](name="Cup", **values)
        self.session.add(product)
        await self.session.commit()
        return product

    async def owned(self, owner: str = "ada") -> list[int]:
        return [photo.id for photo in (await self.library.list_photos(owner)).photos]


@pytest.fixture
async def reader(postgres: EmbeddedEngines, tmp_path: Path) -> AsyncIterator[Reader]:
    names = {name: getattr(safelight, name) for name in safelight.__all__}
    exec(OURS["Variants on demand"][0], names)
    renditions = names["settings"].renditions
    with database(postgres) as url:
        async with open_memory_library(url, tmp_path, renditions=renditions) as library:
            reader = Reader(library)
            yield reader
            await reader.session.close()


async def test_lines_to_attach(reader: Reader) -> None:
    column, owner = OURS["Lines to attach"]
    await reader.run(column)
    await reader.session.commit()
    assert await reader.owned() == [reader.names["user"].avatar_id]
    product = await reader.product(seller="ada")
    await reader.run(owner)
    assert not reader.names["page"].photos, "The photo is only visible after the commit."
    await reader.session.commit()
    assert len(await reader.owned(f"product/{product.id}")) == 1


async def test_variants_on_demand(reader: Reader) -> None:
    _, ask = OURS["Variants on demand"]
    added = (await reader.library.add("ada", jpeg())).photo
    assert "avatar" not in {rendition.name for rendition in added.renditions}
    reader.names["photo"] = added
    await reader.run(ask)
    stored = await reader.library.photo("ada", added.id)
    (avatar,) = [rendition for rendition in stored.renditions if rendition.name == "avatar"]
    assert avatar.key in reader.names["url"]


async def test_validation(reader: Reader) -> None:
    (rule,) = OURS["Validation"]
    await reader.run(rule)
    user, library = reader.names["user"], reader.library
    user.avatar_id = (await library.add("ada", jpeg(64, 48), within=reader.session)).photo.id
    with pytest.raises(InvalidRequest, match="at least 200 by 200"):
        await reader.session.commit()
    await reader.session.rollback()
    assert await reader.owned() == []
    user.avatar_id = (await library.add("ada", jpeg(300, 200), within=reader.session)).photo.id
    await reader.session.commit()
    assert await reader.owned() == [user.avatar_id]


async def test_direct_upload(reader: Reader) -> None:
    (attach,) = OURS["Direct upload"]
    await reader.create()
    for owner in ("grace", "ada"):
        reader.names["photo_id"] = (await reader.library.add(owner, jpeg())).photo.id
        await reader.run(attach)
        if owner == "grace":
            with pytest.raises(NotFound):
                await reader.session.commit()
            await reader.session.rollback()
    await reader.session.commit()


def test_tests(postgres: EmbeddedEngines, tmp_path: Path) -> None:
    (test,) = OURS["Tests"]
    with database(postgres) as url:
        settings = Settings(data_dir=tmp_path, database_url=url)
        darkroom = PillowDarkroom(settings.limits)
        library = Library(
            lambda: open_memory_backends(settings, url, utc_now, darkroom=darkroom),
            worker=False,
            settings=settings,
        )
        app = FastAPI(lifespan=library.lifespan)
        app.include_router(photo_router(library, owner=lambda: "ada"), prefix="/api")
        names: dict[str, Any] = {"TestClient": TestClient, "app": app}
        exec(test, names)
        names["test_upload"](library, jpeg)


async def test_purge(reader: Reader) -> None:
    with_the_row, calls, unused = OURS["Purge"]
    library = reader.library
    await reader.attach()
    await reader.run(with_the_row)
    assert await reader.owned() == []
    product = await reader.product(seller="ada")
    await library.add(f"product/{product.id}", jpeg())
    reader.names["photo_id"] = (await library.add("ada", jpeg())).photo.id
    await reader.run(calls)
    await reader.session.commit()
    assert await reader.owned() + await reader.owned(f"product/{product.id}") == []
    reader.names["owner"] = "ada"
    await library.add("ada", jpeg())
    await reader.run(unused)
    assert len(await reader.owned()) == 1, "It is not old enough."
    reader.names["timedelta"] = lambda days: timedelta(days - 1)
    await reader.run(unused)
    assert await reader.owned() == []


async def test_existing_files(reader: Reader) -> None:
    (adopt,) = OURS["Existing files"]
    key = re.findall(r'"(photos/.+)"', adopt)[0]
    await reader.library.backends.bucket.put(key, jpeg(), content_type="image/jpeg")
    await reader.run(adopt)
    photo = reader.names["added"].photo
    assert (photo.title, photo.filename) == ("Holiday", "holiday.jpg")
    assert photo.created_at == datetime(2021, 5, 6, tzinfo=UTC)


async def test_rollback_safety(reader: Reader) -> None:
    (attach,) = OURS["Rollback safety"]
    before = (await reader.attach()).avatar_id
    failing = re.sub(r"# an exception here.*", "raise ZeroDivisionError", attach)
    assert failing != attach
    reader.names["photo"] = jpeg(quality=50)
    with pytest.raises(ZeroDivisionError):
        await reader.run(failing)
    assert await reader.owned() == [before]
    await reader.run(attach)
    assert await reader.owned() == [before + 2]


def test_each_section_with_code_is_run() -> None:
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {title.lower().replace(" ", "_") for title in OURS} <= tested
