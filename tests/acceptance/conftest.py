"""Running services, and browser sessions at them."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import (
    Browser,
    StorageState,
    ViewportSize,
    async_playwright,
    expect,
)

from support import browser
from support.browser_session import BrowserSession, OpenBrowserSession
from support.gallery import KEEP_UNDO
from support.service import Service, run_service

expect.set_options(timeout=60_000)
"""Three browsers at a time share two cores: pages may be slow."""

DESK = ViewportSize(width=1280, height=720)
PHONE = ViewportSize(width=390, height=780)


@pytest.fixture(scope="session")
def service(open_tmp_path: Path) -> Iterator[Service]:
    """A service that requires its token."""
    with run_service(open_tmp_path / "pages") as started:
        yield started


@pytest.fixture(scope="session")
def open_service(open_tmp_path: Path) -> Iterator[Service]:
    """A service without authentication."""
    with run_service(open_tmp_path / "open-pages", SAFELIGHT_AUTH="none") as started:
        yield started


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    program = browser.find()
    if program is None and browser.is_required():
        pytest.fail(browser.MISSING)
    if program is None:
        pytest.skip(browser.MISSING)
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=program,
            args=list(browser.ARGUMENTS),
            env=dict(browser.environment(program)),
        )
        yield started
        await started.close()


@pytest.fixture(scope="session")
def signed_in_states() -> dict[str, StorageState]:
    """The cookies of the first sign-in at each service, for later browser sessions."""
    return {}


@pytest.fixture
async def open_session(
    chromium: Browser, service: Service, signed_in_states: dict[str, StorageState]
) -> AsyncIterator[OpenBrowserSession]:
    """A function that opens browser sessions. None may log an error or request another origin."""
    visits: list[BrowserSession] = []

    async def begin(
        at: Service = service,
        *,
        javascript: bool = True,
        signed_in: bool = True,
        phone: bool = False,
        scale: float = 1,
        locale: str = "en-GB",
    ) -> BrowserSession:
        context = await chromium.new_context(
            locale=locale,
            java_script_enabled=javascript,
            is_mobile=phone,
            has_touch=phone,
            device_scale_factor=scale,
            viewport=PHONE if phone else DESK,
            storage_state=signed_in_states.get(at.url) if signed_in else None,
        )
        context.set_default_timeout(60_000)
        await context.add_init_script(KEEP_UNDO)
        visit = BrowserSession(service=at, context=context, page=await context.new_page())
        visit.watch()
        visits.append(visit)
        if signed_in:
            await visit.page.goto(f"{at.url}/")
            if await visit.page.get_by_role("button", name="Sign in").is_visible():
                await visit.sign_in()
                signed_in_states[at.url] = await context.storage_state()
        return visit

    yield begin
    for visit in visits:
        await visit.context.close()
    assert [visit.errors for visit in visits if visit.errors] == []
    assert [visit.foreign_origins() for visit in visits if visit.foreign_origins()] == []


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
async def visit(open_session: OpenBrowserSession, request: pytest.FixtureRequest) -> BrowserSession:
    """A signed-in browser session."""
    return await open_session(javascript=request.param)
