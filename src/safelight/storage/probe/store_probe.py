"""Check a store with one object: write, read and delete it as photos are, with and without keys.

The checks, in order: `address` (or `certificate`, or `proxy`), `region`, `keys`, `bucket`, `list`,
`clock`, `write`, `checksums`, `conditional writes`, `read`, `head`, `range`, `private`, `delete`.
"""

import base64
import hashlib
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final
from xml.etree import ElementTree as ET

from safelight.storage.features import WRITES_WITHOUT, StoreFeatures
from safelight.storage.objects import CACHE_CONTROL, PROBE_PREFIX
from safelight.storage.probe.calls import CheckFailed
from safelight.storage.probe.reading import ReadChecks
from safelight.storage.probe.refusals import MAX_SKEW, NO_BUCKET, explain_skew, measure_skew
from safelight.storage.probe.report import CheckOutcome, ProbeReport
from safelight.storage.s3_api import APIResponse

_ABANDONED_AFTER: Final = timedelta(hours=1)
"""Older objects were left by a process that was killed during its checks."""
_LIST_QUERY: Final = {"list-type": "2", "prefix": f"{PROBE_PREFIX}probe-", "max-keys": "100"}


class StoreProbe(ReadChecks):
    """Checks one bucket with one pair of keys."""

    _server = ""
    _is_bucket_missing = False

    async def run(self, *, allow_public: bool = False) -> ProbeReport:
        """Run all checks, up to the first failure that makes the others pointless.

        `allow_public` makes a public bucket a warning.
        """
        async with self._api:
            try:
                await self._check_access()
                await self._check_object(allow_public=allow_public)
            except CheckFailed:
                pass
        return ProbeReport(
            results=self._results,
            features=self._features,
            is_bucket_missing=self._is_bucket_missing,
            server=self._server,
        )

    async def _check_access(self) -> None:
        """Check everything that one list request depends on."""
        response = await self._request("GET", _LIST_QUERY)
        self._server = response.server
        self._skew = measure_skew(response, self._clock)
        keys = _abandoned(response, before=self._clock() - self._skew - _ABANDONED_AFTER)
        if keys is None:
            self._is_bucket_missing = response.code in NO_BUCKET
            await self._fail(response, "list the bucket", "s3:ListBucket")
        for check in ("address", "region", "keys", "bucket", "list"):
            self._add(check)
        if abs(self._skew) > MAX_SKEW:
            self._add("clock", CheckOutcome.WARNING, explain_skew(self._skew))
        else:
            self._add("clock")
        for key in keys or ():
            await self._request("DELETE", key=key)

    async def _check_object(self, *, allow_public: bool) -> None:
        await self._check_write()
        try:
            await self._check_conditional_write()
            await self._check_read()
            await self._check_range()
            await self._check_privacy(allow_public=allow_public)
        finally:
            await self._check_delete()

    async def _check_write(self) -> None:
        """Write the object as photos are written, or without the headers that the store refuses."""
        first = await self._write(self._features)
        if first.status == HTTPStatus.PRECONDITION_FAILED:
            pass  # an earlier attempt was stored, but its response was lost
        elif not first.is_success and first.error.may_refuse_header:
            for omitted in WRITES_WITHOUT:
                if not all(getattr(self._features, feature) for feature in omitted):
                    continue
                if (await self._write(self._features.without(*omitted))).is_success:
                    for feature in omitted:
                        self._features.disable(feature, first.error)
                    break
            else:
                await self._fail(first, "write to the bucket", "s3:PutObject")
        elif not first.is_success:
            await self._fail(first, "write to the bucket", "s3:PutObject")
        self._add("write")
        if self._features.checksums:
            self._add("checksums")
        else:
            self._add("checksums", CheckOutcome.NOTE, "Objects are written without a checksum.")

    async def _write(self, features: StoreFeatures) -> APIResponse:
        headers = {"content-type": "image/jpeg", "cache-control": CACHE_CONTROL}
        if features.conditional_writes:
            headers["if-none-match"] = "*"
        if features.checksums:
            digest = hashlib.sha256(self._body).digest()
            headers["x-amz-checksum-sha256"] = base64.b64encode(digest).decode()
        return await self._request("PUT", key=self._key, body=self._body, headers=headers)

    async def _check_conditional_write(self) -> None:
        """Write again: the store must refuse it, or it ignores If-None-Match."""
        if not self._features.conditional_writes:
            message = "Objects are written without If-None-Match."
            self._add("conditional writes", CheckOutcome.NOTE, message)
        elif (await self._write(self._features)).is_success:
            message = "The store ignores If-None-Match."
            self._add("conditional writes", CheckOutcome.NOTE, message)
        else:
            self._add("conditional writes")

    async def _check_privacy(self, *, allow_public: bool) -> None:
        """Read the object without a signature, and with a wrong one; both must be refused."""
        unsigned = await self._open_url(self._api.url(self._key))
        link = self._link()
        forged = f"{link[:-4]}{'0000' if link[-4:] != '0000' else '1111'}"
        wrong = await self._open_url(forged)
        if not (unsigned.is_success or wrong.is_success):
            self._add("private")
            return
        how = "without a signature" if unsigned.is_success else "with a wrong signature"
        message = f"The bucket {self._config.bucket!r} is public: anyone can read photos {how}."
        if allow_public:
            self._add("private", CheckOutcome.WARNING, f"{message} Links protect nothing.")
            return
        self._add(
            "private",
            CheckOutcome.FAILURE,
            f"{message} Make it private at the store (its policy, ACLs or anonymous access), or"
            " accept that with SAFELIGHT_S3__ALLOW_PUBLIC=true.",
            unsigned,
        )

    async def _check_delete(self) -> None:
        response = await self._request("DELETE", key=self._key)
        if not response.is_success:
            await self._fail(response, "delete objects", "s3:DeleteObject")
        if (await self._open_link()).is_success:
            message = "The store still returns an object after deleting it: links live longer."
            self._add("delete", CheckOutcome.WARNING, message)
        else:
            self._add("delete")


def _abandoned(response: APIResponse, *, before: datetime) -> list[str] | None:
    """Return the keys on a list that are older than `before`; None if it isn't a list."""
    if not response.is_success:
        return None
    try:
        listing = ET.fromstring(response.body)  # noqa: S314  see storage/multipart.py
    except ET.ParseError:
        return None
    if listing.tag.rpartition("}")[2] != "ListBucketResult":
        return None
    return [
        key
        for stored in listing.iterfind("{*}Contents")
        if (key := stored.findtext("{*}Key"))
        and key.startswith(_LIST_QUERY["prefix"])
        and (modified := stored.findtext("{*}LastModified"))
        and _is_older(modified, before)
    ]


def _is_older(modified: str, before: datetime) -> bool:
    try:
        return datetime.fromisoformat(modified) < before
    except (ValueError, TypeError):  # not a date, or one without a zone
        return False
