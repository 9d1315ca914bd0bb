"""Fill catalogs of any size within PostgreSQL: ours and the tutorial's, with equal photos."""

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg import sql

from safelight.catalog import Catalog, Cursor
from safelight.models import Order

_NEWEST = datetime(2026, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
RARE = 100
"""Photos with the rarer of two words, of a catalog that is filled at once. Half have the other."""

# In bulk: row by row, the words of a million photos take minutes.
_BEFORE = (
    "ALTER TABLE safelight_photos DISABLE TRIGGER safelight_search_insert",
    "DROP INDEX safelight_search_words_idx",
)
_AFTER = (
    """
INSERT INTO safelight_search (photo_id, owner, created_at, local_at, words)
SELECT id, owner, created_at, local_at, safelight_search_vector(
  safelight_search_prefix(owner), safelight_words(concat_ws(' ', title, description, filename)),
  local_at
)
FROM safelight_photos ON CONFLICT DO NOTHING
""",
    """
CREATE INDEX safelight_search_words_idx ON safelight_search USING gin (words) WITH (fastupdate=off)
""",
    "ALTER TABLE safelight_photos ENABLE TRIGGER safelight_search_insert",
    "VACUUM ANALYZE safelight_search",
)

_OURS = (
    "safelight_photos",
    """
INSERT INTO safelight_photos (
  owner, status, name, title, description, filename, reserved_at, created_at, size, sha256, format,
  content_type, width, height, frames, taken_at, sort_at, renditions
)
SELECT 'owner', 'ready', name,
  'Photo ' || i || CASE WHEN mod(i, 2) = 0 THEN ' by the sea' ELSE '' END
    || CASE WHEN mod(i, %(rare)s) = 0 THEN ' with a zebra' ELSE '' END,
  'A description of the usual length, number ' || i, 'IMG_' || i || '.jpg', at, at,
  2400000 + mod(i, 1000), encode(sha256(name::bytea), 'hex'), 'jpeg',
  'image/jpeg', 4000, 3000, 1, at::timestamp, at, (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
      'name', 'w' || width, 'key', 'photos/' || name || '/' || md5(width::text),
      'width', width, 'height', width * 3 / 4, 'content_type', 'image/webp'
    )), '[]')
    FROM unnest((ARRAY[320, 640, 1280, 2560])[1:%(renditions)s]) AS width
  )
FROM (
  SELECT i, md5('a photo ' || i) AS name, %(newest)s - i * %(every)s AS at
  FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS i
) AS made
""",
)

_TUTORIALS = (
    "photos",
    """
INSERT INTO photos (key, title, description, content_type, created_at)
SELECT md5('a photo ' || i) || '-IMG_' || i || '.jpg', 'Photo ' || i,
  'A description of the usual length, number ' || i, 'image/jpeg',
  %(newest)s - i * %(every)s
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS i
""",
)


def make_database(superuser_url: str, name: str, owner: str) -> None:
    """Create an empty database."""
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(owner)
            )
        )


def fill(
    url: str,
    rows: int,
    *,
    renditions: int = 0,
    tutorials: bool = True,
    every: timedelta = _SECOND,
) -> None:
    """Fill our existing table, and with `tutorials` also the tutorial's, up to `rows` photos.

    They are `every` so long apart.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        for prepare in _BEFORE:
            connection.execute(prepare)
        for table, statement in (_OURS, _TUTORIALS) if tutorials else (_OURS,):
            name = sql.Identifier(table)
            count = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(name)).fetchone()
            existing = count[0] if count else 0
            connection.execute(
                statement,
                {
                    "newest": _NEWEST,
                    "first": existing + 1,
                    "last": rows,
                    "renditions": renditions,
                    "every": every,
                    "rare": max(1, rows // RARE),
                },
            )
            connection.execute(sql.SQL("VACUUM ANALYZE {}").format(name))
        for finish in _AFTER:
            connection.execute(finish)
    asyncio.run(_fold(url))


async def _fold(url: str) -> None:
    """Fold the changes of the counts of months, as a worker does every minute."""
    catalog = Catalog(url)
    await catalog.month_counts.fold_all()
    await catalog.close()


def cursor_after(row: int, *, every: timedelta = _SECOND, taken: bool = False) -> str:
    """Return the cursor of the page that begins after `row` photos, by default in order=added."""
    at = _NEWEST - row * every
    return str(Cursor(order=Order.TAKEN if taken else Order.ADDED, at=at, id=row))
