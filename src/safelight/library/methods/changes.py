"""Change the texts, dates and turns of photos."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from safelight.dates import user_date
from safelight.errors import InvalidRequest
from safelight.library.captions import MAX_DESCRIPTION, MAX_TITLE, validate_text
from safelight.library.lifecycle import LibraryLifecycle
from safelight.library.methods.photos import MAX_PAGE
from safelight.models import BulkResult, CaptureDate, OwnDate, Photo

MAX_SHIFT: timedelta = timedelta(days=100_000)
"""The maximum shift of a capture time: 270 years."""
TURNS = (0, 90, 180, 270)
"""How far a photo can be turned, in degrees clockwise."""


class ChangeMethods(LibraryLifecycle):
    """The methods that change photos."""

    async def edit(
        self,
        owner: str,
        id_: int,
        *,
        title: str | None = None,
        description: str | None = None,
        taken_at: datetime | OwnDate | None = None,
        turn: int | None = None,
    ) -> Photo:
        """Change the title, description, capture time or turn; None keeps the current.

        `taken_at` is as in `set_dates`. `turn` is how far the photo is turned for display, in
        degrees clockwise from the original: 0, 90, 180 or 270. See `rotate`. Raises NotFound, and
        InvalidRequest for what isn't acceptable.
        """
        if turn not in {None, *TURNS}:
            raise InvalidRequest("The turn must be 0, 90, 180 or 270.")
        if title is not None:
            validate_text("title", title, MAX_TITLE)
        if description is not None:
            validate_text("description", description, MAX_DESCRIPTION)
        date = None if taken_at is None else self._date(taken_at)
        return await self.components.turning.edit(
            owner, id_, title=title, description=description, date=date, turn=turn
        )

    async def set_dates(
        self, owner: str, ids: Sequence[int], taken_at: datetime | OwnDate
    ) -> BulkResult:
        """Set the capture time of up to `MAX_PAGE` photos, in one transaction.

        `taken_at` is a local time, with an offset from UTC or without a time zone; `OWN_DATE`
        restores what each picture says. Raises InvalidRequest for a date that can't be true.
        """
        check_number(ids)
        return await self.backends.catalog.dates.change(owner, ids, self._date(taken_at))

    async def shift_dates(self, owner: str, ids: Sequence[int], by: timedelta) -> BulkResult:
        """Add to the capture times of up to `MAX_PAGE` photos, in one transaction.

        It corrects a camera's clock. A photo without a capture time stays as it is. Raises
        InvalidRequest, and changes nothing, if a date can't be true.
        """
        check_number(ids)
        if abs(by) > MAX_SHIFT:
            raise InvalidRequest(f"The shift is too large. The limit is {MAX_SHIFT.days} days.")
        return await self.backends.catalog.dates.shift(owner, ids, by, now=self.now())

    async def rotate(self, owner: str, ids: Sequence[int], degrees: int) -> BulkResult:
        """Turn up to `MAX_PAGE` photos by 90, 180 or 270 degrees clockwise, in one transaction.

        Their originals stay as they are, and downloads too. The size and the thumbhash turn at
        once, and renditions are made again: one of each photo before this returns, unless that
        takes longer than three seconds, and the others by a job. The original of a turned photo
        isn't linked to, except by its name. Raises InvalidRequest.
        """
        check_number(ids)
        if degrees not in TURNS[1:]:
            raise InvalidRequest("Photos can be rotated by 90, 180 or 270 degrees.")
        return await self.components.turning.rotate(owner, ids, degrees)

    def _date(self, taken_at: datetime | OwnDate) -> CaptureDate | OwnDate:
        if isinstance(taken_at, OwnDate):
            return taken_at
        return user_date(taken_at, now=self.now())


def check_number(ids: Sequence[int]) -> None:
    """Raise InvalidRequest unless this is the number of photos that one call can change."""
    if not 1 <= len(ids) <= MAX_PAGE:
        raise InvalidRequest(f"Give the ids of 1 to {MAX_PAGE} photos.")
