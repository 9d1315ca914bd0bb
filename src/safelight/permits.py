"""Permits: signatures by which a client may send one upload's bytes to the store, and no others.

A permit fixes method, key, query and the headers that matter, so that nothing else can be done by
it: another length, type, checksum, part or key makes it worthless. Nothing is kept or shared; each
follows from settings, credentials and clock.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from safelight import keys
from safelight.errors import StorageUnavailable
from safelight.sigv4 import Credentials, Method, Style, presign
from safelight.upload import Upload

LEAST = timedelta(minutes=1)
"""Credentials that end sooner sign nothing: no client could use it in time."""

_SECOND = timedelta(seconds=1)
_RETRY = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """One request that a client may make of the store, until `expires_at`.

    `headers` are those that it must set itself, as they stand. The length is signed too wherever
    bytes are sent, but every client tells it by itself, and browsers let nobody set it.
    """

    method: Method
    url: str
    headers: Mapping[str, str]
    expires_at: datetime


class Permits:
    """Signs for uploads; `lifetime` is a permit's, which ends with its upload's reservation too.

    `endpoint` is where clients reach the store; each call may name another. `credentials` is asked
    for each permit. When they end sooner, so does the permit; StorageUnavailable if that is in
    less than LEAST. `checksums` is whether the store takes x-amz-checksum-sha256.
    """

    def __init__(  # noqa: PLR0913  a signature is made of these
        self,
        lifetime: timedelta,
        *,
        credentials: Callable[[], Credentials],
        clock: Callable[[], datetime],
        endpoint: str,
        bucket: str,
        region: str = "us-east-1",
        style: Style = "path",
        checksums: bool = True,
    ) -> None:
        self.lifetime = lifetime
        self._credentials = credentials
        self._clock = clock
        self._endpoint = endpoint
        self._bucket = bucket
        self._region = region
        self._style: Style = style
        self._checksums = checksums

    def put(self, upload: Upload, *, endpoint: str | None = None) -> Permit:
        """Permit the whole upload in one request."""
        told = {"Content-Type": upload.content_type}
        if upload.sha256 and self._checksums:
            told["x-amz-checksum-sha256"] = _base64(upload.sha256)
        return self._signed(upload, "PUT", told, length=upload.size, endpoint=endpoint)

    def create(self, upload: Upload, *, endpoint: str | None = None) -> Permit:
        """Permit to begin an upload in parts.

        Without a checksum algorithm: the store would want each part's checksum again at the end,
        and tells none of them in its list of parts.
        """
        told = {"Content-Type": upload.content_type}
        return self._signed(upload, "POST", told, query={"uploads": ""}, endpoint=endpoint)

    def part(
        self, upload: Upload, upload_id: str, number: int, *, endpoint: str | None = None
    ) -> Permit:
        """Permit one part, of just its bytes' number. ValueError if there is no such part."""
        query = {"partNumber": str(number), "uploadId": upload_id}
        length = upload.part_length(number)
        return self._signed(upload, "PUT", {}, query=query, length=length, endpoint=endpoint)

    def list(self, upload: Upload, upload_id: str, *, endpoint: str | None = None) -> Permit:
        """Permit to ask which parts have arrived."""
        return self._signed(upload, "GET", {}, query={"uploadId": upload_id}, endpoint=endpoint)

    def complete(self, upload: Upload, upload_id: str, *, endpoint: str | None = None) -> Permit:
        """Permit to have the parts put together."""
        return self._signed(upload, "POST", {}, query={"uploadId": upload_id}, endpoint=endpoint)

    def abort(self, upload: Upload, upload_id: str, *, endpoint: str | None = None) -> Permit:
        """Permit to drop the parts."""
        return self._signed(upload, "DELETE", {}, query={"uploadId": upload_id}, endpoint=endpoint)

    def _signed(  # noqa: PLR0913  a request is made of these
        self,
        upload: Upload,
        method: Method,
        told: Mapping[str, str],
        *,
        query: Mapping[str, str] | None = None,
        length: int | None = None,
        endpoint: str | None,
    ) -> Permit:
        credentials = self._credentials()
        now = self._clock().replace(microsecond=0)
        expires_at = self._end(upload, credentials, now)
        url = presign(
            credentials,
            endpoint=endpoint or self._endpoint,
            bucket=self._bucket,
            key=keys.incoming(upload.name),
            expires_in=expires_at - now,
            date=now,
            method=method,
            region=self._region,
            style=self._style,
            signed_headers={**told, **({} if length is None else {"Content-Length": str(length)})},
            query=query,
        )
        return Permit(method=method, url=url, headers=told, expires_at=expires_at)

    def _end(self, upload: Upload, credentials: Credentials, now: datetime) -> datetime:
        """Choose when a permit ends: no later than the reservation, nor than who signs it."""
        ends = credentials.expires_at
        if ends is not None and ends - now < LEAST:
            raise StorageUnavailable(
                "Uploads can't be signed just now: try again shortly.", retry_after=_RETRY
            ) from RuntimeError(f"the credentials end at {ends}")
        wanted = min(now + self.lifetime, upload.expires_at, ends or upload.expires_at)
        return max(wanted.replace(microsecond=0), now + _SECOND)


def _base64(digest: str) -> str:
    return b64encode(bytes.fromhex(digest)).decode()
