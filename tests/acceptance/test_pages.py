"""The plain pages in a real browser, with JavaScript and without."""

from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import expect

from support import pictures
from support.browser_session import BrowserSession, OpenBrowserSession, wait_for_image
from support.fake_server import FakeResponse, run_fake_server
from support.service import Service


@pytest.mark.parametrize("javascript", [True, False])
async def test_photo_is_uploaded_shown_and_deleted_with_its_link(
    open_session: OpenBrowserSession, tmp_path: Path, *, javascript: bool
) -> None:
    file = tmp_path / "astronaut.jpg"
    file.write_bytes(pictures.jpeg(300 + javascript, 200))
    visit = await open_session(javascript=javascript)
    page = visit.page

    await visit.add(file, title="On the way", description="To the pad")

    assert page.url == f"{visit.service.url}/simple-upload"
    item = page.get_by_role("listitem").filter(has_text="On the way")
    await expect(item).to_contain_text("To the pad")
    image = item.get_by_role("img", name="On the way")
    assert await wait_for_image(image) == (300 + javascript, 200)

    await image.click()
    await expect(page.get_by_role("heading", name="On the way")).to_be_visible()
    await expect(page.get_by_text("astronaut.jpg")).to_be_visible()
    assert await wait_for_image(page.get_by_role("img", name="On the way")) == (
        300 + javascript,
        200,
    )

    link = await page.get_by_role("link", name="Full size").get_attribute("href") or ""
    assert link.startswith(f"{visit.service.store}/")
    assert "X-Amz-Signature=" in urlsplit(link).query
    async with httpx.AsyncClient() as client:
        assert (await client.get(link)).content == file.read_bytes()

        await page.get_by_text("Delete …").click()
        await page.get_by_role("button", name="Delete this photo").click()

        await expect(page).to_have_url(f"{visit.service.url}/simple-upload")
        await expect(page.get_by_text("On the way")).to_have_count(0)
        while (await client.get(link)).status_code == 200:  # a slow store is emptied by a job
            await page.wait_for_timeout(100)
        assert (await client.get(link)).status_code == 404


async def test_page_at_another_port_can_neither_embed_nor_fetch_photos(
    open_session: OpenBrowserSession, service: Service
) -> None:
    """All ports of a host share their cookies."""
    visit = await open_session()
    await visit.add(pictures.jpeg(310, 200), title="Not for others")
    async with service.api() as api:
        photo = f"{service.url}/api/photos/{(await api.get('/api/photos')).json()[0]['id']}"
    urls = [f"{photo}/original", f"{service.url}/static/icon.svg"]
    assert all(await visit.page.evaluate(_LOAD, urls))
    visit.expected_errors = ("Failed to load resource", "Access to fetch")
    with run_fake_server(FakeResponse(200, b"<!doctype html>", Content_Type="text/html")) as other:
        visit.other_origins.add(other.url)
        await visit.page.goto(other.url)
        assert await visit.page.evaluate(_LOAD, urls) == [0, 0]
        assert await visit.page.evaluate(_FETCH, [photo, f"{photo}/original"]) == ["TypeError"] * 4
    await visit.page.goto(f"{photo}/original")  # a followed link
    assert visit.page.url.startswith(f"{service.store}/")


_LOAD = """urls => Promise.all(urls.map(url => new Promise(resolve => {
    const image = new Image()
    image.onload = image.onerror = () => resolve(image.naturalWidth)
    image.src = url
})))"""
_FETCH = """urls => Promise.all(urls.flatMap(url => ['cors', 'no-cors'].map(mode =>
    fetch(url, {mode, credentials: 'include'}).then(() => 'fetched', error => error.name)
)))"""


async def test_wrong_token_is_refused_and_right_token_signs_in_until_sign_out(
    open_session: OpenBrowserSession, service: Service
) -> None:
    visit = await open_session(signed_in=False)
    await visit.sign_in("not-the-token-at-all")
    assert await visit.problem() == "This token is not valid."
    await expect(visit.page.get_by_label("Token")).to_be_focused()

    await visit.sign_in()
    await visit.page.goto(f"{service.url}/simple-upload")
    await expect(visit.page.get_by_role("heading", name="Add a photo")).to_be_visible()
    cookies = await visit.context.cookies()
    assert [(each.get("httpOnly"), each.get("sameSite")) for each in cookies] == [(True, "Lax")]
    assert service.token not in await visit.page.content() + str(cookies)

    await visit.page.get_by_role("button", name="Sign out").click()
    await expect(visit.page.get_by_label("Token")).to_be_visible()
    await visit.page.goto(f"{service.url}/")
    await expect(visit.page.get_by_label("Token")).to_be_visible()


async def test_another_browser_is_signed_out_without_javascript(
    open_session: OpenBrowserSession, service: Service
) -> None:
    other = await open_session(signed_in=False)
    await other.sign_in()
    visit = await open_session(javascript=False)
    page = visit.page
    await page.goto(f"{service.url}/simple-upload")
    await visit.follow(page.get_by_role("link", name="Signed-in devices"))
    devices = page.get_by_role("main").get_by_role("listitem")
    await expect(devices.first).to_contain_text("(this browser)")
    before = await devices.count()
    await visit.follow(devices.nth(1).get_by_role("button", name="Sign out"))
    await expect(devices).to_have_count(before - 1)
    await other.page.goto(f"{service.url}/simple-upload")
    await expect(other.page.get_by_label("Token")).to_be_visible()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pictures.TEXT, "Unsupported format"),
        (b"", "The file is empty."),
        (pictures.truncate(pictures.jpeg(), 60), "This photo is damaged"),
    ],
    ids=["a text", "nothing", "half a photo"],
)
async def test_refused_upload_shows_a_plain_error_and_keeps_the_typed_text(
    visit: BrowserSession, data: bytes, words: str
) -> None:
    description = '\n"Two"\nlines & <b>more</b>'
    await visit.add(data, title="It's <i>mine</i>", description=description)
    page = visit.page

    assert words in await visit.problem()
    assert await page.title() == f"{await visit.problem()} · Photos · Safelight"
    await expect(page.get_by_label("Title")).to_have_value("It's <i>mine</i>")
    await expect(page.get_by_label("Description")).to_have_value(description)
    await expect(page.get_by_label("Photo", exact=True)).to_be_focused()

    await page.goto(page.url)
    assert page.url == f"{visit.service.url}/simple-upload"
    await expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("mebibytes", [6, 40])
async def test_too_large_photo_shows_the_limit(
    visit: BrowserSession, tmp_path: Path, mebibytes: int
) -> None:
    large = tmp_path / "large.jpg"
    large.write_bytes(pictures.jpeg() + pictures.noise(mebibytes << 20))
    await visit.add(large)
    assert await visit.problem() == (
        "This photo is too large. The limit here is 5 MB; the gallery accepts up to 200 MB."
    )


async def test_duplicate_leads_to_the_existing_photo(visit: BrowserSession) -> None:
    await visit.add(pictures.webp(211, 97), title="The first")
    await visit.add(pictures.webp(211, 97), title="The second")
    await expect(visit.page.get_by_role("heading", name="The first")).to_be_visible()
    await expect(visit.page.get_by_role("status")).to_contain_text("Nothing was added")


async def test_captions_are_escaped(open_session: OpenBrowserSession, service: Service) -> None:
    hostile = "\"'><script>document.title='owned'</script><img src=x onerror=alert(1)>{{7*7}}"
    name = f"{hostile.replace('/', '')}.png"  # no file system has names with slashes
    visit = await open_session()
    await visit.add(pictures.png(123, 77), title=hostile, description=hostile, name=name)
    item = visit.page.get_by_role("listitem").filter(has_text=hostile)
    await wait_for_image(item.get_by_role("img", name=hostile, exact=True))
    await item.get_by_role("link").click()
    await expect(visit.page.get_by_role("heading", name=hostile, exact=True)).to_be_visible()
    await expect(visit.page.get_by_text(name, exact=True)).to_be_visible()
    assert await visit.page.title() == f"{hostile} · Safelight"
    assert await visit.page.locator("script").count() == 0
    assert not [url for url in visit.requests if url.endswith("/x")]


_heights = count(60)
"""Of photos that no test has deleted before: those would come back from the trash."""


async def test_pages_work_with_the_keyboard_alone(visit: BrowserSession) -> None:
    page, press = visit.page, visit.page.keyboard.press

    async def tab_to(what: str) -> None:
        for _ in range(200):
            await press("Tab")
            focused = page.locator(":focus")
            if await focused.count() and await focused.evaluate(_OUTLINED) == what:
                return
        pytest.fail(f"{what} is not reached by the Tab key, or doesn't show that it is")

    await page.goto(f"{visit.service.url}/simple-upload")
    await tab_to("title")
    await page.keyboard.type("By hand")
    await tab_to("photo")
    async with page.expect_file_chooser() as opening:
        await press("Space")
    photo = pictures.gif(99, next(_heights))
    await (await opening.value).set_files({"name": "a", "mimeType": "", "buffer": photo})
    await tab_to("description")
    await tab_to("Upload")
    await press("Enter")
    await expect(page.get_by_role("heading", name="By hand")).to_be_visible()
    await tab_to("By hand")
    await press("Enter")
    await expect(page.get_by_text("pixels, ")).to_be_visible()
    await tab_to("Delete …")
    await press("Enter")
    await tab_to("Delete this photo")
    await press("Enter")
    await expect(page.get_by_role("heading", name="Add a photo")).to_be_visible()
    await expect(page.get_by_role("heading", name="By hand")).to_have_count(0)


_OUTLINED = """focused => getComputedStyle(focused).outlineStyle === "solid"
  && (focused.id || focused.innerText.trim() || focused.querySelector("img")?.alt)"""
"""Returns the name of the focused element if it has a visible outline."""
