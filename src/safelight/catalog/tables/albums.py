"""The tables of albums."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    text,
)

from safelight.catalog.tables.metadata import metadata

albums: Final = Table(
    "safelight_albums",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    # A photo of the album, if the owner has chosen one. Otherwise its first is the cover.
    Column("cover_id", BigInteger),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("created_at", DateTime(timezone=True), nullable=False),
)
Index("safelight_albums_owner_idx", albums.c.owner, albums.c.id)

# The photos of albums, by their positions. A trigger of `photos` removes those that are deleted for
# good; those in the trash stay, so that they are back in their places when they are restored.
# The photo is not a foreign key: a key of ours would count as a reference of a host application.
album_photos: Final = Table(
    "safelight_album_photos",
    metadata,
    Column(
        "album_id",
        BigInteger,
        ForeignKey("safelight_albums.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("photo_id", BigInteger, primary_key=True, autoincrement=False),
    Column("position", Integer, nullable=False),
)
Index(
    "safelight_album_photos_position_idx",
    album_photos.c.album_id,
    album_photos.c.position,
    album_photos.c.photo_id,
)
Index("safelight_album_photos_photo_id_idx", album_photos.c.photo_id)
