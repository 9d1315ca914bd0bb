"""Credentials that expire: when they are refreshed, and the links that they sign."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from safelight import keys
from safelight.errors import SettingsError, StorageUnavailable
from safelight.settings import LinkSettings
from safelight.signing.credentials import StaticCredentials
from safelight.signing.links import LinkSigner
from safelight.signing.refresh import MIN_REMAINING, RefreshingCredentials
from safelight.signing.sigv4 import Credentials, presign

ENDPOINT = "http://127.0.0.1:8333"
NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
STORAGE_ID = "0123456789abcdef0123456789abcdef"
KEY = keys.original(STORAGE_ID)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
LEFT = st.integers(15 * 60, 40 * 86_400).map(lambda n: n * SECOND)
STORAGE_IDS = st.binary(min_size=16, max_size=16).map(bytes.hex)


def session(end: datetime | None, number: int = 1) -> Credentials:
    return Credentials(
        access_key=f"ASIA{number}", secret_key="secret", session_token="to/ken", expires_at=end
    )


def make_signer(
    credentials: Credentials | StaticCredentials,
    *,
    lifetime: timedelta = timedelta(days=7),
    window: timedelta = timedelta(days=1),
    cache_size: int = 1_000,
) -> LinkSigner:
    return LinkSigner(
        LinkSettings(lifetime=lifetime, window=window, cache_size=cache_size),
        credentials=StaticCredentials(credentials)
        if isinstance(credentials, Credentials)
        else credentials,
        clock=lambda: NOW,
        endpoint=ENDPOINT,
        bucket="safelight",
    )


def validity(url: str) -> tuple[datetime, datetime]:
    """Return the start and end of a URL's validity."""
    query = parse_qs(urlsplit(url).query)
    begin = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return begin, begin + int(query["X-Amz-Expires"][0]) * SECOND


@given(STORAGE_IDS, LEFT, st.integers(60, 7 * 86_400), st.integers(1, 6 * 86_400))
def test_link_expires_with_its_credentials(
    storage_id: str, left: timedelta, lifetime: int, window: int
) -> None:
    link = make_signer(
        session(NOW + left),
        lifetime=lifetime * SECOND,
        window=min(window, lifetime - 1) * SECOND,
    ).link(keys.original(storage_id), storage_id, now=NOW)
    begin, end = validity(link.url)
    assert begin <= NOW < end == link.expires_at <= NOW + left
    assert end - begin == lifetime * SECOND
    least = (lifetime - min(window, lifetime - 1)) * SECOND
    assert end - NOW > min(least, left) - SECOND, "not sooner than necessary"
    assert link.url == presign(
        session(None),
        endpoint=ENDPOINT,
        bucket="safelight",
        key=keys.original(storage_id),
        expires_in=lifetime * SECOND,
        date=begin,
    )


@given(STORAGE_IDS, st.integers(15 * 60, 86_400), st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_links_are_stable_while_credentials_expire_soon(
    storage_id: str, left: int, moments: list[float]
) -> None:
    signer = make_signer(session(NOW + left * SECOND))
    first = signer.link(keys.original(storage_id), storage_id, now=NOW)
    assert first.expires_at == NOW + left * SECOND
    for moment in moments:
        now = NOW + moment * (left * SECOND - MIN_REMAINING)
        assert signer.link(keys.original(storage_id), storage_id, now=now) is first
        assert signer.stable_until(storage_id, now) > now


@given(STORAGE_IDS, LEFT, st.lists(st.floats(0, 1), min_size=2, max_size=8))
@example(STORAGE_ID, timedelta(days=10), [0, 0.9, 0])
def test_cached_link_is_the_one_that_would_be_signed(
    storage_id: str, left: timedelta, moments: list[float]
) -> None:
    key, credentials = keys.original(storage_id), session(NOW + left)
    signer = make_signer(credentials)
    for moment in moments:
        now = NOW + moment * (left - MIN_REMAINING)
        assert signer.link(key, storage_id, now=now) == make_signer(credentials).link(
            key, storage_id, now=now
        )


@pytest.mark.parametrize("lifetime", [MINUTE, HOUR, timedelta(days=7)])
def test_credentials_that_expire_within_15_minutes_sign_nothing(
    lifetime: timedelta,
) -> None:
    signer = make_signer(session(NOW + MIN_REMAINING), lifetime=lifetime, window=30 * SECOND)
    signer.link(KEY, STORAGE_ID, now=NOW)
    for late in (NOW + SECOND, NOW + HOUR, NOW + timedelta(days=100)):
        with pytest.raises(StorageUnavailable, match="Try again") as caught:
            signer.link(KEY, STORAGE_ID, now=late)
        assert caught.value.retry_after == 30 * SECOND
        assert signer.stable_until(STORAGE_ID, late) <= late, "a cached link is not stable"
    assert signer.link(KEY, STORAGE_ID, now=NOW), "the clock may go back"


def test_check_fails_when_links_cannot_be_signed() -> None:
    make_signer(session(NOW + MIN_REMAINING)).check()
    with pytest.raises(StorageUnavailable, match="Try again"):
        make_signer(session(NOW + MIN_REMAINING - SECOND)).check()


@given(STORAGE_IDS, LEFT, st.integers(60, 7 * 86_400), st.integers(1, 6 * 86_400))
def test_link_cached_until_its_change_is_valid_for_15_more_minutes(
    storage_id: str, left: timedelta, lifetime: int, window: int
) -> None:
    window = min(window, lifetime - 1)
    signer = make_signer(session(NOW + left), lifetime=lifetime * SECOND, window=window * SECOND)
    link = signer.link(keys.original(storage_id), storage_id, now=NOW)
    change = signer.stable_until(storage_id, NOW)
    assert NOW < change <= NOW + left - MIN_REMAINING + SECOND
    assert signer.link(keys.original(storage_id), storage_id, now=change - SECOND) == link
    assert link.expires_at - change >= min(MIN_REMAINING - SECOND, (lifetime - window) * SECOND)


def test_stable_until_follows_new_credentials() -> None:
    provider = StaticCredentials(session(NOW + HOUR))
    signer = make_signer(provider)
    assert signer.stable_until(STORAGE_ID, NOW) == NOW + 45 * MINUTE + SECOND
    provider.current = session(NOW + 2 * HOUR, 2)
    assert signer.stable_until(STORAGE_ID, NOW) == NOW + 105 * MINUTE + SECOND
    assert signer.link(KEY, STORAGE_ID, now=NOW).expires_at == NOW + 2 * HOUR
    provider.current = Credentials(access_key="AKIA", secret_key="s")
    assert signer.stable_until(STORAGE_ID, NOW) - NOW < timedelta(days=1)


def test_distant_expiry_of_credentials_changes_nothing() -> None:
    far = session(NOW + timedelta(days=30))
    near = session(None)
    assert make_signer(far).link(KEY, STORAGE_ID) == make_signer(near).link(KEY, STORAGE_ID)
    assert make_signer(far).stable_until(STORAGE_ID) == make_signer(near).stable_until(STORAGE_ID)


class CredentialSource:
    """A credential source with prepared answers."""

    def __init__(self, *lifetimes: timedelta | None) -> None:
        self.now = NOW
        self.lifetimes = list(lifetimes)
        self.calls: list[timedelta] = []
        self._numbers = count(1)

    def __call__(self) -> Credentials:
        self.calls.append(self.now - NOW)
        if not self.lifetimes:
            raise SettingsError("none")
        lifetime = self.lifetimes.pop(0)
        return session(None if lifetime is None else self.now + lifetime, next(self._numbers))

    def refreshing(self) -> RefreshingCredentials:
        first = self()
        self.calls.clear()
        return RefreshingCredentials(
            first, self, clock=lambda: self.now, check_interval=timedelta(0)
        )


async def calls_within(
    source: CredentialSource, credentials: RefreshingCredentials, hours: int
) -> list[timedelta]:
    """Advance the clock minute by minute, and return when the source was called."""
    async with credentials.run():
        for _ in range(hours * 60):
            source.now += MINUTE
            while credentials.is_due:  # noqa: ASYNC110  there is no event to wait for
                await asyncio.sleep(0)
    return source.calls


@pytest.mark.parametrize(
    ("life", "minutes"),
    [
        (HOUR, [30, 60, 90, 120]),
        (6 * HOUR, []),
        (40 * MINUTE, [13, 26, 39, 52, 65, 78, 91, 104, 117]),
        (20 * MINUTE, list(range(3, 121, 3))),
    ],
)
async def test_credentials_are_refreshed_in_time(life: timedelta, minutes: list[int]) -> None:
    source = CredentialSource(*[life] * 60)
    credentials = source.refreshing()
    assert await calls_within(source, credentials, 2) == [minute * MINUTE for minute in minutes]


async def test_failed_refresh_is_retried_every_minute() -> None:
    source = CredentialSource(HOUR)
    credentials = source.refreshing()
    first = credentials.current
    assert await calls_within(source, credentials, 1) == [
        minute * MINUTE for minute in range(30, 61)
    ]
    assert credentials.current is first


async def test_session_credentials_of_unknown_expiry_are_read_again() -> None:
    source = CredentialSource(*[None] * 100)
    credentials = source.refreshing()
    assert await calls_within(source, credentials, 1) == [n * 5 * MINUTE for n in range(1, 13)]
    assert credentials.current.access_key == "ASIA13"


async def test_long_lived_keys_are_read_again_only_after_a_refusal() -> None:
    long_lived = [Credentials(access_key=f"AKIA{n}", secret_key="s") for n in range(3)]
    source = iter(long_lived[1:])
    now = [NOW]
    credentials = RefreshingCredentials(long_lived[0], lambda: next(source), clock=lambda: now[0])
    assert not credentials.is_due
    assert await credentials.refresh(long_lived[0])
    assert credentials.current == long_lived[1]
    assert not await credentials.refresh(long_lived[1]), "not twice in a minute"
    now[0] += 2 * MINUTE
    assert await credentials.refresh(long_lived[0]), "already refreshed by another caller"
    assert credentials.current == long_lived[1], "the source was not called"
    assert await credentials.refresh(long_lived[1])
    assert credentials.current == long_lived[2]


async def test_repeated_refusals_refresh_only_once() -> None:
    unchanged, now = session(NOW + 6 * HOUR), [NOW]
    credentials = RefreshingCredentials(unchanged, lambda: unchanged, clock=lambda: now[0])
    assert not await credentials.refresh(unchanged)
    now[0] += 2 * MINUTE
    assert not credentials.is_due


async def test_cancelled_caller_does_not_cancel_the_refresh() -> None:
    source = CredentialSource(HOUR, HOUR)
    credentials = source.refreshing()
    refused = credentials.current
    waiting = [asyncio.create_task(credentials.refresh(refused)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    assert await asyncio.gather(*waiting[1:]) == [True, True]
    assert len(source.calls) == 1


async def test_static_credentials_are_never_refreshed() -> None:
    permanent = Credentials(access_key="AKIA", secret_key="s")
    provider = StaticCredentials(permanent)
    assert not await provider.refresh(permanent)
    assert provider.current is permanent
