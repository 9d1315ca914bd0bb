"""Page objects of the gallery, for tests in a browser."""

import asyncio
import contextlib
import io
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import (
    CDPSession,
    Error,
    FilePayload,
    Locator,
    Page,
    Request,
    Route,
    expect,
)

from support.browser_session import BrowserSession
from support.service import Service


def make_photo(when: datetime, *, width: int = 60, height: int = 40, shade: int = 90) -> bytes:
    """Return a JPEG of one colour, with a capture time and a camera in its EXIF data."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Nikon", "Nikon F3"
    exif.get_ifd(0x8769)[0x9003] = when.strftime("%Y:%m:%d %H:%M:%S")
    file = io.BytesIO()
    colour = (shade % 256, (shade * 7) % 256, 128)
    Image.new("RGB", (width, height), colour).save(file, "JPEG", exif=exif.tobytes())
    return file.getvalue()


async def fill(service: Service, count: int, *, newest: datetime, apart: timedelta) -> list[int]:
    """Add photos, the newest first. Return their ids in that order."""
    return [
        await service.add(
            make_photo(newest - number * apart, width=50 + number % 37, shade=number),
            title=f"Photo {number}",
        )
        for number in range(count)
    ]


KEEP_UNDO = """
const repeat = window.setInterval
window.setInterval = (work, pause, ...rest) => pause === 250 ? 0 : repeat(work, pause, ...rest)
"""
"""A script that stops the timer of deletions: the time for undo never ends."""


class HeldRequests:
    """A route that holds requests until `release`: all, or those that `holds` chooses."""

    def __init__(self, holds: Callable[[Request], bool] = lambda _: True) -> None:
        self._holds = holds
        self._released = asyncio.Event()
        self.held: list[str] = []

    async def __call__(self, route: Route) -> None:
        if self._holds(route.request) and not self._released.is_set():
            self.held.append(route.request.url)
            await self._released.wait()
        with contextlib.suppress(Error):  # the page may have aborted it
            await route.continue_()

    def release(self) -> None:
        self._released.set()


class GalleryPage:
    """The page with the grid of all photos."""

    def __init__(self, session: BrowserSession) -> None:
        self.session = session
        self.page: Page = session.page
        self.viewer = Viewer(session)
        self.wire: CDPSession | None = None
        self.uploads = self.page.get_by_role("region", name="Uploads")

    async def open(self, path: str = "/") -> "GalleryPage":
        await self.page.goto(f"{self.session.service.url}{path}")
        return self

    @property
    def photos(self) -> Locator:
        return self.page.locator("#photos a")

    def photo(self, title: str) -> Locator:
        return self.page.locator("#photos").get_by_role("link", name=title, exact=True)

    async def choose(self, *files: FilePayload | str) -> None:
        async with self.page.expect_file_chooser() as opening:
            await self.page.get_by_role("button", name="Add photos").click()
        await (await opening.value).set_files(list(files))  # type: ignore[arg-type]  # one kind

    async def drop(self, files: Iterable[FilePayload]) -> None:
        await self._dispatch("drop", files)

    async def paste(self, files: Iterable[FilePayload]) -> None:
        await self._dispatch("paste", files)

    async def _dispatch(self, event: str, files: Iterable[FilePayload]) -> None:
        data: list[Any] = [[file["name"], file["mimeType"], list(file["buffer"])] for file in files]
        await self.page.evaluate(_DISPATCH, [event, data])

    async def drop_folder(self, folder: Path) -> None:
        """Drop a folder of this machine: scripts cannot make one, so the browser dispatches it."""
        cdp = await self.session.context.new_cdp_session(self.page)
        data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
        for event in ("dragEnter", "dragOver", "drop"):
            await cdp.send(
                "Input.dispatchDragEvent", {"type": event, "x": 300, "y": 300, "data": data}
            )
        await cdp.detach()

    async def refresh_until(self, wanted: Locator) -> None:
        """Focus the page until something is visible: it doesn't refresh again at once."""
        async with asyncio.timeout(120):
            while not await wanted.is_visible():
                await self.page.evaluate("dispatchEvent(new Event('focus'))")
                await self.page.wait_for_timeout(200)

    def upload(self, name: str) -> Locator:
        return self.uploads.get_by_role("listitem").filter(has_text=name)


_DISPATCH = """([event, files]) => {
  const data = new DataTransfer();
  for (const [name, type, bytes] of files)
    data.items.add(new File([new Uint8Array(bytes)], name, {type}));
  const type = event === "drop" ? DragEvent : ClipboardEvent;
  const init = event === "drop" ? {dataTransfer: data} : {clipboardData: data};
  document.body.dispatchEvent(new type(event, {bubbles: true, cancelable: true, ...init}));
}"""


class Viewer:
    """The dialog that shows one photo."""

    def __init__(self, session: BrowserSession) -> None:
        self.page: Page = session.page
        self.dialog = self.page.get_by_role("dialog")

    @property
    def title(self) -> Locator:
        return self.dialog.get_by_role("textbox", name="Title")

    async def shows(self, name: str) -> None:
        await expect(self.page.get_by_role("dialog", name=f"Photo viewer: {name}")).to_be_visible()

    async def delete(self) -> None:
        await self.dialog.get_by_role("button", name="Delete").click()

    async def is_closed(self) -> None:
        await expect(self.dialog).to_have_count(0)


class Finger:
    """A finger that rests on the screen and moves: Playwright's own only taps."""

    def __init__(self, wire: CDPSession) -> None:
        self._wire = wire

    @classmethod
    async def on(cls, page: Page) -> "Finger":
        return cls(await page.context.new_cdp_session(page))

    async def press(self, target: Locator) -> None:
        await self._touch("touchStart", target)

    async def move(self, target: Locator) -> None:
        await self._touch("touchMove", target)

    async def lift(self) -> None:
        await self._touch("touchEnd")

    async def _touch(self, kind: str, target: Locator | None = None) -> None:
        points = []
        if target:
            box = await target.bounding_box()
            assert box
            points = [{"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}]
        await self._wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def jpeg_file(name: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": "image/jpeg", "buffer": data}
