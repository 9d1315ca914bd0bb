"""Convert rows to photos, and photos to rows."""

import contextlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, Final

import msgspec

from safelight.catalog.tables import photos
from safelight.models import (
    INSPECTION,
    DateSource,
    Details,
    ImageFacts,
    Photo,
    Rendition,
)

COLUMNS: Final = (
    photos.c.id,
    photos.c.version,
    photos.c.owner,
    photos.c.name,
    photos.c.title,
    photos.c.description,
    photos.c.filename,
    photos.c.size,
    photos.c.sha256,
    photos.c.created_at,
    photos.c.thumbhash,
    photos.c.renditions,
    photos.c.format,
    photos.c.content_type,
    photos.c.width,
    photos.c.height,
    photos.c.frames,
    photos.c.taken_at,
    photos.c.taken_offset,
    photos.c.taken_from,
    photos.c.details,
    photos.c.renderer,
    photos.c.inspection,
    photos.c.trashed_at,
    photos.c.revoked_at,
    photos.c.turn,
)

_PLAIN_FACTS: Final = (
    *("format", "content_type", "width", "height", "frames"),
    *("taken_at", "taken_offset", "taken_from", "renderer"),
)
FACTS: Final = (*_PLAIN_FACTS, "sort_at", "inspection")
"""The names of the columns that `columns_from_facts` returns, apart from the details."""

_plain_facts = attrgetter(*_PLAIN_FACTS)
_QUARTER_TURNS: Final = frozenset({90, 270})


def photo_from_row(row: Sequence[Any]) -> Photo:
    """Return the photo of a ready row with COLUMNS."""
    (id_, version, owner, name, title, description, filename, size, *others) = row
    (sha256, created_at, thumbhash, renditions, format_, content_type, *others) = others
    (width, height, frames, taken_at, taken_offset, taken_from, details, *others) = others
    (renderer, inspection, trashed_at, revoked_at, turn) = others
    if turn in _QUARTER_TURNS:
        width, height = height, width
    seconds = details.get("duration")
    duration = None if seconds is None else timedelta(seconds=seconds)
    # Version 0.1 reads EXIF only, and doesn't store that.
    source = DateSource(taken_from or DateSource.EXIF) if taken_at else None
    facts = ImageFacts(
        format=format_,
        content_type=content_type,
        width=width,
        height=height,
        frames=frames,
        turn=turn,
        renderer=renderer,
        taken_at=taken_at,
        taken_offset=taken_offset,
        taken_from=source,
        # A later version, which shares the database for a while, may store others as well.
        details=msgspec.convert(details | {"duration": duration}, Details),
    )
    return Photo(
        id=id_,
        version=version,
        owner=owner,
        storage_id=name,
        title=title,
        description=description,
        filename=filename,
        size=size,
        sha256=sha256,
        facts=facts,
        created_at=created_at,
        renditions=msgspec.convert(renditions, tuple[Rendition, ...]),
        thumbhash=thumbhash,
        inspection=inspection,
        trashed_at=trashed_at,
        revoked_at=revoked_at,
    )


def columns_from_facts(facts: ImageFacts, *, now: datetime) -> dict[str, object]:
    """Return the columns of the facts, and `sort_at`, by which version 0.1 sorts.

    That is the capture time; without an offset it counts as UTC. It is `now` if the image has no
    capture time, or one at the end of the calendar. The size is that before the photo was turned.

    The details have the duration in seconds, and `displayable` only if it is false, as of few
    photos: version 0.1 can't read a row with it, and may still run beside this one.
    """
    if facts.turn:
        facts = turn_to(facts, 0)
    sort_at = now
    if facts.taken_at is not None:
        with contextlib.suppress(OverflowError):
            sort_at = facts.taken_at.replace(tzinfo=UTC) - (facts.taken_offset or timedelta(0))
    columns = dict(zip(FACTS, (*_plain_facts(facts), sort_at, INSPECTION), strict=True))
    # psycopg would write the name of an enum's member.
    columns["taken_from"] = facts.taken_from and str(facts.taken_from)
    duration = facts.details.duration
    seconds = None if duration is None else duration.total_seconds()
    details = asdict(facts.details) | {"duration": seconds}
    if facts.details.displayable:
        del details["displayable"]
    return columns | {"details": details}


def turn_to(facts: ImageFacts, turn: int) -> ImageFacts:
    """Return the facts of a photo as it is after a turn, in degrees clockwise from the original."""
    if (turn - facts.turn) % 180 == 0:
        return facts if turn == facts.turn else replace(facts, turn=turn)
    return replace(facts, turn=turn, width=facts.height, height=facts.width)
