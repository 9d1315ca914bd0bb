"""Turn photos: the size and the thumbhash turn with them, and their renditions are made again.

The original stays as it is. The row keeps its size, and how far it is turned for display.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.database import Database
from safelight.catalog.edits.dates import lock_photos
from safelight.catalog.renditions.claims import leave_to_sweep
from safelight.catalog.rows import COLUMNS, photo_from_row, turn_to
from safelight.catalog.tables import photos
from safelight.imaging.thumbhash import turn_thumbhash
from safelight.models import BulkResult, Photo

TurnHook = Callable[[AsyncConnection, Sequence[Photo]], Awaitable[None]]
"""A function of the caller that runs in the transaction that turns photos.

It receives those that have another turn than before, with their new size and without renditions.
"""

_TURN = (
    update(photos)
    .where(photos.c.id == bindparam("row"))
    .values(
        turn=bindparam("turned"),
        thumbhash=bindparam("hash"),
        renditions=[],
        version=photos.c.version + 1,
    )
)


class PhotoTurns:
    """Turns an owner's photos, in one transaction for all of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rotate(
        self, owner: str, ids: Sequence[int], degrees: int, *, turned: TurnHook
    ) -> BulkResult:
        """Turn photos clockwise by 90, 180 or 270 degrees, each from where it is now.

        The hook runs in the same transaction.
        """

        def rotated(photo: Photo) -> int:
            return (photo.facts.turn + degrees) % 360

        async def work(connection: AsyncConnection) -> BulkResult:
            return await turn_photos(connection, owner, ids, rotated, turned)

        return await self._database.transaction(work)


async def turn_photos(
    connection: AsyncConnection,
    owner: str,
    ids: Sequence[int],
    turn_of: Callable[[Photo], int],
    turned: TurnHook | None = None,
) -> BulkResult:
    """Give photos the turn that `turn_of` returns, in the connection's transaction.

    A photo that has it already stays as it is. Those that change lose their renditions: the objects
    are left to the sweep, since a process that began before may still write one.
    """
    result = await lock_photos(connection, owner, ids)
    query = select(*COLUMNS).where(photos.c.id.in_(result.done)).order_by(photos.c.id)
    found = map(photo_from_row, await connection.execute(query))
    changed = [(photo, turn_of(photo)) for photo in found if turn_of(photo) != photo.facts.turn]
    if changed:
        await connection.execute(_TURN, [_values(photo, turn) for photo, turn in changed])
        removed = [each.key for photo, _ in changed for each in photo.renditions]
        await leave_to_sweep(connection, removed)
        if turned:
            await turned(
                connection,
                [
                    replace(photo, facts=turn_to(photo.facts, turn), renditions=())
                    for photo, turn in changed
                ],
            )
    return result


def _values(photo: Photo, turn: int) -> dict[str, object]:
    code, by = photo.thumbhash, (turn - photo.facts.turn) % 360
    return {"row": photo.id, "turned": turn, "hash": code and turn_thumbhash(code, by)}
