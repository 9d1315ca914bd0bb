"""Link photos to your own rows: run ``python examples/avatars.py``.

A user has an avatar, a foreign key to a photo. Your transaction writes both: after a rollback there
is neither a user nor a photo, and the sweep deletes the stored objects. Both tables must be in the
same database, since neither foreign keys nor transactions span two.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, Form, HTTPException, UploadFile
from sqlalchemy import ForeignKey, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from safelight import Caption, Library, Settings, add_error_handlers, photos_table

library = Library.from_settings(Settings())
sessions = async_sessionmaker(expire_on_commit=False)


class Base(DeclarativeBase):
    """The app's own tables."""


class User(Base):
    """A user with an avatar. If the photo is deleted, the user has none."""

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(primary_key=True)
    avatar_id: Mapped[int | None] = mapped_column(
        ForeignKey(photos_table.c.id, ondelete="SET NULL")
    )


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Start the library first: the database may be its embedded one."""
    async with library:
        engine = create_async_engine(library.database_url)
        sessions.configure(bind=engine)
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        yield
        await engine.dispose()


app = FastAPI(lifespan=lifespan)
add_error_handlers(app)


@app.post("/users", status_code=201)
async def add_user(
    name: Annotated[str, Form()], avatar: UploadFile | None = None
) -> dict[str, str | None]:
    """Add a user and the avatar, or neither."""
    try:
        async with sessions.begin() as session:
            user = User(name=name)
            session.add(user)
            if avatar:
                added = await library.add(name, avatar, Caption(title=name), within=session)
                user.avatar_id = added.photo.id
    except IntegrityError as error:
        raise HTTPException(409, "A user with this name exists.") from error
    return await show_user(name)


@app.get("/users/{name}")
async def show_user(name: str) -> dict[str, str | None]:
    """Return a user, with an expiring link to the avatar."""
    async with sessions() as session:
        user = await session.scalar(select(User).where(User.name == name))
    if user is None:
        raise HTTPException(404, "There is no such user.")
    if user.avatar_id is None:
        return {"name": user.name, "avatar_url": None}
    photo = await library.photo(name, user.avatar_id)
    return {"name": user.name, "avatar_url": library.link(photo).url}


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=8001)
