"""What clients are doing: sessions, uploads, downloads; and facts about the installation."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Interval,
    LargeBinary,
    Table,
    Text,
    text,
)

from safelight.catalog.tables.metadata import metadata

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

# Archives that clients download, for as long as they may resume. Photos that are deleted meanwhile
# are left out.
downloads = Table(
    "safelight_downloads",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("photo_ids", ARRAY(BigInteger), nullable=False),
    Column("filename", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)
Index("safelight_downloads_owner_created_at_idx", downloads.c.owner, downloads.c.created_at)
Index("safelight_downloads_expires_idx", downloads.c.expires_at)
