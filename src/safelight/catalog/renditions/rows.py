"""The renditions that the rows of photos name."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from operator import attrgetter
from typing import Final

from sqlalchemy import Text, Update, bindparam, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.database import Database
from safelight.catalog.queries import BY_IDS_WITH_TRASH
from safelight.catalog.rows import COLUMNS, photo_from_row
from safelight.catalog.tables import photos
from safelight.catalog.tombstones import PhotoHook
from safelight.errors import NotFound
from safelight.models import Photo, Rendition, Status

_MERGED: Final = text(
    "(SELECT coalesce(jsonb_agg(each ORDER BY (each ->> 'width')::bigint, each ->> 'name'), '[]')"
    " FROM (SELECT each FROM jsonb_array_elements(renditions) AS each"
    " WHERE each ->> 'name' <> ALL(CAST(:names AS text[]))"
    " UNION ALL SELECT jsonb_array_elements(CAST(:new AS jsonb))) AS merged(each))"
)
"""The row's renditions, without those of some names, and new ones; the narrowest first.

Taken from the row as it is when it is changed: those on demand are added without a new version.
"""


class RenditionRows:
    """Adds renditions to photos. All calls raise CatalogUnavailable when PostgreSQL is down."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, photo: Photo, renditions: Sequence[Rendition], thumbhash: bytes
    ) -> Photo | None:
        """Add renditions, which replace those of the same names, and set the thumbhash.

        Returns None if the row has changed since `photo` was read: the objects may have been
        deleted then, since no row named them. Raises NotFound if the photo was deleted meanwhile.
        """
        statement = _merge(photo).values(version=photos.c.version + 1, thumbhash=thumbhash)
        return await self._change(photo, statement, renditions)

    async def add_demanded(self, photo: Photo, rendition: Rendition) -> Photo | None:
        """Add a rendition that was made on demand, as `add` does, but without a new version.

        So it changes no list.
        """
        return await self._change(photo, _merge(photo), [rendition])

    async def remove(
        self, photo: Photo, names: Sequence[str], *, hook: PhotoHook | None = None
    ) -> Photo | None:
        """Remove the renditions of these names, as `add` adds some.

        The hook runs in the same transaction, with the photo as it is then.
        """
        statement = _merge(photo).values(version=photos.c.version + 1)
        return await self._change(photo, statement, [], names, hook=hook)

    async def _change(
        self,
        photo: Photo,
        statement: Update,
        new: Sequence[Rendition],
        names: Sequence[str] = (),
        hook: PhotoHook | None = None,
    ) -> Photo | None:
        parameters = {
            "names": [*names, *map(attrgetter("name"), new)],
            "new": json.dumps([asdict(rendition) for rendition in new]),
        }

        async def work(connection: AsyncConnection) -> Photo | None:
            rows = await connection.execute(statement.returning(*COLUMNS), parameters)
            if (row := rows.one_or_none()) is not None:
                changed = photo_from_row(row)
                if hook:
                    await hook(connection, changed)
                return changed
            wanted = {"owner": photo.owner, "ids": [photo.id]}
            if (
                await connection.execute(BY_IDS_WITH_TRASH.statement, wanted)
            ).one_or_none() is None:
                raise NotFound
            return None

        return await self._database.transaction(work)


def _merge(photo: Photo) -> Update:
    """Return the statement that changes a photo's renditions unless its row has changed."""
    return (
        update(photos)
        .where(
            photos.c.owner == photo.owner,
            photos.c.id == photo.id,
            photos.c.status == Status.READY,
            photos.c.version == photo.version,
        )
        .values(
            renditions=_MERGED.bindparams(
                bindparam("names", type_=ARRAY(Text)), bindparam("new", type_=Text)
            )
        )
    )
