"""`safelight bucket setup` tries what it has configured."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydantic import SecretStr

from safelight.cli.store.bucket import configure
from safelight.settings import S3Settings, Settings
from safelight.storage import SetupTrial, s3_api, try_cors, try_privacy
from safelight.storage.setup import configure as setup_steps
from safelight.storage.setup import trials
from support.fake_store import (
    BUCKET,
    KEYS,
    FakeStore,
    Hook,
    StoreAnswer,
    StoreRequest,
    run_fake_store,
    store_error,
)

ORIGINS = ("https://a.example", "https://b.example")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_api, "_RETRY_PAUSES", ())
    for module in (trials, setup_steps):
        monkeypatch.setattr(module, "_PAUSES", (0.01, 0.01))


@pytest.fixture
def store() -> Iterator[FakeStore]:
    with run_fake_store() as running:
        yield running


def _allow(
    *origins: str,
    methods: str = "GET, PUT",
    headers: str = "content-type, x-amz-checksum-sha256",
    server: str = "",
) -> Hook:
    """Answer preflights; `*` among the origins answers `*`."""

    def hook(request: StoreRequest) -> StoreAnswer | None:
        if request.method != "OPTIONS":
            return None
        named = {"Server": server} if server else {}
        origin = "*" if "*" in origins else request.headers["origin"]
        if origin not in origins:
            return store_error(403, "AccessForbidden", "CORS is not allowed.")._replace(
                headers=named
            )
        return StoreAnswer(
            200,
            headers={
                "Access-Control-Allow-Origin": origin,
                "Access-Control-Allow-Methods": methods,
                "Access-Control-Allow-Headers": headers,
                **named,
            },
        )

    return hook


async def _try(store: FakeStore, *hooks: Hook, is_new: bool = False) -> SetupTrial:
    store.hooks = list(hooks)
    return await try_cors(store.config, KEYS, ORIGINS, is_new=is_new)


async def test_preflight_of_each_origin_is_sent_as_a_browser_does(store: FakeStore) -> None:
    trial = await _try(store, _allow(*ORIGINS))
    assert trial.works
    assert trial.text == "a preflight works for each origin"
    assert {each.headers["origin"] for each in store.requests} == set(ORIGINS)
    for request in store.requests:
        assert request.headers["access-control-request-method"] == "PUT"
        sent = request.headers["access-control-request-headers"]
        assert sent == "content-type,x-amz-checksum-sha256"


@pytest.mark.parametrize("allowed", ["*", "Content-Type,X-Amz-Checksum-Sha256"])
async def test_store_that_allows_any_origin_works(store: FakeStore, allowed: str) -> None:
    assert (await _try(store, _allow("*", methods="*", headers=allowed))).works


async def test_origin_that_fails_is_named(store: FakeStore) -> None:
    trial = await _try(store, _allow(ORIGINS[0]))
    assert not trial.works
    assert f"fails for {ORIGINS[1]} (AccessForbidden (403): CORS is not allowed.)" in trial.text
    assert ORIGINS[0] not in trial.text
    assert "can't upload straight to this store" in trial.text


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"methods": "GET"}, "PUT is not allowed"),
        ({"headers": "content-type"}, "x-amz-checksum-sha256 not allowed"),
    ],
)
async def test_incomplete_permission_is_named(
    store: FakeStore, changes: dict[str, str], reason: str
) -> None:
    trial = await _try(store, _allow(*ORIGINS, **changes))
    assert reason in trial.text


async def test_rule_that_takes_effect_late_is_tried_again(store: FakeStore) -> None:
    refused = iter([store_error(403, "AccessForbidden")] * 3)

    def hook(request: StoreRequest) -> StoreAnswer | None:
        return next(refused, None) if request.method == "OPTIONS" else None

    assert (await _try(store, hook, _allow(*ORIGINS), is_new=True)).works


async def test_minio_s_own_setting_is_named(store: FakeStore) -> None:
    trial = await _try(store, _allow(server="MinIO"))
    assert f"MINIO_API_CORS_ALLOW_ORIGIN={','.join(ORIGINS)}" in trial.text
    works = await _try(store, _allow("*", server="MinIO"))
    assert works.works
    assert "MINIO_API_CORS_ALLOW_ORIGIN" in works.text


async def test_unreachable_public_endpoint_is_named(store: FakeStore) -> None:
    config = replace(store.config, endpoint_url="http://store.invalid")
    trial = await try_cors(config, KEYS, ORIGINS)
    assert not trial.works
    assert "store.invalid" in trial.text


async def test_private_bucket_is_reported(store: FakeStore) -> None:
    trial = await try_privacy(store.config, KEYS)
    assert (trial.works, trial.text) == (True, "requests without a signature are refused")
    assert store.objects == {}


def _open(*, lists: bool) -> Hook:
    """Answer requests without a signature: those for a list, or those for an object."""

    def hook(request: StoreRequest) -> StoreAnswer | None:
        if request.method != "GET" or request.is_signed or lists is bool(request.key):
            return None
        return StoreAnswer(200, b"<ListBucketResult/>" if lists else b"probe")

    return hook


@pytest.mark.parametrize(("lists", "what"), [(True, "list the bucket"), (False, "read photos")])
async def test_public_bucket_is_reported(store: FakeStore, *, lists: bool, what: str) -> None:
    store.hooks = [_open(lists=lists)]
    trial = await try_privacy(store.config, KEYS)
    assert not trial.works
    assert f"anyone can {what}" in trial.text
    assert store.objects == {}


async def test_public_bucket_is_found_with_keys_that_cannot_write(store: FakeStore) -> None:
    """A missing object is a 404 for clients that may read, and a 403 for others."""

    def hook(request: StoreRequest) -> StoreAnswer | None:
        if request.method == "PUT":
            return store_error(403, "AccessDenied")
        is_open = request.method == "GET" and request.key and not request.is_signed
        return store_error(404, "NoSuchKey") if is_open else None

    store.hooks = [hook]
    assert "anyone can read photos" in (await try_privacy(store.config, KEYS)).text


def _without_configuration(request: StoreRequest) -> StoreAnswer | None:
    """Refuse CORS, lifecycle rules and public-access blocks, as a simple store does."""
    if request.query.keys() & {"cors", "lifecycle", "publicAccessBlock"}:
        return store_error(501, "NotImplemented")
    return None


def _configuring(request: StoreRequest) -> StoreAnswer | None:
    """Accept every configuration and keep none."""
    if not request.query.keys() & {"cors", "lifecycle", "publicAccessBlock"}:
        return None
    return StoreAnswer(200) if request.method == "PUT" else store_error(404, "NoSuchConfiguration")


def _set_up(store: FakeStore, *hooks: Hook, **s3: str) -> None:
    store.hooks = list(hooks)
    values = S3Settings(
        endpoint_url=store.url,
        bucket=BUCKET,
        access_key=KEYS.access_key,
        secret_key=SecretStr(KEYS.secret_key),
        **s3,  # type: ignore[arg-type]  # strings
    )
    configure(
        Settings(s3=values, origins=ORIGINS, allowed_hosts=("photos.example",)), dry_run=False
    )


def test_command_reports_what_works_although_nothing_can_be_configured(
    store: FakeStore, capsys: pytest.CaptureFixture[str]
) -> None:
    _set_up(store, _without_configuration, _allow("*", server="MinIO"))
    lifecycle, cors, public = capsys.readouterr().out.splitlines()[:3]
    unsupported = "not supported by the store (NotImplemented)"
    assert lifecycle == f"Lifecycle: {unsupported}; only Safelight deletes abandoned uploads"
    assert cors.startswith(f"CORS: {unsupported}; a preflight works for each origin (MinIO")
    assert public == f"Public access: {unsupported}; requests without a signature are refused"


def test_command_reports_what_the_store_accepts_but_does_not_keep(
    store: FakeStore, capsys: pytest.CaptureFixture[str]
) -> None:
    _set_up(store, _configuring, _allow())
    lifecycle, cors, _ = capsys.readouterr().out.splitlines()
    assert "accepted, but not kept by the store" in lifecycle
    assert "accepted, but not kept by the store; a preflight fails for" in cors


def test_preflights_go_to_the_public_endpoint(
    store: FakeStore, capsys: pytest.CaptureFixture[str]
) -> None:
    with run_fake_store(_allow("*")) as public:
        _set_up(store, _without_configuration, public_endpoint_url=public.url)
        assert public.count("OPTIONS") > 2
    assert store.count("OPTIONS") == 0
    assert "a preflight works for each origin" in capsys.readouterr().out
