import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight import keys
from safelight.links import Links
from safelight.settings import LinkSettings
from safelight.sigv4 import Credentials, presign

ENDPOINT = "http://127.0.0.1:8333"
BUCKET = "safelight"
LONG_LIVED = Credentials(access_key="AKIDEXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG+bPxRfi")
NAME = "0123456789abcdef0123456789abcdef"
KEY = keys.original(NAME)
NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NAMES = st.binary(min_size=16, max_size=16).map(bytes.hex)
MOMENTS = st.integers(0, 8_000 * 31_556_952 * 10**6).map(
    lambda n: datetime(1970, 1, 1, tzinfo=UTC) + n * timedelta(microseconds=1)
)


class Clock:
    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def links(
    clock: Callable[[], datetime] | None = None,
    *,
    credentials: Callable[[], Credentials] = lambda: LONG_LIVED,
    cache_size: int = 1_000,
    window: timedelta = timedelta(days=1),
    lifetime: timedelta = timedelta(days=7),
) -> Links:
    return Links(
        LinkSettings(cache_size=cache_size, window=window, lifetime=lifetime),
        credentials=credentials,
        clock=clock or Clock(),
        endpoint=ENDPOINT,
        bucket=BUCKET,
    )


def signed_at(url: str) -> datetime:
    stamp = parse_qs(urlsplit(url).query)["X-Amz-Date"][0]
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def kept(made: Links) -> int:
    return len(made._young) + len(made._old)


@given(NAMES, MOMENTS)
def test_a_link_is_what_presign_gives_for_the_beginning_of_its_window(
    name: str, now: datetime
) -> None:
    made = links().link(keys.original(name), name, now=now)
    start = datetime.fromtimestamp(links().window_of(name, now), UTC)
    assert made.url == presign(
        LONG_LIVED,
        endpoint=ENDPOINT,
        bucket=BUCKET,
        key=keys.original(name),
        expires_in=timedelta(days=7),
        date=start,
    )
    assert made.expires_at == start + timedelta(days=7)


@given(NAMES, MOMENTS, st.integers(1, 86_400 * 5), st.floats(0.01, 86_400, allow_nan=False))
def test_a_link_handed_out_at_any_time_has_its_lifetime_less_a_window_left(
    name: str, now: datetime, window: int, more: float
) -> None:
    length = timedelta(seconds=window)
    lifetime = min(max(length + timedelta(seconds=more), timedelta(minutes=1)), timedelta(days=7))
    made = links(window=length, lifetime=lifetime).link(keys.original(name), name, now=now)
    assert lifetime - length - SECOND < made.expires_at - now <= lifetime
    assert signed_at(made.url) <= now, "a link is good from the moment it is handed out"


def test_by_default_at_least_six_days_are_left_at_any_time() -> None:
    made = links()
    left = [
        made.link(KEY, NAME, now=now).expires_at - now
        for now in (NOW + minute * timedelta(minutes=1) for minute in range(3 * 24 * 60))
    ]
    assert timedelta(days=6) <= min(left) < timedelta(days=6, minutes=2)
    assert max(left) <= timedelta(days=7)


def test_a_link_is_the_same_all_window_long_and_another_in_the_next() -> None:
    clock = Clock()
    made = links(clock)
    start = datetime.fromtimestamp(made.window_of(NAME), UTC)
    seen = []
    for hour in range(72):
        clock.now = start + timedelta(hours=hour)
        seen.append(made.link(KEY, NAME))
        clock.now += timedelta(minutes=59, seconds=59, microseconds=999_999)
        assert made.link(KEY, NAME) == seen[-1]
    days = [set(seen[hour : hour + 24]) for hour in (0, 24, 48)]
    assert [len(day) for day in days] == [1, 1, 1]
    assert len(set.union(*days)) == 3


@given(NAMES, MOMENTS)
def test_a_photos_links_turn_over_when_it_was_said(name: str, now: datetime) -> None:
    made, key = links(), keys.original(name)
    turn = made.turns_over_at(name, now)
    assert now < turn <= now + timedelta(days=1)
    assert made.link(key, name, now=turn - SECOND) == made.link(key, name, now=now)
    assert made.link(key, name, now=turn) != made.link(key, name, now=now)


def test_another_process_gives_the_same_url() -> None:
    program = f"""
from datetime import UTC, datetime
from safelight.links import Links
from safelight.settings import LinkSettings
from safelight.sigv4 import Credentials
credentials = Credentials(
    access_key={LONG_LIVED.access_key!r}, secret_key={LONG_LIVED.secret_key!r}
)
links = Links(
    LinkSettings(), credentials=lambda: credentials, clock=lambda: datetime.now(UTC),
    endpoint={ENDPOINT!r}, bucket={BUCKET!r},
)
now = datetime({NOW.year}, {NOW.month}, {NOW.day}, {NOW.hour}, tzinfo=UTC)
print(links.link({KEY!r}, {NAME!r}, now=now).url)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    # A little later, in the same window, with a memory that has seen the window before.
    made = links()
    made.link(KEY, NAME, now=NOW - timedelta(days=1))
    assert run.stdout.strip() == made.link(KEY, NAME, now=NOW + timedelta(seconds=7)).url


def test_a_photos_links_turn_over_together_and_a_gallerys_do_not() -> None:
    made = links()
    names = [keys.new_name() for _ in range(1_000)]
    starts = [made.window_of(name, NOW) for name in names]
    assert len(set(starts)) > 950
    hours = [sum(start // 3_600 % 24 == hour for start in starts) for hour in range(24)]
    assert all(10 < count < 90 for count in hours), "spread over the day"
    for name, start in zip(names, starts, strict=True):
        original = made.link(keys.original(name), name, now=NOW)
        small = made.link(keys.rendition(name, "0" * 16), name, now=NOW)
        assert original.expires_at == small.expires_at
        assert signed_at(original.url).timestamp() == signed_at(small.url).timestamp() == start


def test_a_link_from_memory_is_the_one_signed_before() -> None:
    made = links()
    first = made.link(KEY, NAME, now=NOW)
    assert made.link(KEY, NAME, now=NOW + SECOND) is first
    assert links(cache_size=0).link(KEY, NAME, now=NOW) == first


def test_the_clock_may_go_back() -> None:
    clock = Clock()
    made = links(clock)
    before = made.link(KEY, NAME)
    clock.now += timedelta(days=30)
    assert made.link(KEY, NAME) != before
    clock.now = NOW
    assert made.link(KEY, NAME) == before
    assert made.link(KEY, NAME).expires_at <= NOW + timedelta(days=7)


@pytest.mark.parametrize("cache_size", [0, 1, 2, 3, 10, 101])
def test_no_more_links_are_kept_than_allowed(cache_size: int) -> None:
    made = links(cache_size=cache_size)
    names = [keys.new_name() for _ in range(300)]
    for turn in range(2):
        for number, name in enumerate(names):
            made.link(keys.original(name), name, now=NOW + turn * timedelta(days=2))
            made.link(keys.original(names[number // 2]), names[number // 2], now=NOW)
            assert kept(made) <= cache_size
    assert kept(made) >= cache_size // 2, "and it is used"


def test_a_link_in_use_stays_in_memory_while_others_pass_by() -> None:
    made = links(cache_size=10)
    wanted = made.link(KEY, NAME)
    for _ in range(100):
        for name in (keys.new_name() for _ in range(3)):
            made.link(keys.original(name), name)
        assert made.link(KEY, NAME) is wanted


def test_each_endpoint_has_its_own_links() -> None:
    made = links()
    here = made.link(KEY, NAME)
    there = made.link(KEY, NAME, endpoint="https://photos.example.com")
    assert there.url.startswith(f"https://photos.example.com/{BUCKET}/{KEY}?")
    assert made.link(KEY, NAME) is here
    assert made.link(KEY, NAME, endpoint="https://photos.example.com") is there
    assert made.link(KEY, NAME, endpoint=ENDPOINT) is here
    for number in range(1_000):
        made.link(KEY, NAME, endpoint=f"http://h{number}.example.com")
    assert kept(made) <= 1_000
    assert made._presigner.cache_info().currsize <= 64


def test_an_endpoint_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="endpoint"):
        links().link(KEY, NAME, endpoint="http://elsewhere/path?")


def test_new_credentials_sign_from_the_next_link_on() -> None:
    current = [LONG_LIVED]
    made = links(credentials=lambda: current[0])
    first = made.link(KEY, NAME)
    current[0] = Credentials(access_key=LONG_LIVED.access_key, secret_key=LONG_LIVED.secret_key)
    assert made.link(KEY, NAME) is first, "equal ones are no new ones"
    current[0] = Credentials(access_key="ASID", secret_key="other", session_token="to/ken+ =")
    query = parse_qs(urlsplit(made.link(KEY, NAME).url).query)
    assert query["X-Amz-Credential"][0].startswith("ASID/")
    assert query["X-Amz-Security-Token"] == ["to/ken+ ="]
    current[0] = LONG_LIVED
    assert made.link(KEY, NAME) == first


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (keys.original("f" * 32), NAME),
        (keys.incoming(NAME), NAME),
        (f"x/{KEY}", NAME),
        (f"albums/{NAME}/original", NAME),
        (KEY, "f" * 32),
        (KEY, ""),
        ("photos/../../../../../../../../../../..", "../../../../../../../../../../.."[:32]),
        ("", ""),
    ],
)
def test_only_keys_of_the_photo_itself_are_linked(key: str, name: str) -> None:
    with pytest.raises(ValueError, match=r"prefix|invalid literal"):
        links().link(key, name)


def test_a_time_without_its_zone_is_an_error() -> None:
    with pytest.raises(TypeError):
        links().link(KEY, NAME, now=NOW.replace(tzinfo=None))


def test_a_link_tells_no_secret_and_links_start_no_thread() -> None:
    before = threading.active_count()
    made = links()
    link = made.link(KEY, NAME)
    assert threading.active_count() == before
    assert LONG_LIVED.secret_key not in repr(link)
    assert LONG_LIVED.secret_key not in repr(vars(made))
