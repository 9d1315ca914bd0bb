"""The photos, and the counts of their months."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from safelight.catalog.tables.metadata import metadata

photos = Table(
    "safelight_photos",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("owner", Text, nullable=False),
    Column("status", Text, nullable=False),
    # The storage id, the random part of the keys, which is never reused. Sorted by bytes, as the
    # store sorts its keys, whatever the database's language.
    Column("name", Text(collation="C"), nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("reserved_at", DateTime(timezone=True), nullable=False),
    Column("deleted_at", DateTime(timezone=True)),
    Column("purged_at", DateTime(timezone=True)),
    # The columns from here on are set only in ready rows.
    Column("created_at", DateTime(timezone=True)),
    Column("size", BigInteger),
    Column("sha256", Text),
    Column("format", Text),
    Column("content_type", Text),
    Column("width", Integer),
    Column("height", Integer),
    Column("frames", Integer),
    Column("taken_at", DateTime(timezone=False)),
    Column("taken_offset", Interval),
    # What version 0.1 sorts by: the capture time in UTC, or else the time when the photo was added.
    # Written for it as long as it may run beside this version.
    Column("sort_at", DateTime(timezone=True)),
    Column("renderer", SmallInteger, nullable=False, server_default=text("1")),
    # The version of the inspection that found these facts.
    Column("inspection", SmallInteger, nullable=False, server_default=text("0")),
    # More facts about the image: camera, colour profile, duration and so on.
    Column("details", JSONB, nullable=False, server_default=text("'{}'")),
    Column("thumbhash", LargeBinary),
    Column("renditions", JSONB, nullable=False, server_default=text("'[]'")),
    # Where the capture time comes from (`DateSource`). Null in rows of version 0.1: it is EXIF.
    Column("taken_from", Text),
    # What the picture says, while the capture time is one that the owner has set.
    Column("own_taken_at", DateTime(timezone=False)),
    Column("own_taken_offset", Interval),
    Column("own_taken_from", Text),
    # The row's id if it may have the same bytes as another of the owner's photos, otherwise 0.
    Column("separate", BigInteger, nullable=False, server_default=text("0")),
    # How far the photo is turned for display, in degrees clockwise. The size is that before.
    Column("turn", SmallInteger, nullable=False, server_default=text("0")),
    # Since when a photo is in the trash. It stays ready; only lists and counts leave it out.
    Column("trashed_at", DateTime(timezone=True)),
    # Since when all links given out are to die; null once the objects have new keys.
    Column("revoked_at", DateTime(timezone=True)),
    # What order=taken sorts by, and its months: the camera's local time, or else the time when the
    # photo was added, in UTC.
    Column(
        "local_at",
        DateTime(timezone=False),
        Computed("COALESCE(taken_at, created_at AT TIME ZONE 'UTC')", persisted=True),
    ),
    CheckConstraint("status IN ('pending', 'ready', 'deleted')", name="status"),
    CheckConstraint(
        "status <> 'ready' OR (created_at IS NOT NULL AND size IS NOT NULL AND sha256 IS NOT NULL"
        " AND format IS NOT NULL AND content_type IS NOT NULL AND width IS NOT NULL"
        " AND height IS NOT NULL AND frames IS NOT NULL AND sort_at IS NOT NULL)",
        name="ready_is_whole",
    ),
)

_READY = text("status = 'ready'")

# Duplicate detection: an owner has each file at most once, among the ready photos, unless the
# settings keep duplicates apart.
unique_sha256 = Index(
    "safelight_photos_twins_idx",
    photos.c.owner,
    photos.c.sha256,
    photos.c.separate,
    unique=True,
    postgresql_where=_READY,
)
# Both orders of a page, which is read from the index alone.
Index(
    "safelight_photos_added_idx",
    photos.c.owner,
    photos.c.created_at.desc(),
    photos.c.id.desc(),
    postgresql_include=["version", "trashed_at"],
    postgresql_where=_READY,
)
Index(
    "safelight_photos_local_idx",
    photos.c.owner,
    photos.c.local_at.desc(),
    photos.c.id.desc(),
    postgresql_include=["version", "trashed_at"],
    postgresql_where=_READY,
)
# That of version 0.1.
Index(
    "safelight_photos_taken_idx",
    photos.c.owner,
    photos.c.sort_at.desc(),
    photos.c.id.desc(),
    postgresql_include=["version"],
    postgresql_where=_READY,
)
# The trash of an owner, and for the job that empties it.
_TRASHED = text("trashed_at IS NOT NULL")
Index(
    "safelight_photos_trash_idx",
    photos.c.owner,
    photos.c.trashed_at.desc(),
    photos.c.id.desc(),
    postgresql_include=["version"],
    postgresql_where=_TRASHED,
)
Index("safelight_photos_trashed_at_idx", photos.c.trashed_at, postgresql_where=_TRASHED)
Index(
    "safelight_photos_revoked_idx",
    photos.c.id,
    postgresql_where=text("revoked_at IS NOT NULL"),
)
# For the sweep: the few rows that are not ready.
Index(
    "safelight_photos_unsettled_idx",
    photos.c.status,
    photos.c.reserved_at,
    postgresql_where=text("status <> 'ready'"),
)

# The number of each owner's photos in each month of each order (`Order`): the sum of `photos` here
# and of the changes below. Triggers of `photos` add the changes, which nothing updates or locks, so
# transactions never wait for each other. From time to time they are folded into these rows.
month_counts = Table(
    "safelight_month_counts",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("sort", Text, primary_key=True),
    Column("month", DateTime(timezone=False), primary_key=True),
    Column("photos", Integer, nullable=False),
)
month_changes = Table(
    "safelight_month_changes",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("sort", Text, nullable=False),
    Column("month", DateTime(timezone=False), nullable=False),
    Column("change", Integer, nullable=False),
)
Index("safelight_month_changes_owner_sort_idx", month_changes.c.owner, month_changes.c.sort)
