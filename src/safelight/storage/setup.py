"""A bucket, told what Safelight wants of it: only what it wasn't told already, and all of it told.

Stores differ in what they know, so no step holds up the others: each has its own outcome.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from xml.etree.ElementTree import Element, ParseError, fromstring, tostring

from safelight.errors import SettingsError
from safelight.sigv4 import Credentials
from safelight.storage.access import Access
from safelight.storage.calls import Answer, BucketCalls
from safelight.storage.rules import Part, parts

_XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"
_UNKNOWN = {
    "NotImplemented",
    "MethodNotAllowed",
    "NotSupported",
    "UnsupportedOperation",
    "405",
    "501",
}
_WRONG_KEYS = {"InvalidAccessKeyId", "SignatureDoesNotMatch"}
_NO_BUCKET = "NoSuchBucket"
_NOT_FOUND = str(HTTPStatus.NOT_FOUND.value)


class Outcome(StrEnum):
    """What became of a step."""

    DONE = "done"
    WANTED = "would be done"
    THERE = "was so already"
    UNKNOWN = "the store doesn't know it"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that a bucket was to be told, and what became of it; `code` is the store's own."""

    title: str
    outcome: Outcome
    code: str = ""


def is_there(access: Access, credentials: Credentials) -> bool:
    """Whether there is such a bucket, as far as these keys are told. Raises as `set_up` does."""
    return BucketCalls(access, credentials).get("cors").code != _NO_BUCKET


def set_up(
    access: Access, credentials: Credentials, *, origins: Sequence[str], dry_run: bool = False
) -> list[Step]:
    """Tell the bucket which pages may call it, what to clear after a day, and to stay closed.

    Blocking; rules of others stay. With `dry_run` nothing is changed. Raises SettingsError if the
    store doesn't answer, doesn't take the keys, or has no such bucket.
    """
    calls = BucketCalls(access, credentials)
    return [_step(calls, access, part, dry_run=dry_run) for part in parts(origins)]


def _step(calls: BucketCalls, access: Access, part: Part, *, dry_run: bool) -> Step:
    answer = calls.get(part.subresource)
    _check(answer, access)
    before = _document(answer, part)
    if before is None:
        return _failed(part, answer)
    if not part.missing_in(before):
        return Step(title=part.title, outcome=Outcome.THERE)
    if dry_run:
        return Step(title=part.title, outcome=Outcome.WANTED)
    whole = part.added_to(before)
    whole.set("xmlns", _XMLNS)
    answer = calls.put(part.subresource, tostring(whole))
    if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
        return _failed(part, answer)
    return Step(title=part.title, outcome=Outcome.DONE)


def _document(answer: Answer, part: Part) -> Element | None:
    """Read what the bucket was told before; None if that can't be known.

    Nothing yet is a 404 of a code of its own. A store that knows no such subresource may list the
    bucket instead, and a PUT there would mean making it.
    """
    if answer.status == HTTPStatus.NOT_FOUND and answer.code.startswith("NoSuch"):
        return Element(part.root)
    try:
        document = fromstring(answer.body)  # noqa: S314  the answer of the operator's own store
    except ParseError:
        return None
    for each in document.iter():
        each.tag = each.tag.rpartition("}")[2]
    return document if document.tag == part.root else None


def _check(answer: Answer, access: Access) -> None:
    if answer.code in _WRONG_KEYS:
        raise SettingsError(
            f"The store at {access.endpoint_url} doesn't take the keys ({answer.code}): correct"
            " SAFELIGHT_S3__ACCESS_KEY and SAFELIGHT_S3__SECRET_KEY, or where the AWS chain has"
            " them from."
        )
    if answer.code == _NO_BUCKET:
        raise SettingsError(
            f"There is no bucket {access.bucket!r} at {access.endpoint_url}: make it, or correct"
            " SAFELIGHT_S3__BUCKET."
        )


def _failed(part: Part, answer: Answer) -> Step:
    knows_not = answer.status < HTTPStatus.MULTIPLE_CHOICES or answer.code in _UNKNOWN
    outcome = Outcome.UNKNOWN if knows_not or answer.code == _NOT_FOUND else Outcome.REFUSED
    return Step(title=part.title, outcome=outcome, code=answer.code)
