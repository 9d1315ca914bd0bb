"""The gallery as its visitors use it: what they press, and what they see of it."""

import io
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from PIL import Image
from playwright.async_api import CDPSession, FilePayload, Locator, Page, expect

from acceptance.service import Service
from acceptance.visits import Visit


def taken(when: datetime, *, width: int = 60, height: int = 40, shade: int = 90) -> bytes:
    """A JPEG of one colour that says when it was taken, and by which camera."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Nikon", "Nikon F3"
    exif.get_ifd(0x8769)[0x9003] = when.strftime("%Y:%m:%d %H:%M:%S")
    file = io.BytesIO()
    colour = (shade % 256, (shade * 7) % 256, 128)
    Image.new("RGB", (width, height), colour).save(file, "JPEG", exif=exif.tobytes())
    return file.getvalue()


async def fill(service: Service, count: int, *, newest: datetime, apart: timedelta) -> list[int]:
    """Add photos, the newest first; their ids in that order."""
    return [
        await service.add(
            taken(newest - number * apart, width=50 + number % 37, shade=number),
            title=f"Photo {number}",
        )
        for number in range(count)
    ]


class Wall:
    """The page with all photos."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.page: Page = visit.page
        self.viewer = Viewer(visit)
        self.wire: CDPSession | None = None
        self.tray = self.page.get_by_role("region", name="Uploads")

    async def open(self, path: str = "/") -> "Wall":
        await self.page.goto(f"{self.visit.service.url}{path}")
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
        await self._give("drop", files)

    async def paste(self, files: Iterable[FilePayload]) -> None:
        await self._give("paste", files)

    async def _give(self, how: str, files: Iterable[FilePayload]) -> None:
        given: list[Any] = [
            [each["name"], each["mimeType"], list(each["buffer"])] for each in files
        ]
        await self.page.evaluate(_GIVE, [how, given])

    def upload(self, name: str) -> Locator:
        return self.tray.get_by_role("listitem").filter(has_text=name)


_GIVE = """([how, files]) => {
  const data = new DataTransfer();
  for (const [name, type, bytes] of files)
    data.items.add(new File([new Uint8Array(bytes)], name, {type}));
  const kind = how === "drop" ? DragEvent : ClipboardEvent;
  const told = how === "drop" ? {dataTransfer: data} : {clipboardData: data};
  document.body.dispatchEvent(new kind(how, {bubbles: true, cancelable: true, ...told}));
}"""


class Viewer:
    """The dialog that shows one photo."""

    def __init__(self, visit: Visit) -> None:
        self.page: Page = visit.page
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


def jpeg_file(name: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": "image/jpeg", "buffer": data}
