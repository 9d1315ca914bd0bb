"""Fill a catalog with photos of many months, within PostgreSQL. Their objects do not exist."""

from collections.abc import Sequence
from datetime import datetime

import psycopg

_INSERT = """
INSERT INTO safelight_photos (
  owner, status, name, title, description, filename, reserved_at, created_at, size, sha256, format,
  content_type, width, height, frames, taken_at, sort_at, renditions
)
SELECT %(owner)s, 'ready', name, 'Photo ' || number, '', 'IMG_' || number || '.jpg', at, at, 1,
  encode(sha256((name || %(owner)s)::bytea), 'hex'), 'jpeg', 'image/jpeg',
  CASE mod(number, 3) WHEN 0 THEN 3000 ELSE 4000 END, 3000, 1, at::timestamp, at, '[]'
FROM (
  SELECT number, md5(%(owner)s || number) AS name, at AT TIME ZONE 'UTC' AS at
  FROM (
    SELECT before + n - 1 AS number,
      %(newest)s::timestamp - month * interval '1 month' - n * interval '1 minute' AS at
    FROM (
      SELECT month - 1 AS month, count, sum(count) OVER (ORDER BY month) - count AS before
      FROM unnest(%(counts)s::int[]) WITH ORDINALITY AS given (count, month)
    ) AS months, generate_series(1, count) AS n
  ) AS numbered
) AS made
"""


def fill_months(
    url: str, owner: str, counts: Sequence[int], *, newest: datetime, searchable: bool = True
) -> None:
    """Insert `counts` photos in the months up to that of `newest`, a minute apart.

    They are named "Photo 0", the newest, and so on. One in three is square. A hundred thousand take
    some seconds less if they are not `searchable`.
    """
    trigger = "ALTER TABLE safelight_photos {} TRIGGER safelight_search_insert"
    with psycopg.connect(url) as connection:
        if not searchable:
            connection.execute(trigger.format("DISABLE"))
        parameters = {"owner": owner, "counts": list(counts), "newest": newest}
        connection.execute(_INSERT, parameters)
        if not searchable:
            connection.execute(trigger.format("ENABLE"))
        connection.commit()
        connection.execute("ANALYZE safelight_photos")
