"""Session credentials that are followed by others, while the store is used and links are opened."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest

from integration.aws import WEB_IDENTITY, Clock, Issuer, Services, services
from integration.session_store import BUCKET, SessionStore, session_store
from safelight import keys
from safelight.credentials import LEAST_LEFT, Renewed, chain
from safelight.errors import StorageUnavailable
from safelight.links import Links
from safelight.settings import LinkSettings
from safelight.storage import Access, Storage

MINUTE = timedelta(minutes=1)
LOOK = timedelta(milliseconds=5)


@dataclass
class Rotation:
    """An app's storage and links on credentials that come from the chain."""

    clock: Clock
    aws: Services
    store: SessionStore
    renewed: Renewed
    storage: Storage
    links: Links
    over: bool = False

    async def move(self, by: timedelta) -> None:
        """Move the clock, and give the keeper the moment that it would have had."""
        self.clock.now += by
        for _ in range(2_000):
            if not self.renewed.overdue:
                return
            await asyncio.sleep(0.005)
        raise AssertionError("nobody asked for other credentials")


def metadata(monkeypatch: pytest.MonkeyPatch, aws: Services) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", aws.url)


def web_identity(monkeypatch: pytest.MonkeyPatch, aws: Services) -> None:
    path = Path(os.environ["HOME"]) / "token"
    path.write_text(WEB_IDENTITY)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(path))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/photos")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", aws.url)


@pytest.fixture
async def rotation(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[Rotation]:
    """On the metadata service, or on what the test asks for."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    clock = Clock()
    issuer = Issuer(clock)
    async with AsyncExitStack() as stack:
        aws = stack.enter_context(services(issuer))
        store = stack.enter_context(session_store(issuer))
        getattr(request, "param", metadata)(monkeypatch, aws)
        issue = partial(chain.issue, region="us-east-1")
        renewed = Renewed(await asyncio.to_thread(issue), issue, clock=clock, look=LOOK)
        await stack.enter_async_context(renewed.running())
        yield Rotation(clock, aws, store, renewed, *_app(store, renewed, clock))


def _app(store: SessionStore, renewed: Renewed, clock: Clock) -> tuple[Storage, Links]:
    access = Access(endpoint_url=store.url, bucket=BUCKET, region="us-east-1")
    links = Links(
        LinkSettings(), credentials=renewed.current, clock=clock, endpoint=store.url, bucket=BUCKET
    )
    return Storage(access, renewed, timeout=timedelta(seconds=8)), links


def _opened(url: str) -> int:
    return httpx.get(url).status_code


async def _photographs(on: Rotation, opened: list[str]) -> None:
    while not on.over:
        await _photograph(on, opened)


async def _photograph(on: Rotation, opened: list[str]) -> None:
    """Put an object, look at it, open its link, and delete it."""
    name = keys.new_name()
    key = keys.original(name)
    await on.storage.put(key, b"photo", content_type="image/jpeg")
    assert await on.storage.size(key) == 5
    link = on.links.link(key, name)
    assert link.expires_at - on.clock() >= LEAST_LEFT
    assert await asyncio.to_thread(_opened, link.url) == 200
    opened.append(link.url)
    await on.storage.delete_prefix(keys.prefix(name))
    assert await on.storage.size(key) is None


@pytest.mark.parametrize("rotation", [metadata, web_identity], indirect=True)
async def test_rotating_under_load_loses_nothing(rotation: Rotation) -> None:
    opened: list[str] = []
    loads = [asyncio.create_task(_photographs(rotation, opened)) for _ in range(6)]
    while len(rotation.aws.issuer.known) < 6:
        before = len(opened)
        await rotation.move(5 * MINUTE)
        while len(opened) < before + 3 and not any(load.done() for load in loads):  # noqa: ASYNC110  no event tells
            await asyncio.sleep(0.005)
    rotation.over = True
    await asyncio.gather(*loads)
    signers = {url.partition("X-Amz-Credential=")[2][:20] for url in opened}
    assert len(signers) >= 5
    assert set(rotation.store.asked_by) >= signers
    assert not [refusal for refusal in rotation.store.refused if not refusal.startswith("HEAD No")]
    assert not rotation.store.objects


async def test_a_link_lives_until_its_expires_at_and_no_longer(rotation: Rotation) -> None:
    name = keys.new_name()
    key = keys.original(name)
    await rotation.storage.put(key, b"photo", content_type="image/jpeg")
    link = rotation.links.link(key, name)
    assert link.expires_at == rotation.renewed.current().expires_at
    rotation.clock.now = link.expires_at - timedelta(seconds=1)
    assert _opened(link.url) == 200
    rotation.clock.now = link.expires_at
    assert _opened(link.url) in {400, 403}


async def test_a_link_stays_the_same_until_there_are_others(rotation: Rotation) -> None:
    name = keys.new_name()
    key = keys.original(name)
    seen: dict[str, set[str]] = {}
    while len(seen) < 3:
        signer = rotation.renewed.current().access_key
        seen.setdefault(signer, set()).add(rotation.links.link(key, name).url)
        await rotation.move(MINUTE)
    assert [len(urls) for urls in seen.values()] == [1, 1, 1]


async def test_while_the_source_is_away_links_end_and_come_back_with_it(
    rotation: Rotation,
) -> None:
    name = keys.new_name()
    key = keys.original(name)
    await rotation.storage.put(key, b"photo", content_type="image/jpeg")
    rotation.aws.issuer.away = True
    await rotation.move(45 * MINUTE - timedelta(seconds=1))
    assert _opened(rotation.links.link(key, name).url) == 200
    await rotation.move(2 * timedelta(seconds=1))
    with pytest.raises(StorageUnavailable, match="try again") as caught:
        rotation.links.link(key, name)
    assert rotation.renewed.current().access_key not in str(caught.value)
    assert await rotation.storage.size(key) == 5, "the store is still ours until the very end"
    rotation.aws.issuer.away = False
    await rotation.move(MINUTE)
    assert _opened(rotation.links.link(key, name).url) == 200


async def test_revoked_credentials_are_replaced_at_the_first_refusal(rotation: Rotation) -> None:
    name = keys.new_name()
    key = keys.original(name)
    await rotation.storage.put(key, b"photo", content_type="image/jpeg")
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: rotation.storage.put(keys.original("0" * 32), b"x", content_type="image/jpeg"),
        lambda: rotation.storage.size(key),
        rotation.storage.ping,
        lambda: rotation.storage.delete_prefix(keys.prefix("0" * 32)),
    ]
    for call in calls:
        before = rotation.renewed.current()
        rotation.aws.issuer.revoke()
        await call()
        assert rotation.renewed.current() != before
        rotation.clock.now += 2 * MINUTE
    assert rotation.store.objects.keys() == {key}
    assert _opened(rotation.links.link(key, name).url) == 200


async def test_credentials_that_ended_during_sleep_are_replaced_at_the_first_refusal(
    rotation: Rotation,
) -> None:
    before = rotation.renewed.current()
    rotation.clock.now += timedelta(days=2)  # and the keeper hasn't looked yet
    await rotation.storage.ping()
    assert rotation.renewed.current() != before


async def test_many_calls_that_are_refused_at_once_ask_once(rotation: Rotation) -> None:
    rotation.aws.issuer.revoke()
    rotation.aws.asked.clear()
    await asyncio.gather(*(rotation.storage.ping() for _ in range(20)))
    assert len([asked for asked in rotation.aws.asked if asked.endswith("a-role")]) == 1


async def test_a_store_that_refuses_whoever_asks_is_not_asked_without_end(
    rotation: Rotation,
) -> None:
    rotation.aws.issuer.known.clear()  # while the service still gives the same
    rotation.aws.asked.clear()
    for _ in range(5):
        with pytest.raises(StorageUnavailable):
            await rotation.storage.ping()
    assert len([asked for asked in rotation.aws.asked if asked.endswith("a-role")]) == 1
    assert len(rotation.store.refused) == 5


async def test_the_loop_is_free_while_a_source_takes_its_time(rotation: Rotation) -> None:
    release = threading.Event()
    released: list[bool] = []
    first = rotation.renewed.current()

    def slow() -> object:
        released.append(release.wait(60))
        return chain.issue(region="us-east-1")

    rotation.renewed._issue = slow  # type: ignore[assignment]  # what it gives is as it should be
    rotation.clock.now += 31 * MINUTE
    name = keys.new_name()
    for _ in range(100):
        await asyncio.sleep(0.001)
        rotation.links.link(keys.original(name), name)
    assert rotation.renewed.current() == first
    release.set()
    await rotation.move(timedelta(0))
    assert rotation.renewed.current() != first
    assert released == [True]
