"""A shop with avatars and product photos: its own tables, its own Alembic, many owners.

Set `DATABASE_URL` and the store's `SAFELIGHT_S3__…`, then run, in this folder::

    SAFELIGHT_DATABASE_URL=$DATABASE_URL safelight db upgrade
    alembic upgrade head
    uvicorn app:app --workers 2
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException, UploadFile
from fastapi.responses import HTMLResponse
from jinja2 import Environment
from models import Product, User
from photo_library import DATABASE_URL, library
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from safelight import NotFound, add_error_handlers, photo_router

engine = create_async_engine(DATABASE_URL.replace("postgresql://", "postgresql+psycopg://"))
sessions = async_sessionmaker(engine, expire_on_commit=False)
templates = Environment(autoescape=True)
templates.filters.update(library.jinja_filters)
PAGE = templates.from_string(
    "{% for photo in photos %}{{ photo | picture(alt=photo.title, sizes='30vw') }}{% endfor %}"
)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Start the library with the app, and close the pool of connections."""
    async with library:
        yield
    await engine.dispose()


def current_user(x_user: Annotated[str | None, Header()] = None) -> str:
    """Return the user of the request; your app verifies a session or a token."""
    if not x_user:
        raise HTTPException(401, "Send the header X-User.")
    return x_user


Me = Annotated[str, Depends(current_user)]
app = FastAPI(lifespan=lifespan)
app.include_router(photo_router(library, owner=current_user), prefix="/api")
add_error_handlers(app)


@app.put("/me/avatar")
async def set_avatar(me: Me, photo: UploadFile) -> dict[str, str]:
    """Replace the user's avatar, or make the user's row with it; the old photo is deleted."""
    async with sessions.begin() as session:
        user = await session.get(User, me) or User(name=me)
        session.add(user)
        added = await library.add(me, photo, within=session)
        user.avatar_id = added.photo.id
    return {"url": (await library.rendition(added.photo, "avatar")).url}


@app.post("/products", status_code=201)
async def add_product(me: Me, name: str, photo_id: int) -> dict[str, int]:
    """Offer a product, with a photo that the user has uploaded to ``/api/uploads``.

    Another user's photo is not found.
    """
    async with sessions.begin() as session:
        product = Product(name=name, seller=me, photo_id=photo_id)
        session.add(product)
        await session.flush()
        return {"id": product.id}


@app.delete("/products/{id_}", status_code=204)
async def delete_product(me: Me, id_: int) -> None:
    """Delete a product of the user's, with its photo."""
    async with sessions.begin() as session:
        product = await session.get(Product, id_)
        if product is None or product.seller != me:
            raise NotFound
        await session.delete(product)


@app.get("/shops/{seller}", response_class=HTMLResponse)
async def show_shop(seller: str) -> str:
    """Show the photos of a seller's products, in the sizes that the browser needs."""
    async with sessions() as session:
        return PAGE.render(photos=await _photos_of(session, seller))


async def _photos_of(session: AsyncSession, seller: str) -> list[object]:
    ids = await session.scalars(select(Product.photo_id).where(Product.seller == seller))
    return list(await library.photos(seller, [id_ for id_ in ids if id_ is not None]))
