"""A browser profile that records its requests and its console errors."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.async_api import (
    BrowserContext,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Request,
    WebError,
    expect,
)

from support.service import Service

_REFUSED_PAGE = "Failed to load resource: the server responded with a status of 4"
REFUSED = (_REFUSED_PAGE,)
NO_NETWORK = ("Failed to load resource: net::ERR_",)


_NOT_USED_YET = "was preloaded using link preload but not used within a few seconds"
"""A warning on a machine on which the page takes longer than a few seconds."""


@dataclass(kw_only=True)
class BrowserSession:
    """A page of the service in its own browser profile."""

    service: Service
    context: BrowserContext
    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    expected_errors: tuple[str, ...] = ()
    """Beginnings of console messages that are not recorded as errors."""
    other_origins: set[str] = field(default_factory=set)
    """Origins that the test itself opens."""

    def watch(self) -> None:
        self.context.on("request", self._on_request)
        self.context.on("console", self._on_console)
        self.context.on("weberror", self._on_error)
        # Playwright intercepts file choosers only with a listener, and takes a moment to start.
        self.page.on("filechooser", lambda _: None)

    async def sign_in(self, token: str | None = None) -> None:
        await self.page.goto(f"{self.service.url}/")
        await self.page.get_by_label("Token").fill(token or self.service.token)
        async with self.page.expect_navigation():
            await self.page.get_by_role("button", name="Sign in").click()

    async def add(
        self, data: bytes | Path, *, name: str = "photo.jpg", title: str = "", description: str = ""
    ) -> None:
        """Upload a photo with the form of the simple page, and wait for the page that answers."""
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
        await self.follow(self.page.get_by_role("button", name="Upload"))

    async def follow(self, control: Locator) -> None:
        """Click a link or button that opens another page, and wait until that page is read."""
        async with self.page.expect_navigation(wait_until="domcontentloaded"):
            await control.click()

    async def problem(self) -> str:
        """Return the error message of the page."""
        return await self.page.get_by_role("alert").inner_text()

    async def downloaded_bytes(self, go: Callable[[], Awaitable[object]]) -> int:
        """Run `go`, and return how many bytes it downloaded from the store, not from the cache.

        `go` must wait until everything is loaded.
        """
        session = await self.context.new_cdp_session(self.page)
        urls: dict[str, str] = {}
        bytes_: dict[str, int] = {}
        session.on(
            "Network.requestWillBeSent",
            lambda event: urls.update({event["requestId"]: event["request"]["url"]}),
        )
        session.on(
            "Network.loadingFinished",
            lambda event: bytes_.update({event["requestId"]: event["encodedDataLength"]}),
        )
        await session.send("Network.enable")
        await go()
        await self.page.wait_for_load_state("networkidle")
        await session.send("Network.enable")  # its answer comes after all events so far
        await session.detach()
        store = self.service.store
        return sum(size for id_, size in bytes_.items() if urls.get(id_, "").startswith(store))

    def foreign_origins(self) -> set[str]:
        """Return the requested origins other than the service and the store."""
        ours = {self.service.url, self.service.store, *self.other_origins}
        return {origin for url in self.requests if (origin := _origin(url)) not in ours}

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith("data:"):
            self.requests.append(request.url)

    def _on_console(self, message: ConsoleMessage) -> None:
        """Record console errors and warnings, except for 4xx responses to the page itself."""
        is_page = message.page and message.location["url"] == message.page.url
        known = (*self.expected_errors, _REFUSED_PAGE) if is_page else self.expected_errors
        if (
            message.type in {"error", "warning"}
            and not message.text.startswith(known)
            and _NOT_USED_YET not in message.text
        ):
            self.errors.append(f"{message.text} ({message.location['url']})")

    def _on_error(self, error: WebError) -> None:
        self.errors.append(str(error.error))


OpenBrowserSession = Callable[..., Awaitable[BrowserSession]]
"""Opens a session."""


async def wait_for_image(image: Locator) -> tuple[int, int]:
    """Wait until an image is decoded. Return its natural width and height."""
    await expect(image).to_be_attached()
    async with asyncio.timeout(120):
        # Until the page no longer replaces the element, nor its source while that is decoded.
        while not (size := await _decode(image)):
            await image.page.wait_for_timeout(50)
    return size[0], size[1]


async def _decode(image: Locator) -> list[int] | None:
    try:
        await image.scroll_into_view_if_needed()
        size: list[int] | None = await image.evaluate(
            """img => img.complete && img.naturalWidth
              ? img.decode().then(() => [img.naturalWidth, img.naturalHeight], () => null) : null"""
        )
    except Error:
        return None
    return size


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
