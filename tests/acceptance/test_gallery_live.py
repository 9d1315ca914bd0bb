"""The gallery shows what other tabs and devices change, and renews links that die."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Locator, Route, expect

from support.browser_session import REFUSED, OpenBrowserSession
from support.gallery import GalleryPage, fill, make_photo
from support.service import Service, run_service

NEWEST = datetime(2023, 9, 20, 12, 30)  # noqa: DTZ001  a camera's clock has no zone
POLL = 8_000
"""Milliseconds after which an open page asks for changes."""
STEP = 1_000
"""Milliseconds in which no message ends before it is seen."""
EIGHT_DAYS = 8 * 24 * 60 * 60 * 1000
ALL_LOADED = """() => [...document.querySelectorAll('#photos img')]
  .every((image) => image.complete && image.naturalWidth > 0)"""


@pytest.fixture(scope="module")
def service(open_tmp_path: Path) -> Iterator[Service]:
    """A separate service, since the gallery shows all of its photos."""
    with run_service(open_tmp_path / "gallery-live") as started:
        yield started


@pytest.fixture
async def ids(service: Service) -> list[int]:
    """The ids of the photos, all others being deleted: Photo 0 is the newest."""
    async with service.api() as api:
        photos = (await api.get("/api/photos")).json()
        if photos:
            listed = ",".join(str(photo["id"]) for photo in photos)
            await api.delete(f"/api/photos?ids={listed}&permanent=true")
    return await fill(service, 4, newest=NEWEST, apart=timedelta(days=1))


@pytest.fixture
async def gallery(
    open_session: OpenBrowserSession, service: Service, ids: list[int]
) -> GalleryPage:
    """The gallery, in a page that asks for changes when the test moves its clock."""
    gallery = GalleryPage(await open_session(service))
    await gallery.page.clock.install()
    await gallery.open()
    await expect(gallery.photos).to_have_count(len(ids))
    return gallery


async def poll_until(gallery: GalleryPage, wanted: Locator, *, is_there: bool = True) -> None:
    """Move the clock until something is in the page: a request may have been under way before."""
    async with asyncio.timeout(120):
        while (await wanted.count() > 0) != is_there:
            await gallery.page.clock.fast_forward(STEP)
            await gallery.page.wait_for_timeout(20)


async def test_changes_of_others_are_shown_without_a_reload(
    gallery: GalleryPage, service: Service, ids: list[int]
) -> None:
    async with service.api() as api:
        await api.patch(f"/api/photos/{ids[1]}", json={"title": "Renamed"})
        await poll_until(gallery, gallery.photo("Renamed"))
        await service.add(make_photo(NEWEST, shade=201), title="From elsewhere")
        await poll_until(gallery, gallery.photo("From elsewhere"))
        await api.delete(f"/api/photos/{ids[0]}?permanent=true")
        await poll_until(gallery, gallery.photo("Photo 0"), is_there=False)
    await poll(gallery, 2)
    seen = len(gallery.session.requests)
    await poll(gallery, 3)
    assert not [url for url in gallery.session.requests[seen:] if "/api/photos" in url]


async def poll(gallery: GalleryPage, number: int) -> None:
    """Move the clock until the page has asked for changes a number of times."""
    asked: list[str] = []
    gallery.page.on("response", lambda answer: asked.append(answer.url))
    async with asyncio.timeout(120):
        while sum(url.endswith("/api/changes") for url in asked) < number:
            await gallery.page.clock.fast_forward(POLL)
            await gallery.page.wait_for_timeout(100)


async def test_photo_in_the_viewer_says_that_it_was_deleted_elsewhere(
    gallery: GalleryPage, service: Service, ids: list[int]
) -> None:
    gallery.session.expected_errors = REFUSED
    await gallery.photo("Photo 1").click()
    await gallery.viewer.shows("Photo 1")
    async with service.api() as api:
        await service.add(make_photo(NEWEST, shade=202), title="From elsewhere")
        await poll_until(gallery, gallery.photo("From elsewhere"))
        await gallery.viewer.shows("Photo 1")
        await api.delete(f"/api/photos/{ids[1]}")
    message = gallery.page.get_by_text("“Photo 1” was deleted in another tab")
    await poll_until(gallery, message)
    await gallery.viewer.shows("Photo 2")
    await gallery.page.keyboard.press("Escape")
    await expect(gallery.photo("Photo 1")).to_have_count(0)


async def test_images_get_new_links_when_theirs_have_died(
    gallery: GalleryPage,
) -> None:
    page = gallery.page
    gallery.session.expected_errors = REFUSED
    refused: list[str] = []

    async def refuse(route: Route) -> None:
        refused.append(urlsplit(route.request.url).path)
        await route.fulfill(status=403)

    await page.route("**/*X-Amz-Signature=*", refuse)
    await gallery.open()
    await expect(gallery.photos).to_have_count(4)
    # Each fails twice: the first time may be before the page listens.
    while sum(times > 1 for times in Counter(refused).values()) < 4:
        await page.clock.fast_forward(1_000)
        await page.wait_for_timeout(50)
    await page.unroute("**/*X-Amz-Signature=*")
    await page.wait_for_function(ALL_LOADED)


async def test_tab_that_is_left_open_for_eight_days_gets_new_links(gallery: GalleryPage) -> None:
    page = gallery.page
    await poll(gallery, 1)
    seen = len(gallery.session.requests)
    await page.clock.fast_forward(EIGHT_DAYS)
    async with asyncio.timeout(120):
        while not [url for url in gallery.session.requests[seen:] if "/api/photos?" in url]:
            await page.clock.fast_forward(POLL)
            await page.wait_for_timeout(100)
    await page.wait_for_function(ALL_LOADED)
    await gallery.photo("Photo 2").click()
    await gallery.viewer.shows("Photo 2")
