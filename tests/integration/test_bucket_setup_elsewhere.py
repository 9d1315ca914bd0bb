"""Buckets of stores that know less, fail now and then, or are reached in other ways."""

from http.server import BaseHTTPRequestHandler
from xml.etree.ElementTree import fromstring

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from pydantic import SecretStr

from integration.aws import served
from safelight.cli.bucket_setup import setup
from safelight.errors import SettingsError
from safelight.settings import S3Settings, Settings
from safelight.sigv4 import Credentials
from safelight.storage import Access, Outcome, Step, is_there, set_up
from safelight.storage.calls import BucketCalls

KEYS = Credentials(access_key="AKIDEXAMPLE", secret_key="a-secret")
LISTING = b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>'


def _error(code: str) -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode()


class Store(BaseHTTPRequestHandler):
    """Answers each call about the bucket with the next of its `answers`; the last one stays."""

    answers: dict[str, list[tuple[int, bytes]]]
    asked: list[tuple[str, str, bytes]]

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.asked.append((self.command, self.path, body))
        subresource = self.path.partition("?")[2]
        left = self.answers.get(f"{self.command} {subresource}") or self.answers[self.command]
        status, said = left.pop(0) if len(left) > 1 else left[0]
        self.send_response(status)
        if status in {301, 307}:
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_PUT = answer  # noqa: N815  the base class's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def store() -> type[Store]:
    """A store that was told nothing yet, and takes all that it is told."""

    class Fresh(Store):
        answers = {  # noqa: RUF012  of this test alone
            "GET lifecycle": [(404, _error("NoSuchLifecycleConfiguration"))],
            "GET cors": [(404, _error("NoSuchCORSConfiguration"))],
            "GET publicAccessBlock": [(404, _error("NoSuchPublicAccessBlockConfiguration"))],
            "PUT": [(200, b"")],
        }
        asked = []  # noqa: RUF012

    return Fresh


def _set_up(store: type[Store]) -> dict[str, Step]:
    with served(store) as url:
        access = Access(endpoint_url=url, bucket="pictures", region="auto")
        steps = set_up(access, KEYS, origins=["https://a.example"])
    return {step.title: step for step in steps}


def _was_put(store: type[Store], subresource: str) -> list[bytes]:
    return [body for call, path, body in store.asked if (call, path) == ("PUT", subresource)]


def test_a_store_that_knows_all_is_told_all(store: type[Store]) -> None:
    assert {step.outcome for step in _set_up(store).values()} == {Outcome.DONE}
    (block,) = _was_put(store, "/pictures?publicAccessBlock")
    said = fromstring(block)
    assert len(said) == 4
    assert {each.text for each in said} == {"true"}


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
def test_what_a_store_does_not_know_it_is_not_told(
    store: type[Store], answer: tuple[int, bytes]
) -> None:
    """A PUT with a subresource that means nothing to a store would ask it to make the bucket."""
    store.answers["GET publicAccessBlock"] = [answer]
    steps = _set_up(store)
    assert steps["Public access"].outcome is Outcome.UNKNOWN
    assert steps["CORS"].outcome is steps["Lifecycle"].outcome is Outcome.DONE
    assert not _was_put(store, "/pictures?publicAccessBlock")


def test_what_cannot_be_written_is_told(store: type[Store]) -> None:
    store.answers["PUT cors"] = [(403, _error("AccessDenied"))]
    store.answers["PUT publicAccessBlock"] = [(501, _error("NotImplemented"))]
    store.answers["PUT lifecycle"] = [(400, _error("InvalidRequest"))]
    steps = _set_up(store)
    assert (steps["CORS"].outcome, steps["CORS"].code) == (Outcome.REFUSED, "AccessDenied")
    assert steps["Public access"].outcome is Outcome.UNKNOWN
    assert (steps["Lifecycle"].outcome, steps["Lifecycle"].code) == (
        Outcome.REFUSED,
        "InvalidRequest",
    )


def test_rules_that_may_not_be_read_are_not_replaced(store: type[Store]) -> None:
    store.answers["GET lifecycle"] = [(403, _error("AccessDenied"))]
    assert _set_up(store)["Lifecycle"].outcome is Outcome.REFUSED
    assert not _was_put(store, "/pictures?lifecycle")


@pytest.mark.parametrize("status", [500, 503])
def test_a_store_that_stumbles_is_asked_again(store: type[Store], status: int) -> None:
    store.answers["GET cors"].insert(0, (status, _error("SlowDown")))
    assert _set_up(store)["CORS"].outcome is Outcome.DONE


def test_a_redirection_is_not_followed(store: type[Store]) -> None:
    store.answers["GET cors"] = [(301, _error("PermanentRedirect"))]
    step = _set_up(store)["CORS"]
    assert (step.outcome, step.code) == (Outcome.REFUSED, "PermanentRedirect")


def test_a_bucket_that_is_not_there_is_an_error(store: type[Store]) -> None:
    store.answers["GET lifecycle"] = store.answers["GET cors"] = [(404, _error("NoSuchBucket"))]
    with pytest.raises(SettingsError, match="no bucket 'pictures'"):
        _set_up(store)
    with served(store) as url:
        assert not is_there(Access(endpoint_url=url, bucket="pictures", region="auto"), KEYS)


def test_a_store_that_is_away_is_an_error() -> None:
    away = Access(endpoint_url="http://127.0.0.1:9", bucket="pictures", region="auto")
    with pytest.raises(SettingsError, match="does not answer"):
        set_up(away, KEYS, origins=[])


@pytest.mark.parametrize("body", [b"", b"<Some>document</Some>"])
@pytest.mark.parametrize("virtual", [False, True])
@pytest.mark.parametrize("token", [None, "a/session+token=="])
def test_a_call_is_signed_as_botocore_signs_it(
    body: bytes, token: str | None, *, virtual: bool
) -> None:
    access = Access(
        endpoint_url="https://s3.eu-central-1.example:8443",
        bucket="pictures",
        region="eu-central-1",
        virtual_hosted=virtual,
    )
    keys = Credentials(access_key="AKID", secret_key="secret", session_token=token)
    request = BucketCalls(access, keys)._request("PUT" if body else "GET", "lifecycle", body)
    host = "pictures.s3.eu-central-1.example:8443/" if virtual else access.endpoint_url[8:]
    path = "" if virtual else "/pictures"
    assert request.full_url == f"https://{host}{path}?lifecycle"
    headers = {name.lower(): value for name, value in request.header_items()}
    said = headers.pop("authorization")
    theirs = AWSRequest(
        method=request.get_method(), url=request.full_url, headers=headers, data=body
    )
    theirs.context["timestamp"] = headers["x-amz-date"]
    theirs.context["payload_signing_enabled"] = True
    signer = S3SigV4Auth(ReadOnlyCredentials("AKID", "secret", token), "s3", "eu-central-1")
    text = signer.string_to_sign(theirs, signer.canonical_request(theirs))
    assert said.endswith(f"Signature={signer.signature(text, theirs)}")
    assert said.startswith(f"AWS4-HMAC-SHA256 Credential={signer.scope(theirs)},SignedHeaders=")


def test_a_bucket_that_is_not_there_is_made(
    store: type[Store], capsys: pytest.CaptureFixture[str]
) -> None:
    store.answers["GET cors"].insert(0, (404, _error("NoSuchBucket")))
    store.answers["GET"] = [(404, _error("NoSuchBucket"))]
    with served(store) as url:
        s3 = S3Settings(
            endpoint_url=url, bucket="pictures", access_key="AKID", secret_key=SecretStr("secret")
        )
        setup(Settings(s3=s3), dry_run=False)
    assert _was_put(store, "/pictures") == [b""]
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "Bucket: made pictures"
    assert len(said) == 4
