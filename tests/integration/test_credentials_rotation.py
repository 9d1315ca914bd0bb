"""Session credentials are replaced while the store and links are in use."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from operator import eq
from pathlib import Path

import httpx
import pytest

from safelight import keys
from safelight.errors import StorageUnavailable
from safelight.settings import LinkSettings
from safelight.signing import aws_chain
from safelight.signing.links import LinkSigner
from safelight.signing.refresh import MIN_REMAINING, RefreshingCredentials
from safelight.storage import Bucket, BucketConfig
from support.aws import WEB_IDENTITY, Clock, Issuer, Services, services
from support.session_store import BUCKET, SessionStore, session_store

MINUTE = timedelta(minutes=1)
LOOK = timedelta(milliseconds=5)


@dataclass
class Rotation:
    """An app's storage and links, with credentials from the chain."""

    clock: Clock
    aws: Services
    store: SessionStore
    renewed: RefreshingCredentials
    storage: Bucket
    links: LinkSigner
    finished: bool = False

    async def move(self, by: timedelta) -> None:
        """Move the clock, and wait until due credentials were refreshed."""
        self.clock.now += by
        for _ in range(24_000):
            if not self.renewed.is_due:
                return
            await asyncio.sleep(0.005)
        raise AssertionError("the credentials were not refreshed")


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
    """Credentials from the metadata service, or from the source that the test requests."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    clock = Clock()
    issuer = Issuer(clock)
    async with AsyncExitStack() as stack:
        aws = stack.enter_context(services(issuer))
        store = stack.enter_context(session_store(issuer))
        getattr(request, "param", metadata)(monkeypatch, aws)
        issue = partial(aws_chain.fetch_credentials, region="us-east-1")
        renewed = RefreshingCredentials(
            await asyncio.to_thread(issue), issue, clock=clock, check_interval=LOOK
        )
        await stack.enter_async_context(renewed.run())
        yield Rotation(clock, aws, store, renewed, *_app(store, renewed, clock))


def _app(
    store: SessionStore, renewed: RefreshingCredentials, clock: Clock
) -> tuple[Bucket, LinkSigner]:
    access = BucketConfig(endpoint_url=store.url, bucket=BUCKET, region="us-east-1")
    links = LinkSigner(
        LinkSettings(),
        credentials=renewed,
        clock=clock,
        endpoint=store.url,
        bucket=BUCKET,
    )
    return Bucket(access, renewed, timeout=timedelta(seconds=60)), links


def _open(url: str) -> int:
    return httpx.get(url).status_code


async def _use_repeatedly(on: Rotation, opened: list[str]) -> None:
    while not on.finished:
        await _use(on, opened)


async def _use(on: Rotation, opened: list[str]) -> None:
    """Store an object, check its size, open its link, and delete it."""
    name = keys.new_storage_id()
    key = keys.original(name)
    await on.storage.put(key, b"photo", content_type="image/jpeg")
    assert await on.storage.size(key) == 5
    link = on.links.link(key, name)
    assert link.expires_at - on.clock() >= MIN_REMAINING
    assert await asyncio.to_thread(_open, link.url) == 200
    opened.append(link.url)
    await on.storage.delete_prefix(keys.prefix(name))
    assert await on.storage.size(key) is None


@pytest.mark.parametrize("rotation", [metadata, web_identity], indirect=True)
async def test_rotation_under_load_loses_nothing(rotation: Rotation) -> None:
    opened: list[list[str]] = [[] for _ in range(6)]
    loads = [asyncio.create_task(_use_repeatedly(rotation, each)) for each in opened]
    while len(rotation.aws.issuer.known) < 6:
        before = list(map(len, opened))
        await rotation.move(5 * MINUTE)
        # A link is good for 15 minutes: no load may lag behind.
        while any(map(eq, map(len, opened), before)) and not any(load.done() for load in loads):  # noqa: ASYNC110  no event to wait for
            await asyncio.sleep(0.005)
    rotation.finished = True
    await asyncio.gather(*loads)
    signers = {url.partition("X-Amz-Credential=")[2][:20] for each in opened for url in each}
    assert len(signers) >= 5
    assert set(rotation.store.access_keys) >= signers
    assert not [refusal for refusal in rotation.store.refused if not refusal.startswith("HEAD No")]
    assert not rotation.store.objects


async def test_link_is_valid_until_its_expires_at(rotation: Rotation) -> None:
    name = keys.new_storage_id()
    key = keys.original(name)
    await rotation.storage.put(key, b"photo", content_type="image/jpeg")
    link = rotation.links.link(key, name)
    assert link.expires_at == rotation.renewed.current.expires_at
    rotation.clock.now = link.expires_at - timedelta(seconds=1)
    assert _open(link.url) == 200
    rotation.clock.now = link.expires_at
    assert _open(link.url) in {400, 403}


async def test_link_is_stable_until_credentials_change(rotation: Rotation) -> None:
    name = keys.new_storage_id()
    key = keys.original(name)
    seen: dict[str, set[str]] = {}
    while len(seen) < 3:
        signer = rotation.renewed.current.access_key
        seen.setdefault(signer, set()).add(rotation.links.link(key, name).url)
        await rotation.move(MINUTE)
    assert [len(urls) for urls in seen.values()] == [1, 1, 1]


async def test_links_fail_and_recover_with_the_credential_source(
    rotation: Rotation,
) -> None:
    name = keys.new_storage_id()
    key = keys.original(name)
    await rotation.storage.put(key, b"photo", content_type="image/jpeg")
    rotation.aws.issuer.away = True
    await rotation.move(45 * MINUTE - timedelta(seconds=1))
    assert _open(rotation.links.link(key, name).url) == 200
    await rotation.move(2 * timedelta(seconds=1))
    with pytest.raises(StorageUnavailable, match="Try again") as caught:
        rotation.links.link(key, name)
    assert rotation.renewed.current.access_key not in str(caught.value)
    assert await rotation.storage.size(key) == 5, (
        "the store can be used until the credentials expire"
    )
    rotation.aws.issuer.away = False
    await rotation.move(MINUTE)
    assert _open(rotation.links.link(key, name).url) == 200


async def test_revoked_credentials_are_replaced_at_the_first_refusal(rotation: Rotation) -> None:
    name = keys.new_storage_id()
    key = keys.original(name)
    await rotation.storage.put(key, b"photo", content_type="image/jpeg")
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: rotation.storage.put(keys.original("0" * 32), b"x", content_type="image/jpeg"),
        lambda: rotation.storage.size(key),
        rotation.storage.ping,
        lambda: rotation.storage.delete_prefix(keys.prefix("0" * 32)),
    ]
    for call in calls:
        before = rotation.renewed.current
        rotation.aws.issuer.revoke()
        await call()
        assert rotation.renewed.current != before
        rotation.clock.now += 2 * MINUTE
    assert rotation.store.objects.keys() == {key}
    assert _open(rotation.links.link(key, name).url) == 200


async def test_credentials_expired_during_sleep_are_replaced_at_the_first_refusal(
    rotation: Rotation,
) -> None:
    before = rotation.renewed.current
    rotation.clock.now += timedelta(days=2)  # and they weren't refreshed yet
    await rotation.storage.ping()
    assert rotation.renewed.current != before


async def test_concurrent_refusals_refresh_once(rotation: Rotation) -> None:
    rotation.aws.issuer.revoke()
    rotation.aws.requests.clear()
    await asyncio.gather(*(rotation.storage.ping() for _ in range(20)))
    assert len([request for request in rotation.aws.requests if request.endswith("a-role")]) == 1


async def test_store_that_refuses_everything_is_not_retried_forever(
    rotation: Rotation,
) -> None:
    rotation.aws.issuer.known.clear()  # while the source still returns the same ones
    rotation.aws.requests.clear()
    for _ in range(5):
        with pytest.raises(StorageUnavailable):
            await rotation.storage.ping()
    assert len([request for request in rotation.aws.requests if request.endswith("a-role")]) == 1
    assert len(rotation.store.refused) == 5


async def test_slow_credential_source_does_not_block_the_loop(rotation: Rotation) -> None:
    release = threading.Event()
    released: list[bool] = []
    first = rotation.renewed.current

    def slow() -> object:
        released.append(release.wait(60))
        return aws_chain.fetch_credentials(region="us-east-1")

    rotation.renewed._fetch = slow  # type: ignore[assignment]  # a stand-in with the same result
    rotation.clock.now += 31 * MINUTE
    name = keys.new_storage_id()
    for _ in range(100):
        await asyncio.sleep(0.001)
        rotation.links.link(keys.original(name), name)
    assert rotation.renewed.current == first
    release.set()
    await rotation.move(timedelta(0))
    assert rotation.renewed.current != first
    assert released == [True]
