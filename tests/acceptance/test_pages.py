"""A visitor's way through the plain pages, in a real browser, with JavaScript and without."""

from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import expect

import pictures
from acceptance.service import Service
from acceptance.visits import Visit, Visiting, shown


@pytest.mark.parametrize("javascript", [True, False])
async def test_a_photo_goes_in_shows_by_its_link_and_takes_the_link_with_it(
    visiting: Visiting, tmp_path: Path, *, javascript: bool
) -> None:
    file = tmp_path / "astronaut.jpg"
    file.write_bytes(pictures.jpeg(300 + javascript, 200))
    visit = await visiting(javascript=javascript)
    page = visit.page

    await visit.add(file, title="On the way", description="To the pad")

    assert page.url == f"{visit.service.url}/simple-upload"
    item = page.get_by_role("listitem").filter(has_text="On the way")
    await expect(item).to_contain_text("To the pad")
    image = item.get_by_role("img", name="On the way")
    assert await shown(image) == (300 + javascript, 200)

    await image.click()
    await expect(page.get_by_role("heading", name="On the way")).to_be_visible()
    await expect(page.get_by_text("astronaut.jpg")).to_be_visible()
    assert await shown(page.get_by_role("img", name="On the way")) == (300 + javascript, 200)

    link = await page.get_by_role("link", name="Full size").get_attribute("href") or ""
    assert link.startswith(f"{visit.service.store}/")
    assert "X-Amz-Signature=" in urlsplit(link).query
    async with httpx.AsyncClient() as anybody:
        assert (await anybody.get(link)).content == file.read_bytes()

        await page.get_by_text("Delete …").click()
        await page.get_by_role("button", name="Delete this photo").click()

        assert page.url == f"{visit.service.url}/simple-upload"
        await expect(page.get_by_text("On the way")).to_have_count(0)
        assert (await anybody.get(link)).status_code == 404


async def test_a_wrong_token_is_said_to_be_wrong_and_the_right_one_lets_in_until_signing_out(
    visiting: Visiting, service: Service
) -> None:
    visit = await visiting(signed_in=False)
    await visit.sign_in("not-the-token-at-all")
    assert await visit.problem() == "That is not the token."
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


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pictures.TEXT, "This is not a photo of an accepted format"),
        (b"", "The file is empty."),
        (pictures.cut(pictures.jpeg(), 60), "The photo is damaged"),
    ],
    ids=["a text", "nothing", "half a photo"],
)
async def test_a_refusal_is_said_in_plain_words_and_what_was_typed_is_kept(
    visit: Visit, data: bytes, words: str
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
async def test_a_photo_that_is_too_large_is_told_so(
    visit: Visit, tmp_path: Path, mebibytes: int
) -> None:
    large = tmp_path / "large.jpg"
    large.write_bytes(pictures.jpeg() + pictures.noise(mebibytes << 20))
    await visit.add(large)
    assert await visit.problem() == "That photo is too large: up to 5 MB can be added here."


async def test_the_same_photo_again_leads_to_the_one_that_is_there(visit: Visit) -> None:
    await visit.add(pictures.webp(211, 97), title="The first")
    await visit.add(pictures.webp(211, 97), title="The second")
    await expect(visit.page.get_by_role("heading", name="The first")).to_be_visible()
    await expect(visit.page.get_by_role("status")).to_contain_text("nothing was added")


async def test_what_visitors_write_stays_text(visiting: Visiting, service: Service) -> None:
    hostile = "\"'><script>document.title='owned'</script><img src=x onerror=alert(1)>{{7*7}}"
    visit = await visiting()
    await visit.add(
        pictures.png(123, 77), title=hostile, description=hostile, name=f"{hostile}.png"
    )
    item = visit.page.get_by_role("listitem").filter(has_text=hostile)
    await shown(item.get_by_role("img", name=hostile, exact=True))
    await item.get_by_role("link").click()
    await expect(visit.page.get_by_role("heading", name=hostile, exact=True)).to_be_visible()
    await expect(visit.page.get_by_text(f"{hostile}.png", exact=True)).to_be_visible()
    assert await visit.page.title() == f"{hostile} · Safelight"
    assert await visit.page.locator("script").count() == 0
    assert not [url for url in visit.asked if url.endswith("/x")]


async def test_the_keyboard_is_enough(visit: Visit) -> None:
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
    photo = pictures.gif(99, 66)
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
"""What has the focus, if it shows that it has."""
