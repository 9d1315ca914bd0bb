"""Rows become photos, photos become rows."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row

from safelight.photo import ImageFacts, Photo, Rendition
from safelight.tables import photos

COLUMNS = (
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
)


def photo(row: Row[*tuple[Any, ...]]) -> Photo:
    """Make the value of a row of COLUMNS that is ready."""
    facts = ImageFacts(
        format=row.format,
        content_type=row.content_type,
        width=row.width,
        height=row.height,
        frames=row.frames,
        taken_at=row.taken_at,
        taken_offset=row.taken_offset,
    )
    return Photo(
        id=row.id,
        version=row.version,
        owner=row.owner,
        name=row.name,
        title=row.title,
        description=row.description,
        filename=row.filename,
        size=row.size,
        sha256=row.sha256,
        facts=facts,
        created_at=row.created_at,
        renditions=tuple(Rendition(**rendition) for rendition in row.renditions),
        thumbhash=row.thumbhash,
    )


def facts_columns(facts: ImageFacts, *, now: datetime) -> dict[str, object]:
    """Spread the facts over the row's columns, with the time that order=taken sorts by."""
    return asdict(facts) | {"sort_at": _sort_at(facts, now)}


def _sort_at(facts: ImageFacts, now: datetime) -> datetime:
    """When it was taken, as near as the picture tells: a clock without a zone counts as UTC."""
    if facts.taken_at is None:
        return now
    return facts.taken_at.replace(tzinfo=UTC) - (facts.taken_offset or timedelta(0))
