"""Photos on the plain pages: formats, layout, paging, and caching."""

import asyncio

from playwright.async_api import Page, expect

from support import pictures
from support.browser_session import BrowserSession, OpenBrowserSession, wait_for_image
from support.service import Service


async def test_every_format_is_shown(open_session: OpenBrowserSession, service: Service) -> None:
    kinds = pictures.photographs()
    for name, data in kinds.items():
        await service.add(data, title=f"A {name}")
    visit = await open_session()
    await visit.page.goto(f"{service.url}/simple-upload")
    for name in kinds:
        image = visit.page.get_by_role("img", name=f"A {name}", exact=True)
        assert await wait_for_image(image) == (256, 192), name


async def test_loading_photos_does_not_shift_the_layout(
    open_session: OpenBrowserSession, service: Service
) -> None:
    ids = [
        await service.add(pictures.jpeg(240, 160, exif=pictures.exif(orientation)))
        for orientation in range(1, 9)
    ]
    visit = await open_session()
    for orientation, id_ in enumerate(ids, start=1):
        await visit.page.goto(f"{service.url}/simple-upload/{id_}")
        image = visit.page.locator("main img")
        kept = await image.get_attribute("width"), await image.get_attribute("height")
        assert kept == (("240", "160") if orientation < 5 else ("160", "240"))
        assert tuple(map(int, kept)) == await wait_for_image(image)


async def test_many_photos_are_paged_through_without_auth(
    open_session: OpenBrowserSession, open_service: Service
) -> None:
    photos = [pictures.png(20 + number, 20) for number in range(60)]
    for batch in (photos[start : start + 12] for start in range(0, 60, 12)):
        await asyncio.gather(*map(open_service.add, batch))
    visit = await open_session(open_service, signed_in=False)
    page = visit.page
    await page.goto(f"{open_service.url}/simple-upload")
    await expect(page.get_by_role("link", name="Newest")).to_have_count(0)
    await expect(page.get_by_role("button", name="Sign out")).to_have_count(0)
    first = await _listed(page)

    await visit.follow(page.get_by_role("link", name="Older"))
    second = await _listed(page)
    assert (len(first), len(second)) == (48, 12)
    assert len({*first, *second}) == 60
    await expect(page.get_by_role("link", name="Older")).to_have_count(0)

    await visit.follow(page.get_by_role("link", name="Newest"))
    assert await _listed(page) == first
    await visit.add(pictures.png(19, 19), title="The newest")
    assert (await _listed(page))[1:] == first[:-1]
    assert await wait_for_image(page.get_by_role("img", name="The newest")) == (19, 19)


async def _listed(page: Page) -> list[str]:
    links: list[str] = await page.locator(".photos a").evaluate_all(
        "links => links.map(link => link.href)"
    )
    return links


async def test_reloading_the_page_transfers_no_image_bytes(
    open_session: OpenBrowserSession, service: Service
) -> None:
    for number in range(3):
        await service.add(pictures.jpeg(300 + number, 300), title=f"Kept {number}")
    visit = await open_session()
    session = await visit.context.new_cdp_session(visit.page)
    await session.send("Network.clearBrowserCache")
    page = f"{service.url}/simple-upload"
    assert await _open_and_count(visit, page) > 3 * 5_000, "the first load is counted"

    assert await _open_and_count(visit, None) == 0, "reloaded"
    await visit.page.goto("about:blank")
    assert await _open_and_count(visit, page) == 0, "visited again"
    await visit.context.clear_cookies()
    await visit.sign_in()
    await visit.page.goto("about:blank")  # the gallery would load its own images meanwhile
    assert await _open_and_count(visit, page) == 0, "signed in again"


async def _open_and_count(visit: BrowserSession, url: str | None) -> int:
    """Open or reload a page, wait for its photos, and return the bytes sent by the store."""

    async def go() -> None:
        await (visit.page.goto(url) if url else visit.page.reload())
        for number in range(3):
            await wait_for_image(visit.page.get_by_role("img", name=f"Kept {number}"))

    return await visit.downloaded_bytes(go)


async def test_pages_fit_a_small_screen(open_session: OpenBrowserSession, service: Service) -> None:
    id_ = await service.add(pictures.png(411, 13), title="W" * 200, description="w" * 400)
    visit = await open_session(signed_in=False)
    await visit.page.set_viewport_size({"width": 320, "height": 600})
    assert await _width(visit.page, f"{service.url}/") == 320, "the sign-in page"
    await visit.sign_in()
    for path in ("/simple-upload", f"/simple-upload/{id_}", "/photo/0"):
        assert await _width(visit.page, service.url + path) == 320, path


async def test_sign_in_link_shows_a_button_that_works_without_javascript(
    open_session: OpenBrowserSession, service: Service
) -> None:
    visit = await open_session(javascript=False, signed_in=False)
    await visit.page.set_viewport_size({"width": 320, "height": 600})
    for _ in range(2):
        assert await _width(visit.page, service.sign_in_link) == 320
    button = visit.page.get_by_role("button", name="Sign in on this device")
    await expect(button).to_be_focused()
    assert await visit.context.cookies() == []
    async with visit.page.expect_navigation():
        await button.click()
    assert visit.page.url == f"{service.url}/"
    await visit.page.goto(f"{service.url}/simple-upload")
    await expect(visit.page.get_by_role("heading", name="Add a photo")).to_be_visible()
    await visit.page.goto(service.sign_in_link)
    assert visit.page.url == f"{service.url}/", "already signed in"


async def _width(page: Page, url: str) -> int:
    await page.goto(url)
    width: int = await page.evaluate("document.documentElement.scrollWidth")
    return width


async def test_unknown_photo_shows_not_found(visit: BrowserSession) -> None:
    for written in ("999999999", "abc", "-1", str(2**63)):
        answer = await visit.page.goto(f"{visit.service.url}/simple-upload/{written}")
        assert answer
        assert answer.status == 404
        assert await visit.problem() == "There is no such photo."


async def test_api_docs_render_and_send_a_call(
    open_session: OpenBrowserSession,
) -> None:
    visit = await open_session()
    page = visit.page
    await page.goto(f"{visit.service.url}/docs")
    call = page.locator("#operations-photos-list_api_photos_get")
    await call.locator(".opblock-summary-control").click()
    await page.get_by_role("button", name="Try it out").click()
    await page.get_by_role("button", name="Execute").click()
    live = call.locator(".live-responses-table .response-col_status").last
    await expect(live).to_contain_text("200")
