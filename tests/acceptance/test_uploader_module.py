"""The uploader's module in a browser: files of all sizes, failures, and a reload."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Request, Route, expect

from support import pictures
from support.browser_session import (
    NO_NETWORK,
    BrowserSession,
    OpenBrowserSession,
    wait_for_image,
)
from support.service import Service, run_service

LARGE = 17 << 20
DOCS = (Path(__file__).parents[2] / "docs/uploads.md").read_text()

UPLOAD = """
async ({ file, options, cancel }) => {
  const { Uploader, UploadError } = await import('/api/uploader.js')
  const uploader = new Uploader(options)
  const states = [], sent = []
  uploader.on('change', ({ detail }) => {
    if (states.at(-1) !== detail.state) states.push(detail.state)
  })
  uploader.on('progress', ({ detail }) => {
    sent.push(detail.sent)
    if (cancel) uploader.cancel(detail)
  })
  const chosen = document.getElementById('chosen').files[0]
  try {
    const photo = await uploader.upload(chosen, { title: 'From a page' })
    const [{ isNew }] = uploader.uploads
    return { photo, isNew, states, sent: sent.at(-1) ?? 0 }
  } catch (error) {
    if (!(error instanceof UploadError)) throw error
    return { code: error.code, message: error.message, states, sent: sent.at(-1) ?? 0 }
  }
}
"""


@pytest.fixture(scope="module")
def service(open_tmp_path: Path) -> Iterator[Service]:
    with run_service(open_tmp_path / "uploader") as started:
        yield started


@pytest.fixture
async def session(open_session: OpenBrowserSession, service: Service) -> BrowserSession:
    return await open_session(service)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for an upload in parts: three of 8 MiB at most."""
    path = tmp_path_factory.mktemp("large") / "large.png"
    path.write_bytes(pictures.png_with(pictures.png_chunk(b"saFe", bytes(LARGE))))
    return path


async def upload(
    session: BrowserSession, file: Path, *, cancel: bool = False, **options: Any
) -> dict[str, Any]:
    await session.page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<input id=chosen type=file>')"
    )
    await session.page.locator("#chosen").set_input_files(file)
    given = {"options": options, "cancel": cancel}
    result: dict[str, Any] = await session.page.evaluate(UPLOAD, given)
    await session.page.evaluate("document.getElementById('chosen').remove()")
    return result


def part_of(url: str) -> str:
    return parse_qs(urlsplit(url).query).get("partNumber", [""])[0]


async def test_small_file_is_sent_once(session: BrowserSession, tmp_path: Path) -> None:
    file = tmp_path / "small.jpg"
    file.write_bytes(pictures.jpeg(341))
    added = await upload(session, file)
    assert added["isNew"]
    assert (added["photo"]["title"], added["photo"]["filename"]) == ("From a page", "small.jpg")
    assert added["states"] == ["waiting", "sending", "checking", "done"]
    assert added["sent"] == len(pictures.jpeg(341))
    again = await upload(session, file)
    assert (again["photo"]["id"], again["isNew"]) == (added["photo"]["id"], False)


async def test_refused_file_has_the_code_of_the_api(
    session: BrowserSession, tmp_path: Path
) -> None:
    file = tmp_path / "no-photo.jpg"
    file.write_bytes(b"no photo")
    session.expected_errors = ("Failed to load resource: the server responded with a status of 4",)
    refused = await upload(session, file)
    assert (refused["code"], refused["states"][-1]) == ("unsupported_type", "failed")


async def test_large_file_survives_a_lost_part_and_continues_after_a_reload(
    session: BrowserSession, large: Path
) -> None:
    session.expected_errors = NO_NETWORK
    lost: list[str] = []

    async def lose_second_part(route: Route) -> None:
        if part_of(route.request.url) == "2":
            lost.append(route.request.url)
            await route.abort()
        else:
            await route.continue_()

    await session.context.route("**/incoming/**", lose_second_part)
    failed = await upload(session, large, retries=0)
    assert (failed["code"], failed["states"][-1]) == ("network", "failed")
    assert len(lost) == 1
    await session.context.unroute("**/incoming/**")
    await session.page.reload()
    sent: list[str] = []
    session.context.on(
        "request",
        lambda request: sent.append(part_of(request.url)) if request.method == "PUT" else None,
    )
    added = await upload(session, large)
    assert added["photo"]["size"] == added["sent"] > LARGE
    assert "2" in sent
    assert len(sent) < 3
    saved = "Object.keys(localStorage).filter((key) => key.startsWith('safelight-upload'))"
    assert await session.page.evaluate(saved) == []


async def test_lost_part_is_sent_again(
    session: BrowserSession, large: Path, tmp_path: Path
) -> None:
    session.expected_errors = NO_NETWORK
    other = tmp_path / "other.png"
    other.write_bytes(pictures.png_with(pictures.png_chunk(b"saFe", bytes(LARGE + 1))))
    lost: list[str] = []

    async def lose_once(route: Route) -> None:
        if part_of(route.request.url) == "1" and not lost:
            lost.append(route.request.url)
            await route.abort()
        else:
            await route.continue_()

    await session.context.route("**/incoming/**", lose_once)
    added = await upload(session, other)
    assert (added["isNew"], len(lost)) == (True, 1)


async def test_cancelled_upload_is_deleted(session: BrowserSession, tmp_path: Path) -> None:
    file = tmp_path / "cancelled.jpg"
    file.write_bytes(pictures.jpeg(342))
    session.expected_errors = NO_NETWORK
    cancelled = await upload(session, file, cancel=True)
    assert (cancelled["code"], cancelled["states"][-1]) == ("cancelled", "cancelled")


async def test_paused_upload_sends_only_what_is_missing(
    session: BrowserSession, tmp_path: Path
) -> None:
    file = tmp_path / "paused.png"
    file.write_bytes(pictures.png_with(pictures.png_chunk(b"saFe", bytes(LARGE + 2))))
    await session.page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<input id=chosen type=file>')"
    )
    await session.page.locator("#chosen").set_input_files(file)
    begun: list[str] = []
    ended: list[str] = []
    stored: list[str] = []
    sent_again: list[str] = []
    all_ended = asyncio.Event()

    def begin(request: Request) -> None:
        if request.method == "PUT":
            begun.append(part_of(request.url))
            if begun[-1] in stored:
                sent_again.append(begun[-1])

    def end(request: Request) -> None:
        if request.method == "PUT":
            ended.append(part_of(request.url))
            if not request.failure:
                stored.append(part_of(request.url))
            if set(begun) == {"1", "2", "3"} and sorted(begun) == sorted(ended):
                all_ended.set()

    session.context.on("request", begin)
    session.context.on("requestfinished", end)
    session.context.on("requestfailed", end)
    states = await session.page.evaluate(PAUSE)
    assert states == ["sending", "paused", "waiting", "sending", "checking", "done"]
    # The browser may report a request after the page has had its response.
    await asyncio.wait_for(all_ended.wait(), 60)
    # A part can be in the store though the pause ended its request: it is not sent again.
    assert not sent_again


async def test_documented_page_uploads_what_is_chosen(
    session: BrowserSession, tmp_path: Path
) -> None:
    html = re.search(r"```html\n(.*?)<script type=\"module\">\n(.*?)</script>", DOCS, re.DOTALL)
    assert html
    elements, script = html.groups()
    file = tmp_path / "documented.jpg"
    file.write_bytes(pictures.jpeg(343))
    await session.page.evaluate(f"document.body.innerHTML = `{elements}`")
    imported = re.sub(r"import ({.*?}) from ('.*?')", r"const \1 = await import(\2)", script)
    await session.page.evaluate(f"async () => {{ {imported} }}")
    await session.page.locator("input#photos").set_input_files(file)
    image = session.page.locator("body > img")
    assert (await wait_for_image(image))[0] == 343
    await expect(session.page.locator("progress#sent")).to_have_js_property("value", 1)


PAUSE = """
async () => {
  const { Uploader } = await import('/api/uploader.js')
  const uploader = new Uploader({ resume: false })
  const states = []
  const [upload] = uploader.add(document.getElementById('chosen').files)
  return new Promise((resolve, reject) => {
    let paused = false
    uploader.on('progress', () => {
      if (paused || upload.sent < 8 * 1024 * 1024) return
      paused = true
      uploader.pause(upload)
      setTimeout(() => uploader.resume(upload), 0)
    })
    states.push(upload.state)
    uploader.on('change', () => {
      if (states.at(-1) !== upload.state) states.push(upload.state)
    })
    uploader.on('success', () => resolve(states))
    uploader.on('failure', () => reject(upload.error))
  })
}
"""
