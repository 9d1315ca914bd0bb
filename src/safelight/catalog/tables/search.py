"""The table of the words of photos, for SQLAlchemy."""

from typing import Final

from sqlalchemy import BigInteger, Column, DateTime, Index, Table, Text
from sqlalchemy.dialects.postgresql import TSVECTOR

from safelight.catalog.tables.metadata import metadata

# A row for each photo in lists. Triggers of `photos` keep it. Each word begins with a digest of the
# owner, so that the index finds an owner's photos alone.
search: Final = Table(
    "safelight_search",
    metadata,
    Column("photo_id", BigInteger, primary_key=True, autoincrement=False),
    Column("owner", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("local_at", DateTime(timezone=False), nullable=False),
    Column("words", TSVECTOR, nullable=False),
)
# Without a list of pending entries, each search would read all of it.
Index(
    "safelight_search_words_idx",
    search.c.words,
    postgresql_using="gin",
    postgresql_with={"fastupdate": "off"},
)
