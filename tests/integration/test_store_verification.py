"""The checks of a store at the start: what each mistake says, and what to do about it."""

import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from safelight.engines.seaweedfs.certificates import make_certificates
from safelight.errors import SettingsError
from safelight.http_clients import read_authorities
from safelight.settings import S3Settings
from safelight.storage import (
    Bucket,
    BucketConfig,
    CheckOutcome,
    ProbeReport,
    StoreFeatures,
    StoreProbe,
    s3_api,
    verify_store,
    verify_transfers,
)
from safelight.storage.probe import connection
from support.fake_store import (
    CREDENTIALS,
    FakeStore,
    Hook,
    StoreAnswer,
    StoreRequest,
    run_fake_store,
    store_error,
)

TIMEOUT = timedelta(seconds=30)
PAGE = b"<!DOCTYPE html><html><head><title>MinIO Console</title></head></html>"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_pauses_and_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_api, "_RETRY_PAUSES", ())
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def store() -> Iterator[FakeStore]:
    with run_fake_store() as running:
        yield running


async def _prove(config: BucketConfig, *, allow_public: bool = False) -> StoreFeatures:
    s3 = S3Settings(endpoint_url=config.endpoint_url, timeout=TIMEOUT, allow_public=allow_public)
    return await verify_store(s3, config, CREDENTIALS)


async def _message(config: BucketConfig) -> str:
    """Return the line with which the start ends."""
    with pytest.raises(SettingsError) as caught:
        await _prove(config)
    message = str(caught.value)
    assert "\n" not in message
    assert "a-secret" not in message
    return message


async def _probe(
    store: FakeStore, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> ProbeReport:
    return await StoreProbe(store.config, CREDENTIALS, timeout=TIMEOUT, clock=clock).run()


def _refuse(answer: StoreAnswer, *, method: str = "", key: bool = False, header: str = "") -> Hook:
    """Answer requests of a method, about an object, or with a header, with this response."""

    def hook(request: StoreRequest) -> StoreAnswer | None:
        matches = (not method or request.method == method) and (not key or request.key)
        return answer if matches and (not header or header in request.headers) else None

    return hook


async def test_good_store_passes_every_check_and_keeps_nothing(store: FakeStore) -> None:
    report = await _probe(store)
    assert [each.check for each in report.results] == [
        *("address", "region", "keys", "bucket", "list", "clock", "write", "checksums"),
        *("conditional writes", "read", "head", "range", "private", "delete"),
    ]
    assert {each.outcome for each in report.results} == {CheckOutcome.OK}
    assert report.failure is None
    assert store.objects == {}


async def test_object_is_written_as_photos_are(store: FakeStore) -> None:
    await _probe(store)
    written = next(each for each in store.requests if each.method == "PUT")
    assert written.key.startswith("photos/-/probe-")
    assert written.headers["if-none-match"] == "*"
    assert written.headers["content-type"] == "image/jpeg"
    assert written.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert written.headers["x-amz-checksum-sha256"]


async def test_object_of_a_killed_start_is_deleted(store: FakeStore) -> None:
    store.objects = {"photos/-/probe-1": b"x", "photos/-/readiness": b"x", "photos/x": b"x"}
    await _probe(store)
    assert store.objects.keys() == {"photos/-/readiness", "photos/x"}


async def test_missing_bucket_is_created(store: FakeStore) -> None:
    store.has_bucket = False
    await _prove(store.config)
    assert store.has_bucket


async def test_missing_bucket_that_cannot_be_created_is_named(store: FakeStore) -> None:
    store.has_bucket = False
    refusal = store_error(403, "AccessDenied", "You can't do that.")
    store.hooks = [lambda request: refusal if request.method == "PUT" and not request.key else None]
    message = await _message(store.config)
    assert "The bucket 'pictures' does not exist and can't be created" in message
    assert "SAFELIGHT_S3__BUCKET" in message
    assert message.endswith("AccessDenied (403): You can't do that.")


AWS_REGION = store_error(
    400,
    "AuthorizationHeaderMalformed",
    "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'",
    "<Region>eu-west-1</Region>",
)
REDIRECT = store_error(
    301,
    "PermanentRedirect",
    "The bucket must be addressed using the specified endpoint.",
    "<Endpoint>pictures.s3.eu-west-1.amazonaws.com</Endpoint>",
    x_amz_bucket_region="eu-west-1",
)
REGION_ONLY_IN_MESSAGE = store_error(
    400, "AuthorizationHeaderMalformed", "region is wrong; expecting 'eu-west-1'"
)


@pytest.mark.parametrize("answer", [AWS_REGION, REDIRECT, REGION_ONLY_IN_MESSAGE], ids=["", "", ""])
async def test_wrong_region_names_the_right_one(store: FakeStore, answer: StoreAnswer) -> None:
    store.hooks = [_refuse(answer)]
    message = await _message(store.config)
    assert "The region 'us-east-1' is wrong" in message
    assert "SAFELIGHT_S3__REGION=eu-west-1" in message
    if answer is REDIRECT:
        assert "SAFELIGHT_S3__ENDPOINT_URL=https://s3.eu-west-1.amazonaws.com" in message


async def test_wrong_region_without_a_name_shows_the_store_s_words(store: FakeStore) -> None:
    text = "The region name 'us-east-1' is not valid. Must be one of: wnam, enam, auto"
    store.hooks = [_refuse(store_error(400, "InvalidRegionName", text))]
    message = await _message(store.config)
    assert "The region 'us-east-1' is wrong" in message
    assert text in message


@pytest.mark.parametrize(
    ("minutes", "text"),
    [(20, "20 minutes ahead of"), (-20, "20 minutes behind"), (300, "5 hours ahead of")],
)
async def test_wrong_clock_is_measured(store: FakeStore, minutes: int, text: str) -> None:
    store.hooks = [_refuse(store_error(403, "RequestTimeTooSkewed", "Too large a difference."))]
    report = await _probe(store, lambda: datetime.now(UTC) + timedelta(minutes=minutes))
    assert report.failure
    assert report.failure.check == "clock"
    assert f"This machine's clock is {text} the store's" in report.failure.message
    assert "NTP" in report.failure.message


async def test_wrong_clock_is_found_behind_another_refusal(store: FakeStore) -> None:
    store.hooks = [_refuse(store_error(403, "AccessDenied", "Request has expired"))]
    report = await _probe(store, lambda: datetime.now(UTC) - timedelta(minutes=20))
    assert report.failure
    assert "20 minutes behind" in report.failure.message


async def test_wrong_clock_of_a_tolerant_store_is_a_warning(store: FakeStore) -> None:
    report = await _probe(store, lambda: datetime.now(UTC) + timedelta(minutes=3))
    assert report.failure is None
    assert report.outcome("clock") is CheckOutcome.WARNING


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("InvalidAccessKeyId", "it doesn't know the access key"),
        ("SignatureDoesNotMatch", "the secret key doesn't belong to the access key"),
        ("ExpiredToken", "the session token has expired"),
    ],
)
async def test_wrong_keys_are_named(store: FakeStore, code: str, cause: str) -> None:
    store.hooks = [_refuse(store_error(403, code, "The store's own words."))]
    message = await _message(store.config)
    assert f"rejects the keys ({code})" in message
    assert cause in message
    assert "SAFELIGHT_S3__ACCESS_KEY and SAFELIGHT_S3__SECRET_KEY" in message
    assert "The store's own words." in message


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (500, "InternalError", "fails to list the bucket (InternalError); its log may say more."),
        (400, "EntityTooNew", "refuses to list the bucket (EntityTooNew)."),
    ],
)
async def test_other_errors_are_quoted_once(
    store: FakeStore, status: int, code: str, words: str
) -> None:
    store.hooks = [_refuse(store_error(status, code, "The store's own words."), method="GET")]
    message = await _message(store.config)
    assert f"The store {words}" in message
    assert message.count("The store's own words.") == 1


DENIED = store_error(403, "AccessDenied", "The store's own words.")


@pytest.mark.parametrize(
    ("hook", "action", "permission"),
    [
        (_refuse(DENIED, method="GET"), "list the bucket", "s3:ListBucket"),
        (_refuse(DENIED, method="PUT"), "write to the bucket", "s3:PutObject"),
        (_refuse(DENIED, method="GET", key=True), "read objects", "s3:GetObject"),
        (_refuse(DENIED, method="DELETE"), "delete objects", "s3:DeleteObject"),
    ],
    ids=["list", "write", "read", "delete"],
)
async def test_missing_permission_is_named(
    store: FakeStore, hook: Hook, action: str, permission: str
) -> None:
    store.hooks = [hook]
    message = await _message(store.config)
    assert f"doesn't let these keys {action} (AccessDenied)" in message
    assert f"allow them {permission}" in message
    assert "--print-policy" in message
    assert "The store's own words." in message


async def test_full_store_shows_its_own_words(store: FakeStore) -> None:
    full = store_error(507, "XMinioStorageFull", "Storage backend has reached its limit.")
    store.hooks = [_refuse(full, method="PUT")]
    message = await _message(store.config)
    assert "fails to write to the bucket (XMinioStorageFull)" in message
    assert "Storage backend has reached its limit." in message


@pytest.mark.parametrize("status", [200, 403, 404])
async def test_web_page_is_not_a_store(store: FakeStore, status: int) -> None:
    store.hooks = [_refuse(StoreAnswer(status, PAGE))]
    message = await _message(store.config)
    assert "is not an S3 store" in message
    assert "“MinIO Console”" in message
    assert "SAFELIGHT_S3__ENDPOINT_URL" in message


@pytest.mark.parametrize(
    "answer", [StoreAnswer(404, b'{"detail":"Not Found"}'), StoreAnswer(200, b"ok")], ids=str
)
async def test_other_http_server_is_not_a_store(store: FakeStore, answer: StoreAnswer) -> None:
    store.hooks = [_refuse(answer)]
    message = await _message(store.config)
    assert "does not answer as an S3 store" in message
    assert "SAFELIGHT_S3__ENDPOINT_URL" in message


async def test_redirect_is_named(store: FakeStore) -> None:
    moved = StoreAnswer(308, headers={"Location": "https://store.example/pictures?list-type=2"})
    store.hooks = [_refuse(moved)]
    assert "redirects to https://store.example," in await _message(store.config)


async def test_closed_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    config = BucketConfig(
        endpoint_url=f"http://127.0.0.1:{port}", bucket="pictures", region="us-east-1"
    )
    message = await _message(config)
    assert f"http://127.0.0.1:{port} does not answer (connection refused)" in message
    assert "correct the port in SAFELIGHT_S3__ENDPOINT_URL" in message


NAMED = BucketConfig(endpoint_url="http://store.invalid", bucket="pictures", region="us-east-1")


async def test_unknown_host_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    config = NAMED
    message = await _message(config)
    assert "The host name store.invalid of the store can't be resolved (Name or service" in message
    virtual = await _message(replace(config, virtual_hosted=True))
    assert "The host name pictures.store.invalid" in virtual
    assert "SAFELIGHT_S3__ADDRESSING_STYLE=path" in virtual


def test_silent_name_service_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its silence looks like that of the store."""
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait())
    monkeypatch.setattr(connection, "_NAME_TIMEOUT", 0.1)
    timeout = httpx.ConnectTimeout("")
    explained = connection.explain_connection(timeout, NAMED, "store.invalid")
    assert "can't be resolved (no answer from the name service)" in explained.message
    answered.set()
    for host in ("store.invalid", "127.0.0.1:9", "[::1]:9"):
        explained = connection.explain_connection(timeout, NAMED, host)
        assert "does not answer (timeout)" in explained.message


async def test_silent_server_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # accepts, and never answers
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        config = BucketConfig(endpoint_url=url, bucket="pictures", region="us-east-1")
        s3 = S3Settings(endpoint_url=url, timeout=timedelta(seconds=0.2))
        with pytest.raises(SettingsError, match=r"does not answer \(timeout\)"):
            await verify_store(s3, config, CREDENTIALS)


@contextmanager
def _run_tls_store(folder: Path, *, now: datetime | None = None) -> Iterator[FakeStore]:
    """Run a store with a certificate of a private authority, which is in `folder`/ca.crt."""
    for name, content in make_certificates([], now=now or datetime.now(UTC)).items():
        (folder / name).write_bytes(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "https.crt", folder / "https.key")
    with run_fake_store(tls=context) as store:
        yield store


async def test_private_certificate_names_the_setting(tmp_path: Path) -> None:
    with _run_tls_store(tmp_path) as store:
        message = await _message(store.config)
    assert "The certificate of the store" in message
    assert "is not trusted" in message
    assert "SAFELIGHT_CA_FILE" in message


async def test_private_certificate_is_accepted_once_its_authority_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _run_tls_store(tmp_path) as store:
        authorities = read_authorities(tmp_path / "ca.crt")
        assert await _prove(replace(store.config, authorities=authorities))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
        assert await _prove(store.config)
        await verify_transfers(Bucket(store.config, CREDENTIALS, timeout=TIMEOUT), store.config)


async def test_certificate_for_another_name_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _run_tls_store(tmp_path) as store:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
        config = replace(store.config, endpoint_url=store.url.replace("127.0.0.1", "localhost"))
        assert "is for another host name" in await _message(config)


async def test_expired_certificate_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _run_tls_store(tmp_path, now=datetime(2010, 1, 1, tzinfo=UTC)) as store:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
        message = await _message(store.config)
    assert "is not valid now" in message
    assert "expired" in message


async def test_http_to_a_port_for_tls_is_named(tmp_path: Path) -> None:
    with _run_tls_store(tmp_path) as store:
        config = replace(store.config, endpoint_url=store.url.replace("https:", "http:"))
        message = await _message(config)
    assert "expects TLS" in message
    assert f"write {store.url} in SAFELIGHT_S3__ENDPOINT_URL" in message


async def test_http_to_a_port_for_tls_is_named_by_a_proxy_s_page(store: FakeStore) -> None:
    page = b"<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></html>"
    store.hooks = [_refuse(StoreAnswer(400, page))]
    assert "expects TLS" in await _message(store.config)


async def test_https_to_a_port_without_tls_is_named(store: FakeStore) -> None:
    config = replace(store.config, endpoint_url=store.url.replace("http:", "https:"))
    message = await _message(config)
    assert "doesn't speak TLS" in message
    assert f"write {store.url} in SAFELIGHT_S3__ENDPOINT_URL" in message


async def test_dead_proxy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://user:hush-hush@127.0.0.1:1")
    config = BucketConfig(endpoint_url="http://store.lan", bucket="pictures", region="us-east-1")
    message = await _message(config)
    assert "through the proxy http://127.0.0.1:1 (connection refused)" in message
    assert "add store.lan to NO_PROXY" in message
    assert "hush-hush" not in message


async def test_malformed_proxy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://user:hush-hush@127.0.0.1:9x")
    message = await _message(BucketConfig(endpoint_url="http://s.lan", bucket="bucket", region="r"))
    assert "through the proxy http://127.0.0.1:9x (Invalid port: '9x')" in message
    assert "hush-hush" not in message


@pytest.mark.parametrize("scheme", ["ftp", "socks5"])
async def test_unsupported_proxy_is_named(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"{scheme}://user:hush-hush@127.0.0.1:1")
    config = BucketConfig(endpoint_url="http://store.lan", bucket="pictures", region="us-east-1")
    message = await _message(config)
    assert f"through the proxy {scheme}://127.0.0.1:1" in message
    assert "hush-hush" not in message


@pytest.mark.parametrize("content", [None, "not a certificate"])
async def test_unreadable_certificates_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    file = tmp_path / "authority.pem"
    if content:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    config = BucketConfig(endpoint_url="https://store.lan", bucket="pictures", region="us-east-1")
    message = await _message(config)
    assert f"The certificates in {file} can't be read" in message
    assert "correct SSL_CERT_FILE" in message


async def test_lost_response_to_the_write_is_not_a_failure(store: FakeStore) -> None:
    answers = iter([store_error(412, "PreconditionFailed")])

    def lose(request: StoreRequest) -> StoreAnswer | None:
        if request.method != "PUT" or request.key in store.objects:
            return None
        store.objects[request.key] = request.body
        return next(answers, None)

    store.hooks = [lose]
    assert (await _probe(store)).failure is None


async def test_page_of_a_proxy_is_named(store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.hooks = [_refuse(StoreAnswer(403, b"<html><title>Blocked</title></html>"))]
    monkeypatch.setenv("HTTP_PROXY", store.url)
    config = replace(store.config, endpoint_url="http://store.lan")
    message = await _message(config)
    assert f"The proxy {store.url} gave a response (403, a web page “Blocked”)" in message


def _open_to_anyone(*, forged: bool = False) -> Hook:
    """Answer reads without a signature, or only those with a wrong one, as a public bucket."""

    def hook(request: StoreRequest) -> StoreAnswer | None:
        if request.method != "GET" or not request.key:
            return None
        is_forged = request.query.get("X-Amz-Signature", "")[-4:] in {"0000", "1111"}
        is_open = is_forged if forged else not request.is_signed
        return StoreAnswer(200, b"for anyone") if is_open else None

    return hook


@pytest.mark.parametrize("forged", [False, True])
async def test_public_bucket_stops_the_start(store: FakeStore, *, forged: bool) -> None:
    store.hooks = [_open_to_anyone(forged=forged)]
    message = await _message(store.config)
    assert "The bucket 'pictures' is public" in message
    assert ("with a wrong signature" if forged else "without a signature") in message
    assert "SAFELIGHT_S3__ALLOW_PUBLIC=true" in message
    assert store.objects == {}


async def test_public_bucket_can_be_accepted_with_a_warning(
    store: FakeStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.hooks = [_open_to_anyone()]
    await _prove(store.config, allow_public=True)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "is public" in record.message


@pytest.mark.parametrize(
    ("status", "headers", "missing"),
    [
        (501, ["if-none-match"], {"conditional_writes"}),
        (400, ["x-amz-checksum-sha256"], {"checksums"}),
        (400, ["if-none-match", "x-amz-checksum-sha256"], {"conditional_writes", "checksums"}),
    ],
)
async def test_refused_headers_are_omitted_with_a_warning(
    store: FakeStore,
    caplog: pytest.LogCaptureFixture,
    status: int,
    headers: list[str],
    missing: set[str],
) -> None:
    refusal = store_error(status, "InvalidArgument", "Unsupported header.")
    store.hooks = [_refuse(refusal, header=header) for header in headers]
    features = await _prove(store.config)
    assert features == StoreFeatures(**dict.fromkeys(missing, False))
    warnings = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert len(warnings) == len(missing)
    assert all("Unsupported header." in each.message for each in warnings)


async def test_ignored_condition_and_range_are_notes(store: FakeStore) -> None:
    def hook(request: StoreRequest) -> StoreAnswer | None:
        request.headers.pop("if-none-match", None)
        request.headers.pop("range", None)
        return None

    store.hooks = [hook]
    report = await _probe(store)
    assert report.failure is None
    assert report.outcome("conditional writes") is CheckOutcome.NOTE
    assert report.outcome("range") is CheckOutcome.NOTE


async def test_other_bytes_than_were_written_are_a_failure(store: FakeStore) -> None:
    store.hooks = [
        lambda request: (
            StoreAnswer(200, b"other") if request.method == "GET" and request.is_presigned else None
        )
    ]
    assert "other bytes than were written" in await _message(store.config)


BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "0123456789">%s]>
<ListBucketResult><Contents><Key>&j;</Key></Contents></ListBucketResult>""" % b"".join(
    b'<!ENTITY %c "%s">' % (name, b"&%c;" % (name - 1) * 10) for name in b"bcdefghij"
)


@pytest.mark.parametrize(
    "answer",
    [
        store_error(403, "Access\x1b[2JDenied", "\x07" + "Look! " * 200_000),
        store_error(403, "AccessDenied&#27;[2J&#x202e;", "&#10;failure database"),
        store_error(400, "AuthorizationHeaderMalformed", "", "<Region>eu; rm -rf ~</Region>"),
        store_error(301, "PermanentRedirect", "", "<Endpoint>evil.example/?a b</Endpoint>"),
        store_error(301, "", "", location="http://" + "a" * 20_000),
        store_error(301, "", "", location="http://[::1"),
        StoreAnswer(200, BOMB),
        StoreAnswer(200, b"<a>" * 200_000),
        StoreAnswer(403, b"<html><title>\x1b]0;" + b"t" * 5_000 + b"</title>"),
    ],
    ids=[
        "escapes",
        "entities",
        "region",
        "endpoint",
        "redirect",
        "no address",
        "bomb",
        "depth",
        "title",
    ],
)
async def test_hostile_response_becomes_one_short_line(
    store: FakeStore, answer: StoreAnswer
) -> None:
    store.hooks = [_refuse(answer)]
    message = await _message(store.config)
    assert message.isprintable()
    assert len(message) < 1_200
    for part in ("rm -rf", "https://evil"):
        assert f"={part}" not in message
    assert "SAFELIGHT_S3__REGION=eu;" not in message


@pytest.mark.parametrize("modified", ["", "yesterday", "2020-01-01T00:00:00", "0000-00-00"])
async def test_list_with_a_malformed_date_is_read(store: FakeStore, modified: str) -> None:
    listing = (
        "<ListBucketResult><Contents><Key>photos/-/probe-1</Key>"
        f"<LastModified>{modified}</LastModified></Contents></ListBucketResult>"
    )
    store.hooks = [
        lambda each: StoreAnswer(200, listing.encode()) if "list-type" in each.query else None
    ]
    report = await _probe(store)
    assert report.failure is None
    assert store.count("DELETE") == 1
