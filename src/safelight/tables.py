"""The catalog's tables, as SQLAlchemy knows them.

Names begin with ``safelight_``, since the tables may lie in the database of a host application.
The migrations make them; a test holds the two against each other.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
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
    # The random part of the keys: made once, never made of user input, never used again. Sorted
    # as the store sorts its keys, whatever language the database speaks.
    Column("name", Text(collation="C"), nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("reserved_at", DateTime(timezone=True), nullable=False),
    Column("deleted_at", DateTime(timezone=True)),
    Column("purged_at", DateTime(timezone=True)),
    # From here on, what only a photo that is ready has.
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
    # What order=taken sorts by: the capture time, or when the photo came where there is none.
    Column("sort_at", DateTime(timezone=True)),
    # What else the picture tells: camera, colour profile, duration and the like.
    Column("details", JSONB, nullable=False, server_default=text("'{}'")),
    Column("thumbhash", LargeBinary),
    Column("renditions", JSONB, nullable=False, server_default=text("'[]'")),
    CheckConstraint("status IN ('pending', 'ready', 'deleted')", name="status"),
    CheckConstraint(
        "status <> 'ready' OR (created_at IS NOT NULL AND size IS NOT NULL AND sha256 IS NOT NULL"
        " AND format IS NOT NULL AND content_type IS NOT NULL AND width IS NOT NULL"
        " AND height IS NOT NULL AND frames IS NOT NULL AND sort_at IS NOT NULL)",
        name="ready_is_whole",
    ),
)

_READY = text("status = 'ready'")

# The twin rule: an owner has the same bytes once, among the photos that are ready.
twins = Index(
    "safelight_photos_twins_idx",
    photos.c.owner,
    photos.c.sha256,
    unique=True,
    postgresql_where=_READY,
)
# Both orders of a page. `version` comes along, so that a page is read from the index alone.
Index(
    "safelight_photos_added_idx",
    photos.c.owner,
    photos.c.created_at.desc(),
    photos.c.id.desc(),
    postgresql_include=["version"],
    postgresql_where=_READY,
)
Index(
    "safelight_photos_taken_idx",
    photos.c.owner,
    photos.c.sort_at.desc(),
    photos.c.id.desc(),
    postgresql_include=["version"],
    postgresql_where=_READY,
)
# What the sweep looks for: the few rows that are not photos.
Index(
    "safelight_photos_unsettled_idx",
    photos.c.status,
    photos.c.reserved_at,
    postgresql_where=text("status <> 'ready'"),
)

# Browsers that were let in. What they hold is random; a row keeps only its digest. `issued_by` is
# the digest of the token in force then: another token ends them all.
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

# Uploads that go straight to the bucket. The name is the id that clients see, and names the object;
# a row stays until nothing that was signed for it can write any more.
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
    # Bytes of a part; none has an upload in one request.
    Column("part_size", BigInteger),
    Column("created_at", DateTime(timezone=True), nullable=False),
    # No signature for it lives longer.
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("swept_at", DateTime(timezone=True)),
    # Not a foreign key: the photo may go before.
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

# Sign-in links that were handed out and not yet opened; each opens once.
codes = Table(
    "safelight_codes",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("issued_by", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)

__all__ = ["codes", "metadata", "photos", "sessions", "twins", "uploads"]
