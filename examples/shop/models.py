"""The tables of the shop. Foreign keys lead to Safelight's photos."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from safelight import photos_table


class Base(DeclarativeBase):
    """The shop's own tables."""


class User(Base):
    """A user with an avatar. If the photo is deleted, the user has none."""

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(primary_key=True)
    avatar_id: Mapped[int | None] = mapped_column(
        ForeignKey(photos_table.c.id, ondelete="SET NULL")
    )


class Product(Base):
    """A product with a photo of its seller's."""

    __tablename__ = "products"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    seller: Mapped[str]
    photo_id: Mapped[int | None] = mapped_column(ForeignKey(photos_table.c.id, ondelete="SET NULL"))
