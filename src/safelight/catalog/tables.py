"""The catalog's tables for SQLAlchemy.

Their names begin with ``safelight_``, since they may share a host application's database. The
migrations create them; a test compares the two.
"""

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
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
    }
)

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

# Signed-in browsers. A row has the digest of the random secret that the browser holds. `issued_by`
# is the digest of the access token at that time: a new token ends all sessions.
sessions = Table(
    "safelight_sessions",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("issued_by", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    Column("address", Text, nullable=False),
    Column("browser", Text, nullable=False),
)

# Direct uploads. `name` is the upload id, which clients see and the object's key contains. A row is
# kept until no signature for it is valid.
uploads = Table(
    "safelight_uploads",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text),
    # When the client's file was modified, by the client's clock, with that clock's offset from UTC.
    Column("modified_at", DateTime(timezone=False)),
    Column("modified_offset", Interval),
    # Bytes of a part; null for an upload in one request.
    Column("part_size", BigInteger),
    Column("created_at", DateTime(timezone=True), nullable=False),
    # No signature for it is valid longer.
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("swept_at", DateTime(timezone=True)),
    # Not a foreign key: the photo may be deleted first.
    Column("photo_id", BigInteger),
    CheckConstraint("status IN ('open', 'completed', 'aborted')", name="status"),
    CheckConstraint("status = 'open' OR ended_at IS NOT NULL", name="an_end_has_a_time"),
    CheckConstraint("status <> 'completed' OR photo_id IS NOT NULL", name="completed_is_a_photo"),
)
Index(
    "safelight_uploads_open_idx",
    uploads.c.owner,
    uploads.c.expires_at,
    postgresql_where=text("status = 'open'"),
)
Index(
    "safelight_uploads_unswept_idx",
    uploads.c.name,
    postgresql_where=text("status <> 'open' AND swept_at IS NULL"),
)
Index("safelight_uploads_expires_idx", uploads.c.expires_at)

# Sign-in links that have not been used; each works once.
codes = Table(
    "safelight_codes",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("issued_by", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)

# Facts about the installation, by name: the bucket.
installation = Table(
    "safelight_installation",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# Claims of renditions that are being made on demand, by the keys of their objects.
renderings = Table(
    "safelight_renderings",
    metadata,
    Column("key", Text, primary_key=True),
    Column("claimed_by", Text, nullable=False),
    # A claim that isn't renewed by then may be taken over.
    Column("expires_at", DateTime(timezone=True), nullable=False),
)

# The objects of other programs that were adopted, so that each is adopted once. Rows stay when the
# photo is deleted. `source` is a digest, since keys and owners may be names of people.
adoptions = Table(
    "safelight_adoptions",
    metadata,
    Column("source", LargeBinary, primary_key=True),
    # Not a foreign key: the photo may be deleted.
    Column("photo_id", BigInteger, nullable=False),
    Column("adopted_at", DateTime(timezone=True), nullable=False),
)

__all__ = [
    "adoptions",
    "codes",
    "installation",
    "metadata",
    "month_changes",
    "month_counts",
    "photos",
    "renderings",
    "sessions",
    "unique_sha256",
    "uploads",
]
