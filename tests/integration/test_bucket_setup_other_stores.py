"""Setting up buckets of stores that support less, fail, or have other addresses."""

import asyncio
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from xml.etree.ElementTree import fromstring

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from pydantic import SecretStr

from safelight.cli.store.bucket import configure
from safelight.errors import SettingsError
from safelight.settings import S3Settings, Settings
from safelight.signing.credentials import StaticCredentials
from safelight.signing.sigv4 import Credentials
from safelight.storage import BucketConfig, SetupOutcome, SetupStep, bucket_exists, configure_bucket
from safelight.storage.s3_api import BucketAPI
from safelight.storage.setup import trials
from support.aws import serve

KEYS = Credentials(access_key="AKIDEXAMPLE", secret_key="a-secret")
LISTING = b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>'


def _error(code: str) -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode()


class Store(BaseHTTPRequestHandler):
    """Answers each call about the bucket with the next of its `answers`; the last one repeats.

    It keeps what it accepts.
    """

    answers: dict[str, list[tuple[int, bytes]]]
    requests: list[tuple[str, str, bytes]]

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.requests.append((self.command, self.path, body))
        subresource = self.path.partition("?")[2]
        left = self.answers.get(f"{self.command} {subresource}") or self.answers[self.command]
        status, content = left.pop(0) if len(left) > 1 else left[0]
        if self.command == "PUT" and body and status == 200:
            self.answers[f"GET {subresource}"] = [(200, body)]
        self.send_response(status)
        if status in {301, 307}:
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_HEAD = do_OPTIONS = do_DELETE = answer  # noqa: N815  the base class's names

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "_PAUSES", ())


@pytest.fixture
def store() -> type[Store]:
    """A store without configuration that accepts every change."""

    class Fresh(Store):
        answers = {  # noqa: RUF012  for one test only
            "GET lifecycle": [(404, _error("NoSuchLifecycleConfiguration"))],
            "GET cors": [(404, _error("NoSuchCORSConfiguration"))],
            "GET publicAccessBlock": [(404, _error("NoSuchPublicAccessBlockConfiguration"))],
            "GET": [(200, LISTING)],
            "PUT": [(200, b"")],
            "OPTIONS": [(403, _error("AccessForbidden"))],
            "DELETE": [(204, b"")],
        }
        requests = []  # noqa: RUF012

    return Fresh


def _set_up(store: type[Store]) -> dict[str, SetupStep]:
    with serve(store) as url:
        access = BucketConfig(endpoint_url=url, bucket="pictures", region="auto")
        steps = asyncio.run(configure_bucket(access, KEYS, origins=["https://a.example"]))
    return {step.title: step for step in steps}


def _bodies_put(store: type[Store], subresource: str) -> list[bytes]:
    return [body for call, path, body in store.requests if (call, path) == ("PUT", subresource)]


def test_all_rules_are_written(store: type[Store]) -> None:
    assert {step.outcome for step in _set_up(store).values()} == {SetupOutcome.DONE}
    (block,) = _bodies_put(store, "/pictures?publicAccessBlock")
    flags = fromstring(block)
    assert len(flags) == 4
    assert {each.text for each in flags} == {"true"}


@pytest.mark.parametrize(
    "answer",
    [
        (501, _error("NotImplemented")),
        (405, _error("MethodNotAllowed")),
        (405, b""),
        (400, _error("NotImplemented")),
        (404, b"not found"),
        (200, LISTING),
        (200, b"not even XML"),
    ],
    ids=str,
)
def test_unsupported_rule_is_not_written(store: type[Store], answer: tuple[int, bytes]) -> None:
    """A store may take a PUT with an unknown subresource as a request to create the bucket."""
    store.answers["GET publicAccessBlock"] = [answer]
    steps = _set_up(store)
    assert steps["Public access"].outcome is SetupOutcome.UNSUPPORTED
    assert steps["CORS"].outcome is steps["Lifecycle"].outcome is SetupOutcome.DONE
    assert not _bodies_put(store, "/pictures?publicAccessBlock")


def test_refused_rule_is_reported(store: type[Store]) -> None:
    store.answers["PUT cors"] = [(403, _error("AccessDenied"))]
    store.answers["PUT publicAccessBlock"] = [(501, _error("NotImplemented"))]
    store.answers["PUT lifecycle"] = [(400, _error("InvalidRequest"))]
    steps = _set_up(store)
    assert (steps["CORS"].outcome, steps["CORS"].code) == (SetupOutcome.REFUSED, "AccessDenied")
    assert steps["Public access"].outcome is SetupOutcome.UNSUPPORTED
    assert (steps["Lifecycle"].outcome, steps["Lifecycle"].code) == (
        SetupOutcome.REFUSED,
        "InvalidRequest",
    )


def test_unreadable_rules_are_not_replaced(store: type[Store]) -> None:
    store.answers["GET lifecycle"] = [(403, _error("AccessDenied"))]
    assert _set_up(store)["Lifecycle"].outcome is SetupOutcome.REFUSED
    assert not _bodies_put(store, "/pictures?lifecycle")


@pytest.mark.parametrize("status", [500, 503])
def test_transient_error_is_retried(store: type[Store], status: int) -> None:
    store.answers["GET cors"].insert(0, (status, _error("SlowDown")))
    assert _set_up(store)["CORS"].outcome is SetupOutcome.DONE


def test_redirect_is_not_followed(store: type[Store]) -> None:
    store.answers["GET cors"] = [(301, _error("PermanentRedirect"))]
    step = _set_up(store)["CORS"]
    assert (step.outcome, step.code) == (SetupOutcome.REFUSED, "PermanentRedirect")


def test_missing_bucket_is_an_error(store: type[Store]) -> None:
    store.answers["GET lifecycle"] = store.answers["GET cors"] = [(404, _error("NoSuchBucket"))]
    with pytest.raises(SettingsError, match="bucket 'pictures' does not exist"):
        _set_up(store)
    with serve(store) as url:
        config = BucketConfig(endpoint_url=url, bucket="pictures", region="auto")
        assert not asyncio.run(bucket_exists(config, KEYS))


def test_unreachable_store_is_an_error() -> None:
    away = BucketConfig(endpoint_url="http://127.0.0.1:9", bucket="pictures", region="auto")
    with pytest.raises(SettingsError, match="does not answer"):
        asyncio.run(configure_bucket(away, KEYS, origins=[]))


@pytest.mark.parametrize("body", [b"", b"<Some>document</Some>"])
@pytest.mark.parametrize("virtual", [False, True])
@pytest.mark.parametrize("token", [None, "a/session+token=="])
def test_a_call_is_signed_as_botocore_signs_it(
    body: bytes, token: str | None, *, virtual: bool
) -> None:
    access = BucketConfig(
        endpoint_url="https://s3.eu-central-1.example:8443",
        bucket="pictures",
        region="eu-central-1",
        virtual_hosted=virtual,
    )
    keys = Credentials(access_key="AKID", secret_key="secret", session_token=token)
    api = BucketAPI(access, StaticCredentials(keys), timeout=timedelta(seconds=1))
    request = api.sign("PUT" if body else "GET", {"lifecycle": ""}, body=body)
    host = "pictures.s3.eu-central-1.example:8443/" if virtual else access.endpoint_url[8:]
    path = "" if virtual else "/pictures"
    assert str(request.url) == f"https://{host}{path}?lifecycle"
    headers = dict(request.headers)
    headers.pop("content-length", None)
    authorization = headers.pop("authorization")
    assert headers.get("x-amz-security-token") == token
    theirs = AWSRequest(method=request.method, url=str(request.url), headers=headers, data=body)
    theirs.context["timestamp"] = headers["x-amz-date"]
    theirs.context["payload_signing_enabled"] = True
    signer = S3SigV4Auth(ReadOnlyCredentials("AKID", "secret", token), "s3", "eu-central-1")
    text = signer.string_to_sign(theirs, signer.canonical_request(theirs))
    assert authorization.endswith(f"Signature={signer.signature(text, theirs)}")
    assert authorization.startswith(
        f"AWS4-HMAC-SHA256 Credential={signer.scope(theirs)},SignedHeaders="
    )


def test_missing_bucket_is_created(store: type[Store], capsys: pytest.CaptureFixture[str]) -> None:
    store.answers["GET cors"].insert(0, (404, _error("NoSuchBucket")))
    store.answers["GET"] = [(404, _error("NoSuchBucket"))]
    with serve(store) as url:
        s3 = S3Settings(
            endpoint_url=url, bucket="pictures", access_key="AKID", secret_key=SecretStr("secret")
        )
        configure(Settings(s3=s3), dry_run=False)
    assert _bodies_put(store, "/pictures") == [b""]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Bucket: created pictures"
    assert len(lines) == 4


@pytest.mark.parametrize(("server", "notes"), [("SeaweedFS 30GB 4.31", 1), ("Store", 0)])
def test_outdated_store_is_noted(
    store: type[Store], server: str, notes: int, capsys: pytest.CaptureFixture[str]
) -> None:
    store.server_version, store.sys_version = server, ""
    store.answers["HEAD"] = [(403, b"")]
    with serve(store) as url:
        s3 = S3Settings(
            endpoint_url=url, bucket="pictures", access_key="AKID", secret_key=SecretStr("secret")
        )
        configure(Settings(s3=s3), dry_run=True)
    assert capsys.readouterr().err.count("update it to 4.35") == notes
