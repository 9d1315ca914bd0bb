"""The tables of the shop. Photos are deleted with the rows that refer to them."""

from photo_library import library
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The shop's own tables."""


class User(Base):
    """A user with an avatar."""

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(primary_key=True)
    avatar_id: Mapped[int | None] = library.photo_column(owner="name")


class Product(Base):
    """A product with a photo of its seller's."""

    __tablename__ = "products"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    seller: Mapped[str]
    photo_id: Mapped[int | None] = library.photo_column(owner="seller")
