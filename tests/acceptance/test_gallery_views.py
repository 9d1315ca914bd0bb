"""The views of the gallery: their addresses, titles and links, with mouse, keys and touch."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import expect

from support.browser_session import OpenBrowserSession
from support.gallery import GalleryPage, fill, make_photo
from support.service import Service, run_service

NEWEST = datetime(2023, 9, 20, 12, 30)  # noqa: DTZ001  a camera's clock has no zone
OLD = datetime(1999, 4, 2, 8)  # noqa: DTZ001  a camera's clock has no zone


@pytest.fixture(scope="module")
def service(open_tmp_path: Path) -> Iterator[Service]:
    """A separate service, since the gallery shows all of its photos."""
    with run_service(open_tmp_path / "gallery-views") as started:
        yield started


@pytest.fixture
async def gallery(open_session: OpenBrowserSession, service: Service) -> GalleryPage:
    """The gallery, with five photos, of which the last one added is the oldest."""
    async with service.api() as api:
        if not (await api.get("/api/photos")).json():
            await fill(service, 4, newest=NEWEST, apart=timedelta(days=40))
            await service.add(make_photo(OLD), title="Old")
    return GalleryPage(await open_session(service))


async def _titles(gallery: GalleryPage) -> list[str]:
    images = gallery.photos.get_by_role("img")
    await expect(images).to_have_count(5)
    titles: list[str] = await images.evaluate_all("all => all.map(image => image.alt)")
    return titles


BY_DATE = ["Photo 0", "Photo 1", "Photo 2", "Photo 3", "Old"]
BY_ARRIVAL = ["Old", "Photo 3", "Photo 2", "Photo 1", "Photo 0"]


async def test_recently_added_is_a_view_with_its_own_address_title_and_history(
    gallery: GalleryPage,
) -> None:
    page, root = gallery.page, gallery.session.service.url
    views = page.get_by_role("navigation", name="Views")
    current = views.locator("[aria-current=page]")
    assert await _titles(gallery) == BY_DATE
    await expect(current).to_have_text("Photos")
    await views.get_by_role("link", name="Recently added").click()
    await expect(current).to_have_text("Recently added")
    await expect(page).to_have_url(f"{root}/?view=recent")
    await expect(page).to_have_title("Recently added · Safelight")
    assert await _titles(gallery) == BY_ARRIVAL

    await gallery.photo("Photo 3").click()
    await gallery.viewer.shows("Photo 3")
    await page.keyboard.press("ArrowRight")
    await gallery.viewer.shows("Photo 2")
    address = page.url
    await page.keyboard.press("Escape")
    await gallery.viewer.is_closed()
    await expect(page).to_have_url(f"{root}/?view=recent")

    await page.go_back()
    await expect(page).to_have_title("Photos · Safelight")
    assert await _titles(gallery) == BY_DATE
    await page.go_forward()
    await expect(page).to_have_title("Recently added · Safelight")
    assert await _titles(gallery) == BY_ARRIVAL

    await page.goto(address)
    await gallery.viewer.shows("Photo 2")
    await page.keyboard.press("ArrowLeft")
    await gallery.viewer.shows("Photo 3")
    await page.keyboard.press("Escape")
    await expect(gallery.photo("Photo 3")).to_be_focused()
    await expect(page).to_have_url(f"{root}/?view=recent")


async def test_view_is_loaded_on_first_use_and_asks_for_its_own_photos_only(
    gallery: GalleryPage,
) -> None:
    session = gallery.session
    await _titles(gallery)
    assert not [url for url in session.requests if "/assets/recent" in url]
    session.requests.clear()
    await gallery.open("/?view=recent")
    assert await _titles(gallery) == BY_ARRIVAL
    assert [url for url in session.requests if "/assets/recent" in url]
    assert not [url for url in session.requests if "order=taken" in url]


async def test_unknown_view_shows_all_photos(gallery: GalleryPage) -> None:
    await gallery.open("/?view=nonsense")
    assert await _titles(gallery) == BY_DATE


async def test_keys_and_touch_reach_the_views(
    gallery: GalleryPage, open_session: OpenBrowserSession, service: Service
) -> None:
    page = gallery.page
    link = page.get_by_role("link", name="Recently added")
    await link.focus()
    await page.keyboard.press("Enter")
    await expect(page).to_have_title("Recently added · Safelight")
    await expect(link).to_be_focused()

    phone = GalleryPage(await open_session(service, phone=True))
    await phone.page.get_by_role("link", name="Recently added").tap()
    await expect(phone.page).to_have_title("Recently added · Safelight")
    assert await _titles(phone) == BY_ARRIVAL


async def test_search_finds_photos_as_you_type_and_has_an_address(gallery: GalleryPage) -> None:
    page, root = gallery.page, gallery.session.service.url
    await expect(gallery.photos.get_by_role("img")).to_have_count(5)
    await page.keyboard.press("/")
    field = page.get_by_role("searchbox", name="Search photos")
    await expect(field).to_be_focused()
    await page.keyboard.type("photo 2")
    await expect(page.get_by_role("status").filter(has_text="1 photo found")).to_be_visible()
    await expect(page).to_have_url(f"{root}/?q=photo%202")
    await expect(gallery.photos.get_by_role("img")).to_have_count(1)
    await expect(field).to_be_focused()
    await gallery.photo("Photo 2").click()
    viewer = page.get_by_role("dialog")
    await expect(viewer).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(viewer).to_be_hidden()
    await field.fill("1999")
    await expect(gallery.photo("Old")).to_be_visible()
    await page.reload()
    await expect(field).to_have_value("1999")
    await expect(gallery.photo("Old")).to_be_visible()
    await field.fill("xylophone")
    await field.press("Enter")
    await expect(page.get_by_text("No photos found.")).to_be_visible()
