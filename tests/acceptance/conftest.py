"""A running service, and a browser to visit it with."""

import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, ViewportSize, async_playwright, expect

import browser
from acceptance.disk import can_be_mounted
from acceptance.network import addresses
from acceptance.service import Service, serving
from acceptance.visits import Visit, Visiting

collect_ignore = [
    *([] if addresses(socket.AF_INET) else ["test_lan.py"]),
    *([] if can_be_mounted() else ["test_full_disk.py"]),
]
"""There is no other machine to be on a machine without a network; and a disk of one's own is for
root alone."""

expect.set_options(timeout=15_000)
"""Three at a time on two cores: what takes a moment may take some."""

DESK = ViewportSize(width=1280, height=720)
PHONE = ViewportSize(width=390, height=780)


@pytest.fixture(scope="session")
def service(open_tmp_path: Path) -> Iterator[Service]:
    """A service that asks for its token."""
    with serving(open_tmp_path / "pages") as started:
        yield started


@pytest.fixture(scope="session")
def open_service(open_tmp_path: Path) -> Iterator[Service]:
    """A service that asks nobody who they are."""
    with serving(open_tmp_path / "open-pages", SAFELIGHT_AUTH="none") as started:
        yield started


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    program = browser.find()
    if program is None and browser.demanded():
        pytest.fail(browser.MISSING)
    if program is None:
        pytest.skip(browser.MISSING)
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=program, args=list(browser.ARGUMENTS)
        )
        yield started
        await started.close()


@pytest.fixture
async def visiting(chromium: Browser, service: Service) -> AsyncIterator[Visiting]:
    """Begins visits. Afterwards none of them may have complained, or asked a stranger."""
    visits: list[Visit] = []

    async def begin(
        at: Service = service,
        *,
        javascript: bool = True,
        signed_in: bool = True,
        phone: bool = False,
    ) -> Visit:
        context = await chromium.new_context(
            java_script_enabled=javascript,
            is_mobile=phone,
            has_touch=phone,
            viewport=PHONE if phone else DESK,
        )
        context.set_default_timeout(15_000)
        visit = Visit(service=at, context=context, page=await context.new_page())
        visit.watch()
        visits.append(visit)
        if signed_in:
            await visit.sign_in()
        return visit

    yield begin
    for visit in visits:
        await visit.context.close()
    assert [visit.complaints for visit in visits if visit.complaints] == []
    assert [visit.foreign() for visit in visits if visit.foreign()] == []


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
async def visit(visiting: Visiting, request: pytest.FixtureRequest) -> Visit:
    """A visitor who has signed in."""
    return await visiting(javascript=request.param)
