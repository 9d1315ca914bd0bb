"""Link photos to your own rows: run ``python examples/avatars.py``.

A user has an avatar, a foreign key to a photo. Your transaction writes and deletes both: after a
rollback there is neither a user nor a photo, and the sweep deletes the stored objects. Both tables
must be in the same database, since neither foreign keys nor transactions span two.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, NoReturn

from fastapi import FastAPI, Form, HTTPException, UploadFile
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from safelight import Caption, Library, Settings, add_error_handlers

library = Library.from_settings(Settings())
sessions = async_sessionmaker(expire_on_commit=False)


class Base(DeclarativeBase):
    """The app's own tables."""


class User(Base):
    """A user with an avatar, which is deleted with the user, or when another one replaces it."""

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(primary_key=True)
    avatar_id: Mapped[int | None] = library.photo_column(owner="name")


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


@app.put("/users/{name}/avatar")
async def replace_avatar(name: str, avatar: UploadFile) -> dict[str, str | None]:
    """Replace the avatar, and delete the old one."""
    async with sessions.begin() as session:
        user = await session.get(User, name) or _unknown()
        user.avatar_id = (await library.add(name, avatar, within=session)).photo.id
    return await show_user(name)


@app.delete("/users/{name}", status_code=204)
async def delete_user(name: str) -> None:
    """Delete a user and the avatar, or neither."""
    async with sessions.begin() as session:
        await session.delete(await session.get(User, name) or _unknown())


@app.get("/users/{name}")
async def show_user(name: str) -> dict[str, str | None]:
    """Return a user, with an expiring link to the avatar."""
    async with sessions() as session:
        user = await session.get(User, name) or _unknown()
    if user.avatar_id is None:
        return {"name": user.name, "avatar_url": None}
    photo = await library.photo(name, user.avatar_id)
    return {"name": user.name, "avatar_url": library.link(photo).url}


def _unknown() -> NoReturn:
    raise HTTPException(404, "There is no such user.")


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=8001)
