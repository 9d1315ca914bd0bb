"""Change capture times: to a date, by a shift, or back to what the picture says.

The picture's own date stays in the row, beside the one that the owner has set.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Interval,
    and_,
    case,
    func,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.database import Database
from safelight.catalog.queries import possible_ids
from safelight.catalog.tables import photos
from safelight.dates import EARLIEST, impossible_date, latest_local_time
from safelight.models import BulkResult, CaptureDate, DateSource, OwnDate, Status

_Values = dict[str, Any]

_IS_CHANGED: Final = photos.c.taken_from == DateSource.USER
_DATE: Final = ("taken_at", "taken_offset", "taken_from")


class PhotoDates:
    """Changes the capture times of an owner's photos, in one transaction for all of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def change(
        self, owner: str, ids: Sequence[int], date: CaptureDate | OwnDate
    ) -> BulkResult:
        """Set the capture time, or restore what each picture says."""

        async def work(connection: AsyncConnection) -> BulkResult:
            result = await lock_photos(connection, owner, ids)
            await connection.execute(
                update(photos).where(photos.c.id.in_(result.done)).values(date_values(date))
            )
            return result

        return await self._database.transaction(work)

    async def shift(
        self, owner: str, ids: Sequence[int], by: timedelta, *, now: datetime
    ) -> BulkResult:
        """Add to the capture times. A photo without one stays as it is.

        Raises InvalidRequest, and changes nothing, if a date would be impossible.
        """
        taken_at = photos.c.taken_at + literal(by, Interval)
        latest = literal(latest_local_time(now), DateTime)
        is_possible = and_(
            taken_at >= literal(EARLIEST, DateTime),
            taken_at <= latest,
            _in_utc(taken_at) <= func.timezone("UTC", latest),
        )

        async def work(connection: AsyncConnection) -> BulkResult:
            result = await lock_photos(connection, owner, ids)
            dated = (photos.c.id.in_(result.done), photos.c.taken_at.is_not(None))
            query = select(photos.c.id).where(*dated, ~is_possible).order_by(photos.c.id).limit(1)
            impossible = (await connection.execute(query)).scalar()
            if impossible is not None:
                raise impossible_date(f"The new date of photo {impossible} is")
            statement = update(photos).where(*dated)
            await connection.execute(
                statement.values(
                    taken_at=taken_at,
                    taken_from=DateSource.USER,
                    sort_at=_in_utc(taken_at),
                    version=photos.c.version + 1,
                    **_kept_date(),
                )
            )
            return result

        return await self._database.transaction(work)


def date_values(date: CaptureDate | OwnDate) -> _Values:
    """Return the values that set a photo's capture time, or restore what the picture says."""
    version = photos.c.version + 1
    if isinstance(date, CaptureDate):
        in_utc = date.at.replace(tzinfo=UTC) - (date.offset or timedelta(0))
        new = {"taken_at": date.at, "taken_offset": date.offset, "taken_from": date.source}
        return {**new, "sort_at": in_utc, "version": version, **_kept_date()}
    own = {name: photos.c[f"own_{name}"] for name in _DATE}
    restored = {name: case((_IS_CHANGED, own[name]), else_=photos.c[name]) for name in _DATE}
    own_in_utc = func.timezone("UTC", own["taken_at"] - _or_zero(own["taken_offset"]))
    sort_at = case(
        (_IS_CHANGED, func.coalesce(own_in_utc, photos.c.created_at)), else_=photos.c.sort_at
    )
    nothing = {f"own_{name}": null() for name in _DATE}
    return {**restored, **nothing, "sort_at": sort_at, "version": version}


def keep_owners_date(values: _Values) -> _Values:
    """Return the values of an inspection, with its date as the picture's own beside the owner's.

    A picture without a date leaves that as it is: it may be that of the file. So do the facts of an
    earlier inspection, which have the owner's date.
    """
    others = {name: value for name, value in values.items() if name not in {*_DATE, "sort_at"}}
    if values["taken_at"] is None or values["taken_from"] == DateSource.USER:
        return others
    return others | {f"own_{name}": values[name] for name in _DATE}


def _kept_date() -> _Values:
    """Return the values that keep the picture's own date, unless they are kept already."""
    return {
        f"own_{name}": case((_IS_CHANGED, photos.c[f"own_{name}"]), else_=photos.c[name])
        for name in _DATE
    }


def _in_utc(local_time: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a photo's local time in UTC, by its offset. Without one it counts as UTC."""
    return func.timezone("UTC", local_time - _or_zero(photos.c.taken_offset))


def _or_zero(offset: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(offset, literal(timedelta(0), Interval))


async def lock_photos(connection: AsyncConnection, owner: str, ids: Sequence[int]) -> BulkResult:
    """Lock the owner's photos among these ids, in one order, so that no two calls deadlock."""
    query = (
        select(photos.c.id)
        .where(
            photos.c.owner == owner,
            photos.c.id.in_(possible_ids(ids)),
            photos.c.status == Status.READY,
            photos.c.trashed_at.is_(None),
        )
        .order_by(photos.c.id)
        .with_for_update()
    )
    found = set((await connection.execute(query)).scalars())
    unique = dict.fromkeys(ids)
    return BulkResult(
        done=tuple(id_ for id_ in unique if id_ in found),
        missing=tuple(id_ for id_ in unique if id_ not in found),
    )
