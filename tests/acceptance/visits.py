"""A visitor's browser, watched: what it asks for, and what it complains about."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, ConsoleMessage, Locator, Page, Request, WebError

from acceptance.service import Service

_REFUSED_PAGE = "Failed to load resource: the server responded with a status of 4"
REFUSED = (_REFUSED_PAGE,)
NO_NETWORK = ("Failed to load resource: net::ERR_",)


@dataclass(kw_only=True)
class Visit:
    """One browser profile on the service's pages."""

    service: Service
    context: BrowserContext
    page: Page
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    tolerated: tuple[str, ...] = ()
    """Beginnings of what the console may say besides."""

    def watch(self) -> None:
        self.context.on("request", self._asks)
        self.context.on("console", self._says)
        self.context.on("weberror", self._fails)
        # Choosers are caught only while somebody listens, and that takes a moment to begin.
        self.page.on("filechooser", lambda _: None)

    async def sign_in(self, token: str | None = None) -> None:
        await self.page.goto(f"{self.service.url}/")
        await self.page.get_by_label("Token").fill(token or self.service.token)
        async with self.page.expect_navigation():
            await self.page.get_by_role("button", name="Sign in").click()

    async def add(
        self, data: bytes | Path, *, name: str = "photo.jpg", title: str = "", description: str = ""
    ) -> None:
        """Fill in the plain form, choose the file, and send it."""
        await self.page.goto(f"{self.service.url}/simple-upload")
        await self.page.get_by_label("Title").fill(title)
        await self.page.get_by_label("Description").fill(description)
        async with self.page.expect_file_chooser() as opening:
            await self.page.get_by_label("Photo", exact=True).click()
        chooser = await opening.value
        if isinstance(data, Path):
            await chooser.set_files(data)
        else:
            await chooser.set_files({"name": name, "mimeType": "image/jpeg", "buffer": data})
        await self.page.get_by_role("button", name="Upload").click()

    async def problem(self) -> str:
        """What the page says went wrong."""
        return await self.page.get_by_role("alert").inner_text()

    async def moved(self, go: Callable[[], Awaitable[object]]) -> int:
        """Do something; the bytes that came from the store meanwhile, not from the browser's own.

        `go` has to wait until everything has come.
        """
        session = await self.context.new_cdp_session(self.page)
        urls: dict[str, str] = {}
        bytes_: dict[str, int] = {}
        session.on(
            "Network.requestWillBeSent",
            lambda told: urls.update({told["requestId"]: told["request"]["url"]}),
        )
        session.on(
            "Network.loadingFinished",
            lambda told: bytes_.update({told["requestId"]: told["encodedDataLength"]}),
        )
        await session.send("Network.enable")
        await go()
        await self.page.wait_for_load_state("networkidle")
        await session.detach()
        store = self.service.store
        return sum(size for id_, size in bytes_.items() if urls.get(id_, "").startswith(store))

    def foreign(self) -> set[str]:
        """The origins that were asked for anything and aren't ours."""
        ours = {self.service.url, self.service.store}
        return {origin for url in self.asked if (origin := _origin(url)) not in ours}

    def _asks(self, request: Request) -> None:
        if not request.url.startswith("data:"):
            self.asked.append(request.url)

    def _says(self, message: ConsoleMessage) -> None:
        """Keep what the console calls an error, but for a page that was refused to its face."""
        at_a_page = message.page and message.location["url"] == message.page.url
        known = (*self.tolerated, _REFUSED_PAGE) if at_a_page else self.tolerated
        if message.type in {"error", "warning"} and not message.text.startswith(known):
            self.complaints.append(f"{message.text} ({message.location['url']})")

    def _fails(self, error: WebError) -> None:
        self.complaints.append(str(error.error))


Visiting = Callable[..., Awaitable[Visit]]
"""Begins a visit."""


async def shown(image: Locator) -> tuple[int, int]:
    """Wait until an image is decoded; its own width and height, as displayed."""
    await image.scroll_into_view_if_needed()
    size: list[int] = await image.evaluate(
        "img => img.decode().then(() => [img.naturalWidth, img.naturalHeight])"
    )
    return size[0], size[1]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
