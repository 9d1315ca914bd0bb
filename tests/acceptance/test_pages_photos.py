"""Photos on the plain pages: every format and orientation, many of them, and what loading costs."""

import asyncio

from playwright.async_api import Page, expect

import pictures
from acceptance.service import Service
from acceptance.visits import Visit, Visiting, shown


async def test_every_format_shows(visiting: Visiting, service: Service) -> None:
    kinds = pictures.photographs()
    for name, data in kinds.items():
        await service.add(data, title=f"A {name}")
    visit = await visiting()
    await visit.page.goto(f"{service.url}/simple-upload")
    for name in kinds:
        image = visit.page.get_by_role("img", name=f"A {name}", exact=True)
        assert await shown(image) == (256, 192), name


async def test_a_photo_takes_the_place_that_the_page_kept_for_it(
    visiting: Visiting, service: Service
) -> None:
    ids = [
        await service.add(pictures.jpeg(240, 160, exif=pictures.exif(orientation)))
        for orientation in range(1, 9)
    ]
    visit = await visiting()
    for orientation, id_ in enumerate(ids, start=1):
        await visit.page.goto(f"{service.url}/simple-upload/{id_}")
        image = visit.page.locator("main img")
        kept = await image.get_attribute("width"), await image.get_attribute("height")
        assert kept == (("240", "160") if orientation < 5 else ("160", "240"))
        assert tuple(map(int, kept)) == await shown(image)


async def test_many_photos_are_leafed_through_and_nobody_is_asked_for_a_token(
    visiting: Visiting, open_service: Service
) -> None:
    photos = [pictures.png(20 + number, 20) for number in range(60)]
    for batch in (photos[start : start + 12] for start in range(0, 60, 12)):
        await asyncio.gather(*map(open_service.add, batch))
    visit = await visiting(open_service, signed_in=False)
    page = visit.page
    await page.goto(f"{open_service.url}/simple-upload")
    await expect(page.get_by_role("link", name="Newest")).to_have_count(0)
    await expect(page.get_by_role("button", name="Sign out")).to_have_count(0)
    first = await _listed(page)

    await page.get_by_role("link", name="Older").click()
    second = await _listed(page)
    assert (len(first), len(second)) == (48, 12)
    assert len({*first, *second}) == 60
    await expect(page.get_by_role("link", name="Older")).to_have_count(0)

    await page.get_by_role("link", name="Newest").click()
    assert await _listed(page) == first
    await visit.add(pictures.png(19, 19), title="The newest")
    assert (await _listed(page))[1:] == first[:-1]
    assert await shown(page.get_by_role("img", name="The newest")) == (19, 19)


async def _listed(page: Page) -> list[str]:
    links: list[str] = await page.locator(".photos a").evaluate_all(
        "links => links.map(link => link.href)"
    )
    return links


async def test_loading_the_page_again_moves_no_image_bytes(
    visiting: Visiting, service: Service
) -> None:
    for number in range(3):
        await service.add(pictures.jpeg(300 + number, 300), title=f"Kept {number}")
    visit = await visiting()
    session = await visit.context.new_cdp_session(visit.page)
    await session.send("Network.clearBrowserCache")
    page = f"{service.url}/simple-upload"
    assert await _moved(visit, page) > 3 * 5_000, "what does move is counted"

    assert await _moved(visit, None) == 0, "reloaded"
    await visit.page.goto("about:blank")
    assert await _moved(visit, page) == 0, "visited again"
    await visit.context.clear_cookies()
    await visit.sign_in()
    assert await _moved(visit, page) == 0, "signed in again"


async def _moved(visit: Visit, url: str | None) -> int:
    """Go to a page, or reload it, and show the photos; the bytes that came from the store."""

    async def go() -> None:
        await (visit.page.goto(url) if url else visit.page.reload())
        for number in range(3):
            await shown(visit.page.get_by_role("img", name=f"Kept {number}"))

    return await visit.moved(go)


async def test_nothing_hangs_over_the_edge_of_a_small_screen(
    visiting: Visiting, service: Service
) -> None:
    id_ = await service.add(pictures.png(411, 13), title="W" * 200, description="w" * 400)
    visit = await visiting(signed_in=False)
    await visit.page.set_viewport_size({"width": 320, "height": 600})
    assert await _width(visit.page, f"{service.url}/") == 320, "the sign-in page"
    await visit.sign_in()
    for path in ("/simple-upload", f"/simple-upload/{id_}", "/photo/0"):
        assert await _width(visit.page, service.url + path) == 320, path


async def _width(page: Page, url: str) -> int:
    await page.goto(url)
    width: int = await page.evaluate("document.documentElement.scrollWidth")
    return width


async def test_a_photo_that_is_not_there_is_said_not_to_be(visit: Visit) -> None:
    for written in ("999999999", "abc", "-1", str(2**63)):
        answer = await visit.page.goto(f"{visit.service.url}/simple-upload/{written}")
        assert answer
        assert answer.status == 404
        assert await visit.problem() == "There is no such photo."


async def test_the_documentation_of_the_api_renders_and_tries_a_call(visiting: Visiting) -> None:
    visit = await visiting()
    page = visit.page
    await page.goto(f"{visit.service.url}/docs")
    call = page.locator("#operations-photos-list_api_photos_get")
    await call.locator(".opblock-summary-control").click()
    await page.get_by_role("button", name="Try it out").click()
    await page.get_by_role("button", name="Execute").click()
    live = call.locator(".live-responses-table .response-col_status").last
    await expect(live).to_contain_text("200")
