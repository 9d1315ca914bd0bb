"""The service below a path of its host, in a real browser, behind two kinds of proxies."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Request, Response, expect

from support import pictures
from support.browser_session import REFUSED, BrowserSession, wait_for_image
from support.caddy import OPTIONS, run_caddy
from support.gallery import GalleryPage, jpeg_file, make_photo
from support.network import free_port
from support.serve_process import ServeProcess
from support.service import Service, banner_value

TAKEN = datetime(2023, 9, 20, 12, 30)  # noqa: DTZ001  a camera's clock has no zone

CADDYFILE = """
home.localhost:{kept} {{
	handle /photos/* {{
		reverse_proxy {service}
	}}
	respond "another service" 404
}}

home.localhost:{removed} {{
	handle_path /photos/* {{
		reverse_proxy {service}
	}}
	respond "another service" 404
}}

store.localhost:{kept} {{
	reverse_proxy {store}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Two public addresses of one service: the path is kept at one, and removed at the other."""

    served: ServeProcess
    pages: dict[str, str]
    store: str

    def service(self, proxy: str) -> Service:
        return Service(url=self.pages[proxy], store=self.store, token=self.served.token)


@pytest.fixture(scope="module")
def home(open_tmp_path: Path) -> Iterator[Home]:
    kept, removed = free_port(), free_port()
    pages = {
        "kept": f"https://home.localhost:{kept}/photos",
        "removed": f"https://home.localhost:{removed}/photos",
    }
    store = f"https://store.localhost:{kept}"
    served = ServeProcess(
        open_tmp_path / "prefix",
        {
            "SAFELIGHT_PUBLIC_URL": f"{pages['kept']}/",
            "SAFELIGHT_ORIGINS": pages["removed"].removesuffix("/photos"),
            "SAFELIGHT_S3__PUBLIC_ENDPOINT_URL": store,
        },
    )
    try:
        served.start()
        text = CADDYFILE.format(
            kept=kept,
            removed=removed,
            service=re.sub("/photos$", "", served.url.removeprefix("http://")),
            store=banner_value(served, "Photo store").removeprefix("http://"),
        )
        with run_caddy(open_tmp_path / "caddy-prefix", OPTIONS + text, *pages.values(), store):
            yield Home(served=served, pages=pages, store=store)
    finally:
        served.kill()


@pytest.fixture(params=["kept", "removed"])
async def page(
    home: Home, chromium: Browser, request: pytest.FixtureRequest
) -> AsyncIterator[GalleryPage]:
    """The gallery, not signed in. All that it requests is below the path, or in the store."""
    service = home.service(request.param)
    context = await chromium.new_context(ignore_https_errors=True, accept_downloads=True)
    context.set_default_timeout(15_000)
    session = BrowserSession(service=service, context=context, page=await context.new_page())
    session.expected_errors = (f"{REFUSED[0]}04",)  # `_failure` checks which
    session.watch()
    failed: list[str] = []
    context.on("response", lambda response: failed.extend(_failure(response)))
    context.on("requestfailed", lambda request: failed.extend(_broken(request)))
    yield GalleryPage(session)
    await context.close()
    assert session.errors == []
    assert failed == []
    outside = [
        url for url in session.requests if not url.startswith((f"{service.url}/", f"{home.store}/"))
    ]
    assert [url for url in outside if not url.startswith("blob:")] == []


def _failure(response: Response) -> Iterator[str]:
    # The gallery repeats a deletion that it has sent while its page was left.
    is_repeated = (response.request.method, response.status) == ("DELETE", 404)
    if response.status >= 400 and response.status != 401 and not is_repeated:
        yield f"{response.status} {response.url}"


def _broken(request: Request) -> Iterator[str]:
    if request.failure != "net::ERR_ABORTED":  # a page that was left, or a download
        yield f"{request.failure} {request.url}"


async def test_gallery_works_below_a_path(page: GalleryPage, home: Home) -> None:
    service = page.session.service
    await page.session.sign_in()
    await expect(page.page).to_have_url(f"{service.url}/")
    (cookie,) = await page.session.context.cookies()
    assert (cookie["path"], cookie["secure"]) == ("/photos", True)

    name = f"beach {service.url[-12:-7]}"
    await page.choose(jpeg_file(f"{name}.jpg", make_photo(TAKEN, shade=int(name[-3:]) % 200)))
    photo = page.page.locator('#photos a[href^="/photos/photo/"]')
    await expect(photo).to_be_visible()
    await photo.click()
    await expect(page.viewer.dialog).to_be_visible()
    await expect(page.page).to_have_url(re.compile(rf"^{service.url}/photo/[0-9]+$"))
    await page.viewer.title.fill("Low tide")
    await page.viewer.title.blur()
    await expect(page.viewer.dialog.get_by_text("Saved.")).to_be_visible()

    await page.page.reload()
    await page.viewer.shows("Low tide")
    async with page.page.expect_download() as downloading:
        await page.viewer.dialog.get_by_role("link", name="Download original").click()
    assert (await downloading.value).suggested_filename == f"{name}.jpg"
    await page.viewer.delete()
    await page.page.goto(f"{service.url}/")
    await expect(photo).to_have_count(0)

    await _use_the_simple_page(page.page, service)
    await page.page.goto(f"{service.url}/docs")
    await expect(page.page.get_by_text("List photos, newest first")).to_be_visible()
    await page.page.goto(f"{service.url}/")
    await page.page.get_by_role("button", name="Sign out").click()
    await expect(page.page.get_by_label("Token")).to_be_visible()


_heights = count(60)
"""Of photos that no test has deleted before: those would come back from the trash."""


async def _use_the_simple_page(page: Page, service: Service) -> None:
    await page.goto(f"{service.url}/simple-upload")
    await page.get_by_label("Title").fill("Hill")
    height = next(_heights)
    photo = {"name": "hill.jpg", "mimeType": "image/jpeg", "buffer": pictures.jpeg(99, height)}
    await page.get_by_label("Photo", exact=True).set_input_files(photo)  # type: ignore[arg-type]
    await page.get_by_role("button", name="Upload").click()
    image = page.get_by_role("img", name="Hill")
    assert await wait_for_image(image) == (99, height)
    await image.click()
    await expect(page.get_by_role("heading", name="Hill")).to_be_visible()
    # An image that is deleted while it loads counts as a failed request.
    assert await wait_for_image(image) == (99, height)
    await page.get_by_text("Delete …").click()
    await page.get_by_role("button", name="Delete this photo").click()
    await expect(page.get_by_text("No photos yet")).to_be_visible()
    await expect(page).to_have_url(f"{service.url}/simple-upload")


async def test_sign_in_link_of_the_banner_works_once(home: Home, page: GalleryPage) -> None:
    link = re.search(r"Sign in +(\S+)", home.served.screen)
    assert link
    assert link[1].startswith(f"{home.pages['kept']}/sign-in?code=")
    if page.session.service.url == home.pages["kept"]:
        await page.page.goto(link[1])
        await page.page.get_by_role("button", name="Sign in").click()
        await expect(page.page).to_have_url(f"{home.pages['kept']}/")


def test_banner_has_addresses_with_the_path(home: Home) -> None:
    screen = home.served.screen
    assert re.search(rf"Page +{home.pages['kept']}/\n", screen)
    assert re.search(r"Listening on +http://127\.0\.0\.1:[0-9]+/photos/\n", screen)
