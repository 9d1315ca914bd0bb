"""Photos as JSON, rendered once for each state and link window and then kept.

A page of photos is asked for far more often than a photo changes. So the catalog is asked only
which photos a page has and in which version, and what was rendered of them before is joined.
"""

import base64
import gzip
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from hashlib import blake2b

import msgspec

from safelight.catalog import Month, Page
from safelight.formats import FORMATS
from safelight.library import Library
from safelight.photo import Details, ImageFacts, Photo
from safelight.web.shapes import MonthView, PhotoView, RenditionView


@dataclass(frozen=True, slots=True)
class _Rendered:
    version: int
    stale_at: datetime
    json: bytes


@dataclass(frozen=True)
class PageView:
    """A page, ready to be sent: a JSON array, and a tag that changes whenever it does.

    It is to be rendered anew at `stale_at`, or when one of its photos changes.
    """

    json: bytes
    etag: str
    stale_at: datetime

    @cached_property
    def gzipped(self) -> bytes:
        """The JSON compressed, which takes far longer than all the rest of an answer."""
        return gzip.compress(self.json, compresslevel=5, mtime=0)


_Place = tuple[str | None, tuple[tuple[int, int], ...]]
_PAGES_BYTES = 16 * 1024 * 1024


class _Pages:
    """The pages that were asked for last, whole, as long as their JSON has _PAGES_BYTES."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Place, PageView] = OrderedDict()
        self._bytes = 0

    def get(self, place: _Place, now: datetime) -> PageView | None:
        kept = self._kept.get(place)
        if kept is None or now >= kept.stale_at:
            return None
        self._kept.move_to_end(place)
        return kept

    def keep(self, place: _Place, page: PageView) -> None:
        before = self._kept.pop(place, None)
        self._kept[place] = page
        self._bytes += _cost(page) - (_cost(before) if before else 0)
        while self._bytes > _PAGES_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= _cost(oldest)


def _cost(page: PageView) -> int:
    """Estimate the bytes that keeping it takes, its compressed form and its place included."""
    return 2_000 + len(page.json) * 5 // 4


class Views:
    """Renders a library's photos, and keeps the last `capacity` renderings and some whole pages."""

    def __init__(self, library: Library, *, capacity: int = 5_000) -> None:
        self._library = library
        self._capacity = capacity
        self._kept: OrderedDict[tuple[str | None, int], _Rendered] = OrderedDict()
        self._pages = _Pages()

    async def page(
        self, owner: str, page: Page, *, endpoint: str | None, now: datetime
    ) -> PageView:
        """Render a page of the owner's. A photo that went meanwhile is left out."""
        place = (endpoint, page.states)
        tally = self._library.tally
        if kept := self._pages.get(place, now):
            tally.hits["pages"] += 1
            return kept
        tally.misses["pages"] += 1
        rendered = await self._rendered(owner, page, endpoint, now)
        view = _joined(rendered, now)
        if len(rendered) == len(page.states):
            self._pages.keep(place, view)
        return view

    async def _rendered(
        self, owner: str, page: Page, endpoint: str | None, now: datetime
    ) -> list[_Rendered]:
        # Held here, since others may push any of them out of what is kept.
        shown = {
            id_: kept
            for id_, version in page.states
            if (kept := self._fresh(endpoint, id_, version, now))
        }
        missing = [id_ for id_, _ in page.states if id_ not in shown]
        self._library.tally.hits["photos"] += len(shown)
        self._library.tally.misses["photos"] += len(missing)
        if missing:
            for photo in await self._library.photos(owner, missing):
                shown[photo.id] = self._render(photo, endpoint, now)
        return [shown[id_] for id_, _ in page.states if id_ in shown]

    def photo(self, photo: Photo, *, endpoint: str | None, now: datetime) -> bytes:
        """Render one photo as a JSON object."""
        return self._render(photo, endpoint, now).json

    def _fresh(
        self, endpoint: str | None, id_: int, version: int, now: datetime
    ) -> _Rendered | None:
        kept = self._kept.get((endpoint, id_))
        return kept if kept and kept.version == version and now < kept.stale_at else None

    def _render(self, photo: Photo, endpoint: str | None, now: datetime) -> _Rendered:
        rendered = _Rendered(
            photo.version,
            self._library.links_turn_over_at(photo, now=now),
            msgspec.json.encode(self.view(photo, endpoint=endpoint, now=now)),
        )
        self._kept[endpoint, photo.id] = rendered
        if len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
        return rendered

    def view(self, photo: Photo, *, endpoint: str | None, now: datetime) -> PhotoView:
        """Put together what clients see of a photo."""
        original = self._library.link(photo, endpoint=endpoint, now=now)
        facts = photo.facts
        renditions = [
            RenditionView(
                name=made.name,
                width=made.width,
                height=made.height,
                content_type=made.content_type,
                url=self._library.link(photo, made.name, endpoint=endpoint, now=now).url,
            )
            for made in photo.renditions
        ]
        return PhotoView(
            id=photo.id,
            photo_url=_shown(facts, original.url, renditions),
            original_url=original.url,
            expires_at=original.expires_at,
            title=photo.title,
            description=photo.description,
            filename=photo.filename,
            content_type=facts.content_type,
            size=photo.size,
            sha256=photo.sha256,
            width=facts.width,
            height=facts.height,
            animated=facts.animated,
            duration=_seconds(facts.details.duration),
            camera=_camera(facts.details),
            located=facts.details.located,
            taken_at=_taken_at(facts),
            created_at=photo.created_at,
            thumbhash=base64.b64encode(photo.thumbhash).decode() if photo.thumbhash else None,
            renditions=renditions,
        )


def _shown(facts: ImageFacts, original: str, renditions: list[RenditionView]) -> str:
    """Give the link that any browser can show: the original, or else the largest rendition."""
    if not renditions or facts.format not in FORMATS or FORMATS[facts.format].in_browsers:
        return original
    return max(renditions, key=lambda made: made.width).url


def month_view(month: Month) -> MonthView:
    """Put together what clients see of a month."""
    begins = month.begins
    return MonthView(f"{begins.year:04}-{begins.month:02}", month.count, str(month.after))


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()


def _camera(details: Details) -> str | None:
    """Name the camera; most makers begin the model's name with their own."""
    make, model = details.camera_make or "", details.camera_model or ""
    maker = make.split(" ")[0]
    if maker and model.casefold().startswith(maker.casefold()):
        return model
    return f"{make} {model}".strip() or None


def etag_of(body: bytes) -> str:
    """Make a tag that changes whenever the body does."""
    return f'"{blake2b(body, digest_size=16, person=b"safelight page").hexdigest()}"'


def _joined(rendered: list[_Rendered], now: datetime) -> PageView:
    body = b"[" + b",".join([each.json for each in rendered]) + b"]"
    stale_at = min((each.stale_at for each in rendered), default=now)
    return PageView(body, etag_of(body), stale_at)


def _taken_at(facts: ImageFacts) -> str | None:
    """Tell the capture time in ISO 8601, with an offset only if the picture tells one."""
    if facts.taken_at is None:
        return None
    if facts.taken_offset is None:
        return facts.taken_at.isoformat()
    return facts.taken_at.replace(tzinfo=timezone(facts.taken_offset)).isoformat()
