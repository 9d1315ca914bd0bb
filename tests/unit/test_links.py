import random
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from safelight import keys
from safelight.settings import LinkSettings
from safelight.signing.attachments import as_attachment
from safelight.signing.credentials import StaticCredentials
from safelight.signing.links import CurrentCredentials, LinkSigner
from safelight.signing.sigv4 import Credentials, presign

ENDPOINT = "http://127.0.0.1:8333"
BUCKET = "safelight"
LONG_LIVED = Credentials(access_key="AKIDEXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG+bPxRfi")
STORAGE_ID = "0123456789abcdef0123456789abcdef"
KEY = keys.original(STORAGE_ID)
NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
STORAGE_IDS = st.binary(min_size=16, max_size=16).map(bytes.hex)
MOMENTS = st.integers(0, 8_000 * 31_556_952 * 10**6).map(
    lambda n: datetime(1970, 1, 1, tzinfo=UTC) + n * timedelta(microseconds=1)
)


class Clock:
    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def make_signer(
    clock: Callable[[], datetime] | None = None,
    *,
    credentials: CurrentCredentials | None = None,
    cache_size: int = 1_000,
    window: timedelta = timedelta(days=1),
    lifetime: timedelta = timedelta(days=7),
) -> LinkSigner:
    return LinkSigner(
        LinkSettings(cache_size=cache_size, window=window, lifetime=lifetime),
        credentials=credentials or StaticCredentials(LONG_LIVED),
        clock=clock or Clock(),
        endpoint=ENDPOINT,
        bucket=BUCKET,
    )


def signed_at(url: str) -> datetime:
    stamp = parse_qs(urlsplit(url).query)["X-Amz-Date"][0]
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def cached(signer: LinkSigner) -> int:
    return len(signer._recent) + len(signer._older)


@given(
    STORAGE_IDS,
    MOMENTS,
    st.sampled_from([ENDPOINT, "https://s3.example", "http://[2001:db8::1]:9000"]),
    st.sampled_from([None, "a/session+token=="]),
    st.lists(st.binary(min_size=8, max_size=32).map(bytes.hex), max_size=4),
)
def test_links_to_a_photo_differ_in_two_of_their_parts(
    storage_id: str, now: datetime, endpoint: str, token: str | None, digests: list[str]
) -> None:
    credentials = Credentials(access_key="AKID/E+X", secret_key="secret", session_token=token)
    signer = make_signer(credentials=StaticCredentials(credentials))
    objects = [keys.original(storage_id), *(keys.rendition(storage_id, each) for each in digests)]
    signer.link(objects[-1], storage_id, endpoint=endpoint, now=now - timedelta(hours=20))
    links = signer.links(objects, storage_id, endpoint=endpoint, now=now)
    parts = [link.parts for link in links]
    assert ["".join(each) for each in parts] == [link.url for link in links]
    assert {each._replace(path="", signature="") for each in parts} == {
        parts[0]._replace(path="", signature="")
    }
    assert [each.path for each in parts] == ["original", *digests]
    assert parts[0].folder == f"{storage_id}/"
    assert datetime.strptime(parts[0].date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) <= now


@given(STORAGE_IDS, STORAGE_IDS)
def test_links_signed_on_one_day_have_the_same_common_parts(one: str, other: str) -> None:
    signer = make_signer()
    parts = [signer.link(keys.original(each), each).parts for each in (one, other)]
    same_day = parts[0].date[:8] == parts[1].date[:8]
    assert (len({(each.base, each.before, each.after) for each in parts}) == 1) is same_day


@given(STORAGE_IDS, MOMENTS)
def test_link_is_presigned_for_the_start_of_its_window(storage_id: str, now: datetime) -> None:
    link = make_signer().link(keys.original(storage_id), storage_id, now=now)
    start = make_signer().stable_until(storage_id, now) - timedelta(days=1)
    assert link.url == presign(
        LONG_LIVED,
        endpoint=ENDPOINT,
        bucket=BUCKET,
        key=keys.original(storage_id),
        expires_in=timedelta(days=7),
        date=start,
    )
    assert link.expires_at == start + timedelta(days=7)


@given(STORAGE_IDS, MOMENTS, st.integers(1, 86_400 * 5), st.floats(0.01, 86_400, allow_nan=False))
def test_link_is_always_valid_for_lifetime_less_window(
    storage_id: str, now: datetime, window: int, more: float
) -> None:
    length = timedelta(seconds=window)
    lifetime = min(max(length + timedelta(seconds=more), timedelta(minutes=1)), timedelta(days=7))
    link = make_signer(window=length, lifetime=lifetime).link(
        keys.original(storage_id), storage_id, now=now
    )
    assert lifetime - length - SECOND < link.expires_at - now <= lifetime
    assert signed_at(link.url) <= now, "a link is valid immediately"


def test_default_link_is_always_valid_for_six_days() -> None:
    signer = make_signer()
    left = [
        signer.link(KEY, STORAGE_ID, now=now).expires_at - now
        for now in (NOW + minute * timedelta(minutes=1) for minute in range(3 * 24 * 60))
    ]
    assert timedelta(days=6) <= min(left) < timedelta(days=6, minutes=2)
    assert max(left) <= timedelta(days=7)


def test_link_is_stable_for_its_window() -> None:
    clock = Clock()
    signer = make_signer(clock)
    start = signer.stable_until(STORAGE_ID) - timedelta(days=1)
    seen = []
    for hour in range(72):
        clock.now = start + timedelta(hours=hour)
        seen.append(signer.link(KEY, STORAGE_ID))
        clock.now += timedelta(minutes=59, seconds=59, microseconds=999_999)
        assert signer.link(KEY, STORAGE_ID) == seen[-1]
    days = [set(seen[hour : hour + 24]) for hour in (0, 24, 48)]
    assert [len(day) for day in days] == [1, 1, 1]
    assert len(set.union(*days)) == 3


@given(STORAGE_IDS, MOMENTS)
def test_links_change_at_the_announced_time(storage_id: str, now: datetime) -> None:
    signer, key = make_signer(), keys.original(storage_id)
    change = signer.stable_until(storage_id, now)
    assert now < change <= now + timedelta(days=1)
    assert signer.link(key, storage_id, now=change - SECOND) == signer.link(
        key, storage_id, now=now
    )
    assert signer.link(key, storage_id, now=change) != signer.link(key, storage_id, now=now)


def test_another_process_signs_the_same_url() -> None:
    program = f"""
from datetime import UTC, datetime
from safelight.signing.credentials import StaticCredentials
from safelight.signing.links import LinkSigner
from safelight.settings import LinkSettings
from safelight.signing.sigv4 import Credentials
credentials = Credentials(
    access_key={LONG_LIVED.access_key!r}, secret_key={LONG_LIVED.secret_key!r}
)
links = LinkSigner(
    LinkSettings(), credentials=StaticCredentials(credentials), clock=lambda: datetime.now(UTC),
    endpoint={ENDPOINT!r}, bucket={BUCKET!r},
)
now = datetime({NOW.year}, {NOW.month}, {NOW.day}, {NOW.hour}, tzinfo=UTC)
print(links.link({KEY!r}, {STORAGE_ID!r}, now=now).url)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    # Seconds later in the same window, by a signer that has cached the window before.
    signer = make_signer()
    signer.link(KEY, STORAGE_ID, now=NOW - timedelta(days=1))
    assert run.stdout.strip() == signer.link(KEY, STORAGE_ID, now=NOW + timedelta(seconds=7)).url


def test_links_of_a_photo_change_together_and_those_of_a_gallery_do_not() -> None:
    signer = make_signer()
    rng = random.Random(0)
    storage_ids = [rng.randbytes(16).hex() for _ in range(1_000)]
    starts = [
        int(signer.stable_until(storage_id, NOW).timestamp()) - 86_400 for storage_id in storage_ids
    ]
    assert len(set(starts)) > 950
    hours = [sum(start // 3_600 % 24 == hour for start in starts) for hour in range(24)]
    assert all(10 < count < 90 for count in hours), "spread over the day"
    for storage_id, start in zip(storage_ids, starts, strict=True):
        original = signer.link(keys.original(storage_id), storage_id, now=NOW)
        small = signer.link(keys.rendition(storage_id, "0" * 16), storage_id, now=NOW)
        assert original.expires_at == small.expires_at
        assert signed_at(original.url).timestamp() == signed_at(small.url).timestamp() == start


def test_cached_link_is_the_same_object() -> None:
    signer = make_signer()
    first = signer.link(KEY, STORAGE_ID, now=NOW)
    assert signer.link(KEY, STORAGE_ID, now=NOW + SECOND) is first
    assert make_signer(cache_size=0).link(KEY, STORAGE_ID, now=NOW) == first


def test_clock_may_go_back() -> None:
    clock = Clock()
    signer = make_signer(clock)
    before = signer.link(KEY, STORAGE_ID)
    clock.now += timedelta(days=30)
    assert signer.link(KEY, STORAGE_ID) != before
    clock.now = NOW
    assert signer.link(KEY, STORAGE_ID) == before
    assert signer.link(KEY, STORAGE_ID).expires_at <= NOW + timedelta(days=7)


@pytest.mark.parametrize("cache_size", [0, 1, 2, 3, 10, 101])
def test_cache_is_bounded(cache_size: int) -> None:
    signer = make_signer(cache_size=cache_size)
    storage_ids = [keys.new_storage_id() for _ in range(300)]
    for window in range(2):
        for number, storage_id in enumerate(storage_ids):
            signer.link(keys.original(storage_id), storage_id, now=NOW + window * timedelta(days=2))
            signer.link(keys.original(storage_ids[number // 2]), storage_ids[number // 2], now=NOW)
            assert cached(signer) <= cache_size
    assert cached(signer) >= cache_size // 2, "the cache is used"


def test_link_in_use_stays_cached() -> None:
    signer = make_signer(cache_size=10)
    wanted = signer.link(KEY, STORAGE_ID)
    for _ in range(100):
        for storage_id in (keys.new_storage_id() for _ in range(3)):
            signer.link(keys.original(storage_id), storage_id)
        assert signer.link(KEY, STORAGE_ID) is wanted


def test_each_endpoint_has_its_own_links() -> None:
    signer = make_signer()
    default = signer.link(KEY, STORAGE_ID)
    other = signer.link(KEY, STORAGE_ID, endpoint="https://photos.example.com")
    assert other.url.startswith(f"https://photos.example.com/{BUCKET}/{KEY}?")
    assert signer.link(KEY, STORAGE_ID) is default
    assert signer.link(KEY, STORAGE_ID, endpoint="https://photos.example.com") is other
    assert signer.link(KEY, STORAGE_ID, endpoint=ENDPOINT) is default
    for number in range(1_000):
        signer.link(KEY, STORAGE_ID, endpoint=f"http://h{number}.example.com")
    assert cached(signer) <= 1_000
    assert signer._presigner.cache_info().currsize <= 64


def test_invalid_endpoint_is_an_error() -> None:
    with pytest.raises(ValueError, match="endpoint"):
        make_signer().link(KEY, STORAGE_ID, endpoint="http://elsewhere/path?")


def test_new_credentials_sign_the_next_link() -> None:
    keys_of_signer = StaticCredentials(LONG_LIVED)
    signer = make_signer(credentials=keys_of_signer)
    first = signer.link(KEY, STORAGE_ID)
    keys_of_signer.current = Credentials(
        access_key=LONG_LIVED.access_key, secret_key=LONG_LIVED.secret_key
    )
    assert signer.link(KEY, STORAGE_ID) is first, "equal credentials change nothing"
    keys_of_signer.current = Credentials(
        access_key="ASID", secret_key="other", session_token="to/ken+ ="
    )
    query = parse_qs(urlsplit(signer.link(KEY, STORAGE_ID).url).query)
    assert query["X-Amz-Credential"][0].startswith("ASID/")
    assert query["X-Amz-Security-Token"] == ["to/ken+ ="]
    keys_of_signer.current = LONG_LIVED
    assert signer.link(KEY, STORAGE_ID) == first


@pytest.mark.parametrize(
    ("key", "storage_id"),
    [
        (keys.original("f" * 32), STORAGE_ID),
        (keys.incoming(STORAGE_ID), STORAGE_ID),
        (f"x/{KEY}", STORAGE_ID),
        (f"albums/{STORAGE_ID}/original", STORAGE_ID),
        (KEY, "f" * 32),
        (KEY, ""),
        ("photos/../../../../../../../../../../..", "../../../../../../../../../../.."[:32]),
        (f"photos/{STORAGE_ID}/../../incoming/{STORAGE_ID}", STORAGE_ID),
        (f"photos/{STORAGE_ID}/", STORAGE_ID),
        (f"{KEY}?versionId=1", STORAGE_ID),
        ("", ""),
    ],
)
def test_key_outside_the_photo_is_not_linked(key: str, storage_id: str) -> None:
    with pytest.raises(ValueError, match="one of the photo's"):
        make_signer().link(key, storage_id)


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example('"; filename=x.html\r\nSet-Cookie: a=b')
def test_filename_of_a_download_adds_nothing_else_to_the_header(filename: str) -> None:
    query = parse_qs(urlsplit(make_signer().download(KEY, STORAGE_ID, filename).url).query)
    (disposition,) = query["response-content-disposition"]
    found = re.fullmatch(
        r"""attachment; filename="([ !#$&-.0-\[\]-~]*)"; filename\*=UTF-8''([A-Za-z0-9._~%-]*)""",
        disposition,
    )
    assert found
    assert unquote(found[2]) == filename
    assert len(query) == 7


@pytest.mark.parametrize(
    ("filename", "fallback"),
    [
        ("cat.jpg", "cat.jpg"),
        ("my cat; 2.jpg", "my cat; 2.jpg"),
        ("Zoë Müller.jpg", "Zoe Muller.jpg"),
        ("Zoe\u0308.jpg", "Zoe.jpg"),
        ("写真.jpg", "__.jpg"),
        ("½ ﬁn.jpg", "1_2 fin.jpg"),
        ('a"b\\c%41.jpg', "a_b_c_41.jpg"),
        ("a\r\nb.jpg", "a__b.jpg"),
    ],
)
def test_download_has_a_name_for_clients_that_read_ascii_only(filename: str, fallback: str) -> None:
    assert as_attachment(filename).startswith(f'attachment; filename="{fallback}"; filename*=')


def test_link_for_head_differs_in_its_signature_alone() -> None:
    signer = make_signer()
    head, download = signer.head(KEY, STORAGE_ID), signer.download(KEY, STORAGE_ID, "a.jpg")
    of_download = signer.download(KEY, STORAGE_ID, "a.jpg", method="HEAD")
    assert head.expires == download.expires
    assert head.url.partition("?")[0] == signer.link(KEY, STORAGE_ID).url.partition("?")[0]
    assert download.url.rpartition("=")[0] == of_download.url.rpartition("=")[0]
    assert download.url != of_download.url
    with pytest.raises(ValueError, match="one of the photo's"):
        signer.head(f"incoming/{STORAGE_ID}", STORAGE_ID)


def test_naive_time_is_an_error() -> None:
    with pytest.raises(TypeError):
        make_signer().link(KEY, STORAGE_ID, now=NOW.replace(tzinfo=None))


def test_link_contains_no_secret_and_signer_starts_no_thread() -> None:
    before = threading.active_count()
    signer = make_signer()
    link = signer.link(KEY, STORAGE_ID)
    assert threading.active_count() == before
    assert LONG_LIVED.secret_key not in repr(link)
    assert LONG_LIVED.secret_key not in repr(vars(signer))
