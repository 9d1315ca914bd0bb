"""What Safelight does without, once a store has refused it."""

import logging
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.errors import SettingsError, StorageUnavailable
from safelight.signing.credentials import StaticCredentials
from safelight.signing.sigv4 import Credentials
from safelight.storage import (
    Bucket,
    LinkProbe,
    MultipartUploads,
    StoreFeatures,
    deletion,
    s3_api,
    verify_transfers,
)
from safelight.storage.features import MAX_DELETE_BATCH
from safelight.storage.responses import StoreError
from safelight.web.problems import problem_response
from support.counts import count_of
from support.fake_store import (
    CREDENTIALS,
    FakeStore,
    StoreAnswer,
    StoreRequest,
    run_fake_store,
    store_error,
)

TIMEOUT = timedelta(seconds=30)
PREFIX = f"photos/{'a' * 32}/"
KEYS = [f"{PREFIX}{number:016x}" for number in range(400)]
NOT_IMPLEMENTED = store_error(501, "NotImplemented", "A header you provided …")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_api, "_RETRY_PAUSES", ())


@pytest.fixture
def store() -> Iterator[FakeStore]:
    with run_fake_store() as running:
        yield running


@pytest.fixture
async def bucket(store: FakeStore) -> AsyncIterator[Bucket]:
    opened = Bucket(store.config, CREDENTIALS, timeout=TIMEOUT)
    yield opened
    await opened.close()


@pytest.fixture
async def uploads(store: FakeStore) -> AsyncIterator[MultipartUploads]:
    opened = MultipartUploads(store.config, CREDENTIALS, timeout=TIMEOUT)
    yield opened
    await opened.close()


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.message for each in caplog.records if each.levelno == logging.WARNING]


def _fill(store: FakeStore, *keys: str) -> None:
    store.objects = dict.fromkeys(keys, b"x")


def _is_bulk(request: StoreRequest) -> bool:
    return request.method == "POST" and "delete" in request.query


async def _list(bucket: Bucket, prefix: str = "photos/") -> list[str]:
    return [each.key async for page in bucket.list_objects(prefix) for each in page]


async def _unfinished(uploads: MultipartUploads) -> set[str]:
    pages = uploads.list_unfinished("incoming/")
    return {each.s3_upload_id async for page in pages for each in page}


@pytest.mark.parametrize(
    "answer",
    [
        StoreAnswer(200, b"<DeleteResult><Deleted><VersionId/></Deleted></DeleteResult>"),
        StoreAnswer(200, b"not even XML"),
        NOT_IMPLEMENTED,
        store_error(405, "MethodNotAllowed"),
        store_error(400, "InvalidRequest", "Missing Content-MD5"),
    ],
    ids=["unreadable", "no XML", "501", "405", "400"],
)
async def test_objects_are_deleted_one_by_one_if_bulk_deletes_fail(
    store: FakeStore, bucket: Bucket, caplog: pytest.LogCaptureFixture, answer: StoreAnswer
) -> None:
    store.hooks = [lambda request: answer if _is_bulk(request) else None]
    _fill(store, *KEYS[:5])
    await bucket.delete(KEYS[:3])
    assert sorted(store.objects) == KEYS[3:5]
    requests = store.count("POST")
    await bucket.delete(KEYS[:5])
    assert store.objects == {}
    assert store.count("POST") == requests, "the store's response is remembered"
    (warning,) = _warnings(caplog)
    assert "one at a time" in warning


@pytest.mark.parametrize("answer", [store_error(403, "AccessDenied"), StoreAnswer(404)], ids=str)
async def test_refused_bulk_delete_is_an_error(
    store: FakeStore, bucket: Bucket, answer: StoreAnswer
) -> None:
    store.hooks = [lambda request: answer if _is_bulk(request) else None]
    _fill(store, *KEYS[:3])
    with pytest.raises(StorageUnavailable):
        await bucket.delete(KEYS[:3])
    assert bucket.features == StoreFeatures()


async def test_bulk_deletes_stay_if_single_deletes_fail_too(
    store: FakeStore, bucket: Bucket
) -> None:
    store.hooks = [
        lambda request: NOT_IMPLEMENTED if request.method in {"POST", "DELETE"} else None
    ]
    with pytest.raises(StorageUnavailable):
        await bucket.delete(KEYS[:3])
    assert bucket.features.bulk_deletes


async def test_missing_object_is_not_an_error_when_deleted_alone(store: FakeStore) -> None:
    """Some stores answer 404 then."""
    store.hooks = [
        lambda request: (
            store_error(404, "NoSuchKey")
            if request.method == "DELETE" and request.key not in store.objects
            else None
        )
    ]
    _fill(store, *KEYS[2:4])
    features = StoreFeatures(bulk_deletes=False)
    bucket = Bucket(store.config, CREDENTIALS, timeout=TIMEOUT, features=features)
    await bucket.delete(KEYS[:4])
    assert store.objects == {}


async def test_slow_store_gets_smaller_bulk_deletes(
    store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "_MAX_TIMEOUTS", 20)  # this machine may be slow, too
    released = threading.Event()

    def delay(request: StoreRequest) -> StoreAnswer | None:
        if _is_bulk(request):
            count = request.body.count(b"<Key>")
            released.wait(120 if count > 150 else 0.3)
        return None

    store.hooks = [delay]
    _fill(store, *KEYS)
    bucket = Bucket(store.config, CREDENTIALS, timeout=timedelta(seconds=2))
    try:
        await bucket.delete(KEYS)
        assert bucket.features.delete_batch <= 150
        assert store.objects == {}
    finally:
        released.set()


async def test_store_that_never_answers_is_not_tried_for_long(store: FakeStore) -> None:
    released = threading.Event()

    def block(request: StoreRequest) -> StoreAnswer | None:
        if _is_bulk(request):
            released.wait(120)
        return None

    store.hooks = [block]
    bucket = Bucket(store.config, CREDENTIALS, timeout=timedelta(seconds=0.2))
    try:
        with pytest.raises(StorageUnavailable):
            await bucket.delete(KEYS)
        assert count_of(bucket.calls, verb="delete") == 2
        assert store.count("POST", query="delete") <= 2
    finally:
        released.set()


async def test_store_that_transfers_nothing_stops_the_start(store: FakeStore) -> None:
    """The client that transfers photos isn't the one that checks the store."""
    refusal = store_error(400, "BadRequest", "The store's own words.")
    store.hooks = [
        lambda request: refusal if "object_store" in request.headers["user-agent"] else None
    ]
    bucket = Bucket(store.config, CREDENTIALS, timeout=TIMEOUT)
    with pytest.raises(SettingsError, match=r"can't be used for photos.*The store's own words\."):
        await verify_transfers(bucket, store.config)


@given(
    st.lists(
        st.tuples(st.integers(0, MAX_DELETE_BATCH), st.floats(0, 20, allow_nan=False)), max_size=20
    )
)
def test_bulk_deletes_keep_a_valid_size(deletions: list[tuple[int, float]]) -> None:
    features = StoreFeatures()
    for count, seconds in deletions:
        features.adjust_delete_batch(min(count, features.delete_batch), seconds, limit=8)
        assert 8 <= features.delete_batch <= MAX_DELETE_BATCH


def test_fast_store_gets_larger_bulk_deletes_again() -> None:
    features = StoreFeatures(delete_batch=100)
    features.adjust_delete_batch(100, 0.1, limit=8)
    assert features.delete_batch == 200
    features.adjust_delete_batch(3, 7, limit=8)
    assert features.delete_batch == 200, "three slow deletions say nothing about batches"


async def test_folders_of_the_store_are_not_objects(store: FakeStore, bucket: Bucket) -> None:
    _fill(store, *KEYS[:2], f"photos/{'b' * 32}/original")
    folders = ("photos/", PREFIX, f"photos/{'0' * 32}/", f"photos/{'c' * 32}/")
    store.objects |= dict.fromkeys(folders, b"")
    assert await _list(bucket) == [*KEYS[:2], f"photos/{'b' * 32}/original"]


async def test_empty_object_is_listed(store: FakeStore, bucket: Bucket) -> None:
    store.objects = {KEYS[0]: b""}
    assert await _list(bucket) == [KEYS[0]]


async def test_folder_at_the_end_of_a_page_does_not_stop_the_list(
    store: FakeStore, bucket: Bucket
) -> None:
    """The next page begins after the folder's real key, not after that without its slash."""
    folders = [f"photos/{number:032x}/" for number in range(1000)]
    store.objects = dict.fromkeys(folders, b"") | {KEYS[0]: b"x"}
    assert await _list(bucket) == [KEYS[0]]


async def test_deleting_a_prefix_deletes_its_folders(store: FakeStore, bucket: Bucket) -> None:
    _fill(store, *KEYS[:2], "photos/other")
    store.objects |= dict.fromkeys((PREFIX, f"{PREFIX}sub/"), b"")
    assert await _list(bucket, "photos/") == [*KEYS[:2], "photos/other"]
    await bucket.delete_prefix(PREFIX)
    assert store.objects == {"photos/other": b"x"}


@pytest.mark.parametrize(
    "answer",
    [NOT_IMPLEMENTED, store_error(405, "MethodNotAllowed"), StoreAnswer(501)],
    ids=["501", "405", "501 without a code"],
)
async def test_store_without_a_list_of_uploads_counts_as_one_without_uploads(
    store: FakeStore,
    uploads: MultipartUploads,
    caplog: pytest.LogCaptureFixture,
    answer: StoreAnswer,
) -> None:
    store.hooks = [lambda request: answer if "uploads" in request.query else None]
    assert await _unfinished(uploads) == set()
    assert await uploads.list_ids("incoming/x") == []
    assert await uploads.abort("incoming/x") == 0
    assert store.count("GET", query="uploads") == 1
    (warning,) = _warnings(caplog)
    assert "lifecycle" in warning


async def test_404_means_no_uploads(
    store: FakeStore, uploads: MultipartUploads, caplog: pytest.LogCaptureFixture
) -> None:
    answer = store_error(404, "NoSuchUpload")
    store.hooks = [
        lambda request: answer if "uploads" in request.query and not store.uploads else None
    ]
    assert await _unfinished(uploads) == set()
    store.uploads = {"1": "incoming/x"}
    assert await _unfinished(uploads) == {"1"}
    assert _warnings(caplog) == []


async def test_missing_bucket_is_not_an_empty_list_of_uploads(
    store: FakeStore, uploads: MultipartUploads
) -> None:
    store.has_bucket = False
    with pytest.raises(StorageUnavailable):
        await _unfinished(uploads)


async def test_uploads_are_found_in_a_store_that_ignores_prefixes(
    store: FakeStore, uploads: MultipartUploads, caplog: pytest.LogCaptureFixture
) -> None:
    """MinIO lists them for a whole key, or for the whole bucket."""

    def hook(request: StoreRequest) -> StoreAnswer | None:
        if request.query.get("prefix", "").endswith("/") and "uploads" in request.query:
            return StoreAnswer(200, b"<ListMultipartUploadsResult/>")
        return None

    store.hooks = [hook]
    store.uploads = {"1": "incoming/x", "2": "incoming/y", "3": "elsewhere/z"}
    assert await _unfinished(uploads) == {"1", "2"}
    assert await uploads.list_ids("incoming/x") == ["1"]
    requests = store.count("GET", query="uploads")
    assert await _unfinished(uploads) == {"1", "2"}
    assert store.count("GET", query="uploads") == requests + 1, "it is remembered"
    (warning,) = _warnings(caplog)
    assert "by prefix" in warning


async def test_upload_that_starts_meanwhile_proves_nothing(
    store: FakeStore, uploads: MultipartUploads
) -> None:
    def start_second(request: StoreRequest) -> StoreAnswer | None:
        if "uploads" in request.query and "prefix" not in request.query:
            store.uploads = {"1": "incoming/x"}
        return None

    store.hooks = [start_second]
    assert await _unfinished(uploads) == {"1"}
    assert await _unfinished(uploads) == {"1"}
    assert store.count("GET", query="uploads") == 4


@given(st.integers(100, 599), st.binary(max_size=200))
def test_any_response_can_be_read(status: int, body: bytes) -> None:
    error = StoreError.parse(status, body)
    assert "\n" not in str(error)
    assert str(error).isprintable()


@given(st.text(alphabet=st.characters(blacklist_characters="<&\0"), min_size=1, max_size=400))
def test_message_of_a_store_is_one_line(text: str) -> None:
    body = f"<Error><Code>Some</Code><Message>{text}</Message></Error>".encode(
        errors="surrogatepass"
    )
    error = StoreError.parse(400, body)
    assert error.code == "Some"
    assert str(error).isprintable()


async def test_store_that_only_takes_reads_is_not_ready() -> None:
    def refuse(request: StoreRequest) -> StoreAnswer | None:
        return StoreAnswer(507, b"") if request.method == "PUT" else None

    with run_fake_store(refuse) as store:
        bucket = Bucket(store.config, CREDENTIALS, timeout=timedelta(seconds=1))
        with pytest.raises(StorageUnavailable):
            await bucket.ping()
        store.hooks.clear()
        await Bucket(store.config, CREDENTIALS, timeout=TIMEOUT).ping()
        assert store.objects == {}


SIGNING = StaticCredentials(Credentials(access_key="AKIASIGNING", secret_key="another-secret"))


async def test_store_that_has_revoked_the_signing_keys_is_not_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def revoke(request: StoreRequest) -> StoreAnswer | None:
        refusal = store_error(403, "InvalidAccessKeyId", "The key is unknown.")
        return refusal if request.is_presigned and is_revoked else None

    is_revoked = False
    with run_fake_store(revoke) as store:
        store.other_keys = [SIGNING.current]
        links = LinkProbe(store.config, SIGNING, timeout=TIMEOUT, has_own_keys=True)
        monkeypatch.setattr("safelight.storage.bucket._PROVEN_SECONDS", 600)
        bucket = Bucket(store.config, CREDENTIALS, timeout=TIMEOUT, links=links)
        await bucket.ping()
        is_revoked = True
        await bucket.ping()  # the result is fresh
        monkeypatch.setattr(bucket, "_write_again_at", 0.0)
        with pytest.raises(StorageUnavailable) as caught:
            await bucket.ping()
        assert "AKIA" not in str(caught.value)
        reason = str(caught.value.__cause__)
        assert "rejects the signing keys (InvalidAccessKeyId)" in reason
        assert reason.endswith("InvalidAccessKeyId (403): The key is unknown.")
        with pytest.raises(SettingsError, match="correct SAFELIGHT_S3__SIGNING_ACCESS_KEY"):
            await verify_transfers(bucket, store.config)
        is_revoked = False
        await bucket.ping()
        await bucket.close()
    assert store.objects == {}


@pytest.mark.parametrize(
    "body",
    [
        b"<Code>" + b" " * 65_536,
        b"<Code>" * 10_000,
        b"<Code>" + b" x" * 30_000,
        b"<html><title>" + b" " * 65_536,
        b"<html>" + b"<title" * 10_000,
        b" " * 4_000_000,
    ],
    ids=["spaces", "tags", "words", "title", "titles", "blank"],
)
def test_hostile_response_is_read_in_linear_time(body: bytes) -> None:
    """Most of these once took longer than a test may."""
    assert StoreError.parse(403, body).code == ""


def test_long_response_is_cut_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    error = StorageUnavailable()
    error.__cause__ = RuntimeError("x" * 1_000_000)
    problem_response(error)
    assert len(caplog.text) < 2_000
