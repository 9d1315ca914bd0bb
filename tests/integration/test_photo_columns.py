"""Photos of the host's rows are deleted with the rows, in the same transaction."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import ForeignKey, create_engine, delete, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.util import immutabledict

from safelight import InvalidRequest, Library, NotFound, Photo, SyncLibrary, UsageError
from support.memory_library import statuses
from support.pictures import jpeg

_models = Library(lambda: None)  # type: ignore[arg-type,return-value]


class Base(DeclarativeBase):
    pass


class Shop(Base):
    __tablename__ = "shops"
    name: Mapped[str] = mapped_column(primary_key=True)
    items: Mapped[list["Item"]] = relationship(cascade="all, delete-orphan", lazy="selectin")


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    seller: Mapped[str] = mapped_column(ForeignKey(Shop.name))
    kind: Mapped[str] = mapped_column(default="item")
    price: Mapped[int] = mapped_column(default=0)
    photo_id: Mapped[int | None] = _models.photo_column(owner="seller")
    back_id: Mapped[int | None] = _models.photo_column(owner=lambda item: item.seller)
    __mapper_args__ = immutabledict(polymorphic_on="kind", polymorphic_identity="item")


def _require_width(photo: Photo) -> None:
    if photo.facts.width < 64:
        raise InvalidRequest("The photo must be 64 pixels wide.")


class Lamp(Item):
    __tablename__ = "lamps"
    id: Mapped[int] = mapped_column(ForeignKey(Item.id), primary_key=True)
    light_id: Mapped[int | None] = _models.photo_column(
        owner="seller", check=_require_width, unique=True
    )
    __mapper_args__ = immutabledict(polymorphic_identity="lamp")


@pytest.fixture
async def engine(memory_library: Library) -> AsyncIterator[AsyncEngine]:
    _models.hooks = memory_library.hooks
    engine = create_async_engine(memory_library.database_url)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield engine
    await engine.dispose()


Work = Callable[[Session], Any]
Run = Callable[[Work], Any]


@pytest.fixture(params=["async", "sync"])
async def run(
    memory_library: Library, engine: AsyncEngine, request: pytest.FixtureRequest
) -> AsyncIterator[Run]:
    """Run work in a transaction of a session of either kind."""
    blocking = create_engine(memory_library.database_url)

    async def run_async(work: Work) -> Any:
        async with AsyncSession(engine) as session, session.begin():
            return await session.run_sync(work)

    async def run_blocking(work: Work) -> Any:
        def call() -> Any:
            with Session(blocking) as session, session.begin():
                return work(session)

        return await asyncio.to_thread(call)

    yield run_async if request.param == "async" else run_blocking
    blocking.dispose()


async def _add(library: Library, seed: int, owner: str = "ann") -> int:
    return (await library.add(owner, jpeg(64, 48, quality=90 - seed))).photo.id


async def _ids(library: Library, owner: str = "ann") -> set[int]:
    return {photo.id for photo in (await library.list_photos(owner)).photos}


def _insert(*items: Item, shop: str = "ann") -> Work:
    return lambda session: session.add(Shop(name=shop, items=list(items)))


def _change(**values: object) -> Work:
    def change(session: Session) -> None:
        item = session.scalars(select(Item)).one()
        for name, value in values.items():
            setattr(item, name, value)

    return change


def _rolled_back(work: Work) -> Work:
    def fail(session: Session) -> None:
        work(session)
        session.flush()
        raise RuntimeError

    return fail


async def test_replaced_photo_is_deleted_on_commit(memory_library: Library, run: Run) -> None:
    first, second, third = [await _add(memory_library, seed) for seed in range(3)]
    await run(_insert(Item(photo_id=first)))
    with pytest.raises(RuntimeError):
        await run(_rolled_back(_change(photo_id=second)))
    assert await _ids(memory_library) == {first, second, third}
    await run(_change(photo_id=second))
    assert await _ids(memory_library) == {second, third}
    assert await statuses(memory_library) == ["deleted", "ready", "ready"]
    await memory_library.components.sweep.purge()
    pages = [page async for page in memory_library.backends.bucket.list_objects("photos/")]
    assert len({each.key.split("/")[1] for page in pages for each in page}) == 2
    await run(_change(photo_id=second, back_id=third))
    await run(_change(photo_id=None))
    assert await _ids(memory_library) == {third}


async def test_job_deletes_the_objects(memory_library: Library, run: Run) -> None:
    await run(_insert(Item(photo_id=await _add(memory_library, 0))))
    await run(_change(photo_id=None))
    jobs = await memory_library.jobs.list()
    assert [job.task for job in jobs.oldest] == ["purge"]


async def test_photos_are_deleted_with_their_rows(memory_library: Library, run: Run) -> None:
    items = [Item(photo_id=await _add(memory_library, seed)) for seed in range(2)]
    lamp = Lamp(photo_id=await _add(memory_library, 3), light_id=await _add(memory_library, 4))
    kept = await _add(memory_library, 5)
    await run(_insert(*items, lamp))

    def remove_orphan(session: Session) -> None:
        shop = session.get_one(Shop, "ann")
        shop.items.pop(0)
        session.flush()

    def remove_all(session: Session) -> None:
        session.delete(session.get_one(Shop, "ann"))

    await run(remove_orphan)
    assert len(await _ids(memory_library)) == 4
    with pytest.raises(RuntimeError):
        await run(_rolled_back(remove_all))
    assert len(await _ids(memory_library)) == 4
    await run(remove_all)
    assert await _ids(memory_library) == {kept}


async def test_columns_of_a_subclass_have_photos_too(memory_library: Library, run: Run) -> None:
    ids = [await _add(memory_library, seed) for seed in range(3)]
    await run(_insert(Lamp(photo_id=ids[0], light_id=ids[1])))
    await run(_change(light_id=ids[2]))
    assert await _ids(memory_library) == {ids[0], ids[2]}


async def test_check_of_a_column_refuses_photos(memory_library: Library, run: Run) -> None:
    wide = await _add(memory_library, 0)
    narrow = (await memory_library.add("ann", jpeg(48, 64))).photo.id
    await run(_insert(Lamp(photo_id=narrow, light_id=wide)))
    with pytest.raises(InvalidRequest, match="64 pixels"):
        await run(_change(light_id=narrow))
    assert await _ids(memory_library) == {wide, narrow}


async def test_photo_in_the_trash_is_not_attached_but_deleted(
    memory_library: Library, run: Run
) -> None:
    first, second = await _add(memory_library, 0), await _add(memory_library, 1)
    await run(_insert(Item(photo_id=first)))
    trash = "UPDATE safelight_photos SET trashed_at = now(), revoked_at = now()"
    await run(lambda session: session.execute(text(trash)))
    with pytest.raises(NotFound):
        await run(_change(back_id=second))
    await run(_change(photo_id=None))
    assert await statuses(memory_library) == ["deleted", "ready"]


async def test_old_photo_need_not_be_loaded(memory_library: Library, run: Run) -> None:
    ids = [await _add(memory_library, seed) for seed in range(2)]
    await run(_insert(Item(id=7, photo_id=ids[0])))

    def replace(session: Session) -> None:
        item = session.get_one(Item, 7)
        session.expire(item)
        item.photo_id = ids[1]

    await run(replace)
    assert await _ids(memory_library) == {ids[1]}

    def remove(session: Session) -> None:
        item = session.get_one(Item, 7)
        session.expire(item)
        session.delete(item)

    await run(remove)
    assert await _ids(memory_library) == set()


async def test_photo_stays_while_another_row_refers_to_it(
    memory_library: Library, run: Run
) -> None:
    shared = await _add(memory_library, 0)
    await run(_insert(Item(id=1, photo_id=shared), Item(id=2, back_id=shared)))
    await run(lambda session: session.delete(session.get_one(Item, 1)))
    assert await _ids(memory_library) == {shared}
    await run(_change(back_id=None))
    assert await _ids(memory_library) == set()


async def test_photo_of_another_owner_is_neither_taken_nor_deleted(
    memory_library: Library, run: Run
) -> None:
    own, foreign = await _add(memory_library, 0), await _add(memory_library, 0, "ben")
    for id_ in (foreign, 999_999):
        with pytest.raises(NotFound):
            await run(_insert(Item(photo_id=id_)))
    await run(_insert(Item(photo_id=own)))
    with pytest.raises(NotFound):
        await run(_change(back_id=foreign))
    await run(
        lambda session: session.execute(text("UPDATE items SET photo_id = :id"), {"id": foreign})
    )
    await run(_change(photo_id=None))
    assert await _ids(memory_library, "ben") == {foreign}


async def test_failed_flush_and_savepoint_keep_the_photo(memory_library: Library, run: Run) -> None:
    first, second = await _add(memory_library, 0), await _add(memory_library, 1)
    await run(_insert(Item(photo_id=first)))

    def work(session: Session) -> None:
        session.execute(text("SET LOCAL row_security = on"))
        savepoint = session.begin_nested()
        _change(photo_id=second)(session)
        session.flush()
        savepoint.rollback()
        savepoint = session.begin_nested()
        _change(photo_id=second, price=None)(session)
        with pytest.raises(IntegrityError):
            session.flush()
        savepoint.rollback()
        item = session.scalars(select(Item)).one()
        item.back_id = second
        session.flush()
        item.back_id = None
        session.flush()
        assert session.scalar(text("SHOW row_security")) == "on"

    await run(work)
    assert await _ids(memory_library) == {first}


async def test_mistakes_are_named(memory_library: Library, run: Run) -> None:
    with pytest.raises(UsageError, match="not str"):
        await run(_insert(Item(photo_id="7")))
    await run(_insert(Item(photo_id=await _add(memory_library, 0))))

    def work(session: Session) -> None:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        _change(photo_id=None)(session)

    with pytest.raises(UsageError, match="READ COMMITTED"):
        await run(work)


async def test_hooks_run_in_the_transaction(memory_library: Library, engine: AsyncEngine) -> None:
    seen: list[int] = []

    @memory_library.on_deleted
    async def note(photo: Photo, connection: AsyncConnection) -> None:
        seen.append(photo.id)
        if await connection.scalar(text("SELECT count(*) FROM items")):
            raise OSError("not now")

    id_ = await _add(memory_library, 0)
    async with AsyncSession(engine) as session, session.begin():
        session.add(Shop(name="ann", items=[Item(photo_id=id_)]))
    async with AsyncSession(engine) as session:
        await session.delete(await session.get_one(Shop, "ann"))
        await session.commit()
    assert seen == [id_]
    other = await _add(memory_library, 1)
    async with AsyncSession(engine) as session:
        session.add(Shop(name="ann", items=[Item(photo_id=other)]))
        await session.commit()
    async with AsyncSession(engine) as session:
        (await session.scalars(select(Item))).one().photo_id = None
        with pytest.raises(OSError, match="not now"):
            await session.commit()
    assert await _ids(memory_library) == {other}

    def delete_blocking() -> None:
        blocking = create_engine(memory_library.database_url)
        with Session(blocking) as session:
            session.delete(session.get_one(Shop, "ann"))
            with pytest.raises(UsageError, match="AsyncSession"):
                session.commit()
        blocking.dispose()

    await asyncio.to_thread(delete_blocking)
    assert await _ids(memory_library) == {other}


async def test_concurrent_replacements_leave_one_photo(
    memory_library: Library, engine: AsyncEngine
) -> None:
    ids = [await _add(memory_library, seed) for seed in range(6)]
    async with AsyncSession(engine) as session, session.begin():
        session.add(Shop(name="ann", items=[Item(photo_id=ids[0])]))

    async def replace(id_: int) -> None:
        async with AsyncSession(engine) as session, session.begin():
            (await session.scalars(select(Item))).one().photo_id = id_

    await asyncio.gather(*map(replace, ids[1:]))
    async with AsyncSession(engine) as session:
        assert await _ids(memory_library) == set(await session.scalars(select(Item.photo_id)))


async def test_photo_that_is_attached_meanwhile_stays(
    memory_library: Library, engine: AsyncEngine
) -> None:
    id_ = await _add(memory_library, 0)
    async with AsyncSession(engine) as session, session.begin():
        session.add(Shop(name="ann", items=[Item(id=1, photo_id=id_)]))
    async with AsyncSession(engine) as taking, AsyncSession(engine) as leaving:
        taking.add(Item(id=2, seller="ann", photo_id=id_))
        await taking.flush()
        await leaving.delete(await leaving.get_one(Item, 1))
        waiting = asyncio.create_task(leaving.flush())
        while not (await taking.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))):
            assert not waiting.done()
        await taking.commit()
        await waiting
        await leaving.commit()
    assert await _ids(memory_library) == {id_}


async def test_photo_that_is_deleted_meanwhile_is_not_attached(
    memory_library: Library, engine: AsyncEngine
) -> None:
    id_ = await _add(memory_library, 0)
    async with AsyncSession(engine) as session, session.begin():
        session.add(Shop(name="ann", items=[Item(id=1, photo_id=id_)]))
    async with AsyncSession(engine) as taking, AsyncSession(engine) as leaving:
        await leaving.delete(await leaving.get_one(Item, 1))
        await leaving.flush()
        taking.add(Item(id=2, seller="ann", photo_id=id_))
        waiting = asyncio.create_task(taking.flush())
        while not (await leaving.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))):
            assert not waiting.done()
        await leaving.commit()
        with pytest.raises(NotFound):
            await waiting


async def test_statements_leave_photos_to_unattached(
    memory_library: Library, engine: AsyncEngine
) -> None:
    id_ = await _add(memory_library, 0)
    async with AsyncSession(engine) as session, session.begin():
        session.add(Shop(name="ann", items=[Item(photo_id=id_)]))
        await session.flush()
        await session.execute(delete(Item))
    assert await _ids(memory_library) == {id_}


def test_declaring_a_column_starts_nothing() -> None:
    library = SyncLibrary(Library(lambda: None))  # type: ignore[arg-type,return-value]
    column = library.photo_column(owner="name", nullable=False, ondelete="CASCADE").column
    assert column.index
    assert not column.nullable
    assert [key.ondelete for key in column.foreign_keys] == ["CASCADE"]
