"""Presigned requests with which a client sends one upload to the store.

The signature covers method, key, query and the headers that matter: with another length, type,
checksum, part or key it is invalid. There is no state; each request follows from settings,
credentials and clock.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from safelight import keys
from safelight.errors import StorageUnavailable
from safelight.models import Upload
from safelight.signing.sigv4 import Credentials, Method, Style, presign

MIN_CREDENTIAL_LIFETIME = timedelta(minutes=1)
"""Credentials that expire sooner sign nothing: no client could use the request in time."""

_SECOND = timedelta(seconds=1)
_RETRY = timedelta(seconds=30)
# The characters that no URL has to encode (RFC 3986). Amazon's ids are random and contain dots,
# also two in a row; without a slash these are dangerous only if there is nothing else.
_S3_UPLOAD_ID = re.compile(r"(?!\.+\Z)[A-Za-z0-9._~-]{1,1024}")


def is_s3_upload_id(text: str) -> bool:
    """Return whether a store may have issued `text` as the id of a multipart upload.

    It comes from the client, is signed with our keys, and some stores make a path of it, so it must
    never be more than one segment. The ids of Amazon S3, R2, B2, Ceph, Garage, MinIO and SeaweedFS
    consist of letters, digits and ``._~-``.
    """
    return _S3_UPLOAD_ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class PresignedRequest:
    """A request that a client may send to the store until `expires_at`.

    The client must send `headers` unchanged. Where bytes are sent, the signature also covers
    Content-Length, which HTTP clients set themselves and browsers don't let a page set.
    """

    method: Method
    url: str
    headers: Mapping[str, str]
    expires_at: datetime


class UploadSigner:
    """Signs the requests of uploads.

    A request expires after `lifetime`, or earlier with the upload's reservation or the credentials.
    Credentials that expire within MIN_CREDENTIAL_LIFETIME sign nothing: StorageUnavailable.
    `credentials` is called for each request. `endpoint` is where clients reach the store; each call
    may override it. `checksums` returns whether the store supports x-amz-checksum-sha256. An
    `s3_upload_id` that isn't `is_s3_upload_id` raises ValueError.
    """

    def __init__(
        self,
        lifetime: timedelta,
        *,
        credentials: Callable[[], Credentials],
        clock: Callable[[], datetime],
        endpoint: str,
        bucket: str,
        region: str = "us-east-1",
        style: Style = "path",
        checksums: Callable[[], bool] = lambda: True,
    ) -> None:
        self.lifetime = lifetime
        self._credentials = credentials
        self._clock = clock
        self._endpoint = endpoint
        self._bucket = bucket
        self._region = region
        self._style: Style = style
        self._checksums = checksums

    def put(self, upload: Upload, *, endpoint: str | None = None) -> PresignedRequest:
        """Sign the PUT of a whole upload."""
        headers = {"Content-Type": upload.content_type}
        if upload.sha256 and self._checksums():
            headers["x-amz-checksum-sha256"] = _base64(upload.sha256)
        return self._presign(upload, "PUT", headers, length=upload.size, endpoint=endpoint)

    def create(self, upload: Upload, *, endpoint: str | None = None) -> PresignedRequest:
        """Sign the start of a multipart upload.

        It names no checksum algorithm: the store would then require every part's checksum to
        complete the upload, and its list of parts doesn't return them.
        """
        headers = {"Content-Type": upload.content_type}
        return self._presign(upload, "POST", headers, query={"uploads": ""}, endpoint=endpoint)

    def part(
        self, upload: Upload, s3_upload_id: str, number: int, *, endpoint: str | None = None
    ) -> PresignedRequest:
        """Sign the PUT of one part, with its exact length. ValueError if there is no such part."""
        query = {"partNumber": str(number), **_upload_id_query(s3_upload_id)}
        length = upload.part_length(number)
        return self._presign(upload, "PUT", {}, query=query, length=length, endpoint=endpoint)

    def list(
        self, upload: Upload, s3_upload_id: str, *, endpoint: str | None = None
    ) -> PresignedRequest:
        """Sign a list request for the parts that have arrived."""
        query = _upload_id_query(s3_upload_id)
        return self._presign(upload, "GET", {}, query=query, endpoint=endpoint)

    def complete(
        self, upload: Upload, s3_upload_id: str, *, endpoint: str | None = None
    ) -> PresignedRequest:
        """Sign the completion of a multipart upload."""
        query = _upload_id_query(s3_upload_id)
        return self._presign(upload, "POST", {}, query=query, endpoint=endpoint)

    def abort(
        self, upload: Upload, s3_upload_id: str, *, endpoint: str | None = None
    ) -> PresignedRequest:
        """Sign the abort of a multipart upload."""
        query = _upload_id_query(s3_upload_id)
        return self._presign(upload, "DELETE", {}, query=query, endpoint=endpoint)

    def _presign(
        self,
        upload: Upload,
        method: Method,
        headers: Mapping[str, str],
        *,
        query: Mapping[str, str] | None = None,
        length: int | None = None,
        endpoint: str | None,
    ) -> PresignedRequest:
        credentials = self._credentials()
        now = self._clock().replace(microsecond=0)
        expires_at = self._expires_at(upload, credentials, now)
        url = presign(
            credentials,
            endpoint=endpoint or self._endpoint,
            bucket=self._bucket,
            key=keys.incoming(upload.upload_id),
            expires_in=expires_at - now,
            date=now,
            method=method,
            region=self._region,
            style=self._style,
            signed_headers={
                **headers,
                **({} if length is None else {"Content-Length": str(length)}),
            },
            query=query,
        )
        return PresignedRequest(method=method, url=url, headers=headers, expires_at=expires_at)

    def _expires_at(self, upload: Upload, credentials: Credentials, now: datetime) -> datetime:
        """Return when a request expires: with the reservation or the credentials at the latest."""
        limit = credentials.expires_at
        if limit is not None and limit - now < MIN_CREDENTIAL_LIFETIME:
            raise StorageUnavailable(
                "Uploads can't be signed right now. Try again in a minute.", retry_after=_RETRY
            ) from RuntimeError(f"the credentials expire at {limit}")
        expires_at = min(now + self.lifetime, upload.expires_at, limit or upload.expires_at)
        return max(expires_at.replace(microsecond=0), now + _SECOND)


def _upload_id_query(s3_upload_id: str) -> dict[str, str]:
    if not is_s3_upload_id(s3_upload_id):
        raise ValueError("no store issues such an upload id")
    return {"uploadId": s3_upload_id}


def _base64(digest: str) -> str:
    return b64encode(bytes.fromhex(digest)).decode()
