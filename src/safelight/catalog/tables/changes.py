"""The number of changes of each owner's photos and albums."""

from typing import Final

from sqlalchemy import BigInteger, Column, Identity, Table, Text

from safelight.catalog.tables.metadata import metadata

# The number is `changes` here plus the rows below, which triggers of photos and albums insert and
# nothing updates or locks. From time to time they are folded, as those of the months are.
change_counts: Final = Table(
    "safelight_change_counts",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("changes", BigInteger, nullable=False),
)
changes: Final = Table(
    "safelight_changes",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
)
