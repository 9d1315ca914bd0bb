"""Credentials that end: when others are asked for, and what their links are."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from safelight import keys
from safelight.credentials import LEAST_LEFT, Fixed, Renewed
from safelight.errors import SettingsError, StorageUnavailable
from safelight.links import Links
from safelight.settings import LinkSettings
from safelight.sigv4 import Credentials, presign

ENDPOINT = "http://127.0.0.1:8333"
NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
NAME = "0123456789abcdef0123456789abcdef"
KEY = keys.original(NAME)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
LEFT = st.integers(15 * 60, 40 * 86_400).map(lambda n: n * SECOND)
NAMES = st.binary(min_size=16, max_size=16).map(bytes.hex)


def session(end: datetime | None, number: int = 1) -> Credentials:
    return Credentials(
        access_key=f"ASIA{number}", secret_key="secret", session_token="to/ken", expires_at=end
    )


def links(
    credentials: Credentials | Callable[[], Credentials],
    *,
    lifetime: timedelta = timedelta(days=7),
    window: timedelta = timedelta(days=1),
    cache_size: int = 1_000,
) -> Links:
    return Links(
        LinkSettings(lifetime=lifetime, window=window, cache_size=cache_size),
        credentials=credentials if callable(credentials) else lambda: credentials,
        clock=lambda: NOW,
        endpoint=ENDPOINT,
        bucket="safelight",
    )


def span(url: str) -> tuple[datetime, datetime]:
    """Tell from when until when a store honours a URL."""
    query = parse_qs(urlsplit(url).query)
    begin = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return begin, begin + int(query["X-Amz-Expires"][0]) * SECOND


@given(NAMES, LEFT, st.integers(60, 7 * 86_400), st.integers(1, 6 * 86_400))
def test_a_link_ends_no_later_than_its_credentials_and_tells_when(
    name: str, left: timedelta, lifetime: int, window: int
) -> None:
    made = links(
        session(NOW + left),
        lifetime=lifetime * SECOND,
        window=min(window, lifetime - 1) * SECOND,
    ).link(keys.original(name), name, now=NOW)
    begin, end = span(made.url)
    assert begin <= NOW < end == made.expires_at <= NOW + left
    assert end - begin == lifetime * SECOND
    least = (lifetime - min(window, lifetime - 1)) * SECOND
    assert end - NOW > min(least, left) - SECOND, "nor any sooner than it must"
    assert made.url == presign(
        session(None),
        endpoint=ENDPOINT,
        bucket="safelight",
        key=keys.original(name),
        expires_in=lifetime * SECOND,
        date=begin,
    )


@given(NAMES, st.integers(15 * 60, 86_400), st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_links_of_credentials_that_end_soon_are_the_same_until_they_do(
    name: str, left: int, moments: list[float]
) -> None:
    made = links(session(NOW + left * SECOND))
    first = made.link(keys.original(name), name, now=NOW)
    assert first.expires_at == NOW + left * SECOND
    for moment in moments:
        now = NOW + moment * (left * SECOND - LEAST_LEFT)
        assert made.link(keys.original(name), name, now=now) is first
        assert made.turns_over_at(name, now) > now


@given(NAMES, LEFT, st.lists(st.floats(0, 1), min_size=2, max_size=8))
@example(NAME, timedelta(days=10), [0, 0.9, 0])
def test_a_link_from_memory_is_the_one_that_would_be_signed(
    name: str, left: timedelta, moments: list[float]
) -> None:
    key, credentials = keys.original(name), session(NOW + left)
    made = links(credentials)
    for moment in moments:
        now = NOW + moment * (left - LEAST_LEFT)
        assert made.link(key, name, now=now) == links(credentials).link(key, name, now=now)


@pytest.mark.parametrize("lifetime", [MINUTE, HOUR, timedelta(days=7)])
def test_credentials_that_end_in_less_than_a_quarter_of_an_hour_sign_nothing(
    lifetime: timedelta,
) -> None:
    made = links(session(NOW + LEAST_LEFT), lifetime=lifetime, window=30 * SECOND)
    made.link(KEY, NAME, now=NOW)
    for late in (NOW + SECOND, NOW + HOUR, NOW + timedelta(days=100)):
        with pytest.raises(StorageUnavailable, match="try again") as caught:
            made.link(KEY, NAME, now=late)
        assert caught.value.retry_after == 30 * SECOND
        assert made.turns_over_at(NAME, late) <= late, "and what was kept isn't fresh"
    assert made.link(KEY, NAME, now=NOW), "the clock may go back"


def test_whether_links_can_be_signed_is_known_before_one_is_wanted() -> None:
    links(session(NOW + LEAST_LEFT)).check()
    with pytest.raises(StorageUnavailable, match="try again"):
        links(session(NOW + LEAST_LEFT - SECOND)).check()


@given(NAMES, LEFT, st.integers(60, 7 * 86_400), st.integers(1, 6 * 86_400))
def test_what_was_kept_until_it_turned_over_has_a_quarter_of_an_hour_left(
    name: str, left: timedelta, lifetime: int, window: int
) -> None:
    window = min(window, lifetime - 1)
    made = links(session(NOW + left), lifetime=lifetime * SECOND, window=window * SECOND)
    link = made.link(keys.original(name), name, now=NOW)
    turn = made.turns_over_at(name, NOW)
    assert NOW < turn <= NOW + left - LEAST_LEFT + SECOND
    assert made.link(keys.original(name), name, now=turn - SECOND) == link
    assert link.expires_at - turn >= min(LEAST_LEFT - SECOND, (lifetime - window) * SECOND)


def test_turning_over_follows_the_credentials_before_any_link_does() -> None:
    current = [session(NOW + HOUR)]
    made = links(lambda: current[0])
    assert made.turns_over_at(NAME, NOW) == NOW + 45 * MINUTE + SECOND
    current[0] = session(NOW + 2 * HOUR, 2)
    assert made.turns_over_at(NAME, NOW) == NOW + 105 * MINUTE + SECOND
    assert made.window_of(NAME, NOW) == (NOW + 2 * HOUR - timedelta(days=7)).timestamp()
    current[0] = Credentials(access_key="AKIA", secret_key="s")
    assert made.turns_over_at(NAME, NOW) - NOW < timedelta(days=1)


def test_the_end_of_credentials_far_away_changes_nothing() -> None:
    far = session(NOW + timedelta(days=30))
    near = session(None)
    assert links(far).link(KEY, NAME) == links(near).link(KEY, NAME)
    assert links(far).turns_over_at(NAME) == links(near).turns_over_at(NAME)


class Supply:
    """A source whose answers are written down before."""

    def __init__(self, *lives: timedelta | None) -> None:
        self.now = NOW
        self.lives = list(lives)
        self.asked: list[timedelta] = []
        self._numbers = count(1)

    def __call__(self) -> Credentials:
        self.asked.append(self.now - NOW)
        if not self.lives:
            raise SettingsError("none")
        life = self.lives.pop(0)
        return session(None if life is None else self.now + life, next(self._numbers))

    def renewed(self) -> Renewed:
        first = self()
        self.asked.clear()
        return Renewed(first, self, clock=lambda: self.now, look=timedelta(0))


async def asked_within(supply: Supply, renewed: Renewed, hours: int) -> list[timedelta]:
    """Let the time pass, a minute at a time."""
    async with renewed.running():
        for _ in range(hours * 60):
            supply.now += MINUTE
            while renewed.overdue:  # noqa: ASYNC110  it has no event to wait for
                await asyncio.sleep(0)
    return supply.asked


@pytest.mark.parametrize(
    ("life", "minutes"),
    [
        (HOUR, [30, 60, 90, 120]),
        (6 * HOUR, []),
        (40 * MINUTE, [13, 26, 39, 52, 65, 78, 91, 104, 117]),
        (20 * MINUTE, list(range(3, 121, 3))),
    ],
)
async def test_others_are_asked_for_in_time(life: timedelta, minutes: list[int]) -> None:
    supply = Supply(*[life] * 60)
    renewed = supply.renewed()
    assert await asked_within(supply, renewed, 2) == [minute * MINUTE for minute in minutes]


async def test_a_source_that_is_away_is_asked_every_minute() -> None:
    supply = Supply(HOUR)
    renewed = supply.renewed()
    first = renewed.current()
    assert await asked_within(supply, renewed, 1) == [minute * MINUTE for minute in range(30, 61)]
    assert renewed.current() is first


async def test_session_credentials_whose_end_is_unknown_are_read_again_now_and_then() -> None:
    supply = Supply(*[None] * 100)
    renewed = supply.renewed()
    assert await asked_within(supply, renewed, 1) == [n * 5 * MINUTE for n in range(1, 13)]
    assert renewed.current().access_key == "ASIA13"


async def test_long_lived_keys_are_read_again_only_when_refused() -> None:
    long_lived = [Credentials(access_key=f"AKIA{n}", secret_key="s") for n in range(3)]
    supply = iter(long_lived[1:])
    now = [NOW]
    renewed = Renewed(long_lived[0], lambda: next(supply), clock=lambda: now[0])
    assert not renewed.overdue
    assert await renewed.renew(long_lived[0])
    assert renewed.current() == long_lived[1]
    assert not await renewed.renew(long_lived[1]), "not twice in a minute"
    now[0] += 2 * MINUTE
    assert await renewed.renew(long_lived[0]), "somebody else was quicker"
    assert renewed.current() == long_lived[1], "so nobody was asked"
    assert await renewed.renew(long_lived[1])
    assert renewed.current() == long_lived[2]


async def test_a_refusal_does_not_begin_a_stream_of_questions() -> None:
    only, now = session(NOW + 6 * HOUR), [NOW]
    renewed = Renewed(only, lambda: only, clock=lambda: now[0])
    assert not await renewed.renew(only)
    now[0] += 2 * MINUTE
    assert not renewed.overdue


async def test_who_gives_up_waiting_takes_the_answer_from_nobody() -> None:
    supply = Supply(HOUR, HOUR)
    renewed = supply.renewed()
    refused = renewed.current()
    waiting = [asyncio.create_task(renewed.renew(refused)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    assert await asyncio.gather(*waiting[1:]) == [True, True]
    assert len(supply.asked) == 1


async def test_fixed_credentials_have_no_successors() -> None:
    only = Credentials(access_key="AKIA", secret_key="s")
    fixed = Fixed(only)
    assert not await fixed.renew(only)
    assert fixed.current() is only
