"""Add albums.

Earlier versions don't know the tables, and can run with this schema: a trigger removes photos that
they delete from albums.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

# With the rights of the tables' owner, like the triggers of the counts.
_FORGET = """
CREATE FUNCTION safelight_leave_albums() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    EXECUTE 'DELETE FROM ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_album_photos';
  ELSE
    EXECUTE 'DELETE FROM ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_album_photos'
      ' WHERE photo_id = $1' USING OLD.id;
  END IF;
  RETURN NULL;
END $$
"""
_TRIGGERS = (
    """
CREATE TRIGGER safelight_albums_update AFTER UPDATE ON safelight_photos
FOR EACH ROW WHEN (OLD.status = 'ready' AND NEW.status <> 'ready')
EXECUTE FUNCTION safelight_leave_albums()
""",
    """
CREATE TRIGGER safelight_albums_delete AFTER DELETE ON safelight_photos
FOR EACH ROW WHEN (OLD.status = 'ready') EXECUTE FUNCTION safelight_leave_albums()
""",
    """
CREATE TRIGGER safelight_albums_truncate AFTER TRUNCATE ON safelight_photos
FOR EACH STATEMENT EXECUTE FUNCTION safelight_leave_albums()
""",
)


def upgrade() -> None:
    """Create the tables and the triggers."""
    op.create_table(
        "safelight_albums",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("cover_id", sa.BigInteger),
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("safelight_albums_owner_idx", "safelight_albums", ["owner", "id"])
    op.create_table(
        "safelight_album_photos",
        sa.Column(
            "album_id",
            sa.BigInteger,
            sa.ForeignKey("safelight_albums.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("photo_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, nullable=False),
    )
    op.create_index(
        "safelight_album_photos_position_idx",
        "safelight_album_photos",
        ["album_id", "position", "photo_id"],
    )
    op.create_index("safelight_album_photos_photo_id_idx", "safelight_album_photos", ["photo_id"])
    op.execute(_FORGET)
    for trigger in _TRIGGERS:
        op.execute(trigger)
    op.execute("REVOKE EXECUTE ON FUNCTION safelight_leave_albums() FROM PUBLIC")
