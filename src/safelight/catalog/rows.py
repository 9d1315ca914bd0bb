"""Rows become photos, photos become rows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from safelight.photo import Details, ImageFacts, Photo, Rendition
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
    photos.c.details,
)


FACTS = (
    *("format", "content_type", "width", "height", "frames", "taken_at", "taken_offset"),
    "sort_at",
)
"""The names of the columns that `facts_columns` gives."""


def photo(row: Sequence[Any]) -> Photo:
    """Make the value of a row of COLUMNS that is ready."""
    (id_, version, owner, name, title, description, filename, size, *others) = row
    (sha256, created_at, thumbhash, renditions, form, content_type, *others) = others
    (width, height, frames, taken_at, taken_offset, details) = others
    facts = ImageFacts(
        format=form,
        content_type=content_type,
        width=width,
        height=height,
        frames=frames,
        taken_at=taken_at,
        taken_offset=taken_offset,
        details=_details(details),
    )
    return Photo(
        id=id_,
        version=version,
        owner=owner,
        name=name,
        title=title,
        description=description,
        filename=filename,
        size=size,
        sha256=sha256,
        facts=facts,
        created_at=created_at,
        renditions=tuple(Rendition(**rendition) for rendition in renditions),
        thumbhash=thumbhash,
    )


def facts_columns(facts: ImageFacts, *, now: datetime) -> dict[str, object]:
    """Spread the facts over the row's columns, with the time that order=taken sorts by."""
    columns = {name: getattr(facts, name) for name in FACTS if name != "sort_at"}
    return columns | {"sort_at": _sort_at(facts, now)}


def detailed(details: Details) -> str:
    """Spell the details as the JSON of their column; durations are in seconds."""
    seconds = None if details.duration is None else details.duration.total_seconds()
    return json.dumps(asdict(details) | {"duration": seconds})


def _details(column: Mapping[str, Any]) -> Details:
    seconds = column.get("duration")
    duration = None if seconds is None else timedelta(seconds=seconds)
    return Details(**{**column, "duration": duration})


def rendered(renditions: Sequence[Rendition]) -> str:
    """Spell renditions as the JSON of their column."""
    return json.dumps([asdict(rendition) for rendition in renditions])


def _sort_at(facts: ImageFacts, now: datetime) -> datetime:
    """When it was taken, as near as the picture tells: a clock without a zone counts as UTC."""
    if facts.taken_at is None:
        return now
    try:
        return facts.taken_at.replace(tzinfo=UTC) - (facts.taken_offset or timedelta(0))
    except OverflowError:  # a camera's clock at the end of the calendar
        return now
