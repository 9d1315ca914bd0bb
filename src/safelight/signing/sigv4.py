"""AWS Signature Version 4 for S3: presigned URLs as a pure function, and the signing core.

The steps and their names are those of the Amazon S3 API Reference, "Authenticating Requests:
Using Query Parameters (AWS Signature Version 4)". S3 differs from other services:
the path is encoded once and never normalised (a key may be ``a/../b``), and a presigned URL has
UNSIGNED-PAYLOAD in place of the body's hash.

Nothing here does I/O or reads a clock. Input that can't be signed raises ValueError.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from typing import Literal, Self
from urllib.parse import quote

Method = Literal["GET", "HEAD", "PUT", "POST", "DELETE"]
Style = Literal["path", "virtual"]

METHODS: frozenset[str] = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE"})
MAX_LIFETIME = timedelta(days=7)
"""S3's maximum for a presigned URL."""

_ALGORITHM = "AWS4-HMAC-SHA256"
_DATE = "X-Amz-Date"
_SECOND = timedelta(seconds=1)
_KEY_BYTES = 1024
_BLOCK = 64  # bytes in a block of SHA-256
_is_plain = re.compile(r"[A-Za-z0-9._~/-]{1,1024}").fullmatch
# Every time of day, formatted: strftime takes as long as an HMAC.
_MINUTES = tuple(f"{hour:02}{minute:02}" for hour in range(24) for minute in range(60))
_SECONDS = tuple(f"{second:02}" for second in range(60))
_DEFAULT_PORTS = {"http": 80, "https": 443}
_ENDPOINT = re.compile(
    r"(?P<scheme>https?)://(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<host>[\w-]+(?:\.[\w-]+)*\.?))"
    r"(?::(?P<port>[0-9]{1,5}))?/?",
    re.ASCII | re.IGNORECASE,
)
_BUCKET = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_REGION = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+", re.ASCII)
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*", re.ASCII)
_RESERVED_PARAMETERS = frozenset(
    f"x-amz-{name}"
    for name in (
        "algorithm",
        "credential",
        "date",
        "expires",
        "security-token",
        "signature",
        "signedheaders",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """An access key, with a `session_token` if it is temporary; the token is part of each URL.

    `expires_at` (aware) is when they expire, if known; signing doesn't check it.
    """

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        if not (self.access_key and self.secret_key):
            raise ValueError("credentials need an access key and a secret key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A bucket's address: `origin` and `path` make the URL, `host` is the Host header.

    It is normalised as clients do: lower-case, no default port, IPv6 in its short form. `path`
    begins and ends with a slash; an encoded key follows.
    """

    origin: str
    host: str
    path: str

    @classmethod
    def of(cls, endpoint: str, bucket: str, style: Style = "path") -> Self:
        """Parse `endpoint` (``http[s]://HOST[:PORT]``) and add `bucket` to its path or host."""
        match = _ENDPOINT.fullmatch(endpoint)
        if match is None:
            raise ValueError("an endpoint must be http://HOST[:PORT] or https://HOST[:PORT]")
        if _BUCKET.fullmatch(bucket) is None:
            raise ValueError("a bucket name must be 3 to 63 of a-z, 0-9, dot and hyphen")
        scheme = match["scheme"].lower()
        host = _host(match, scheme)
        if style == "path":
            return cls(origin=f"{scheme}://{host}", host=host, path=f"/{bucket}/")
        if match["ipv6"] or _is_address(match["host"]):
            raise ValueError("an IP address can't be virtual-hosted: use path style")
        return cls(origin=f"{scheme}://{bucket}.{host}", host=f"{bucket}.{host}", path="/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """The part of a signature that is the same for one key, day (UTC) and region.

    `inner` and `outer` are the HMAC's two hashes with the key already in them, as RFC 2104,
    section 4 suggests: copying them takes a third of the time of starting with the key.
    """

    scope: str
    """The credential scope, as ``20130524/us-east-1/s3/aws4_request``."""
    inner: "hashlib._Hash" = field(repr=False)
    outer: "hashlib._Hash" = field(repr=False)

    @classmethod
    def of(cls, secret_key: str, day: str, region: str) -> Self:
        """Derive the signing key; `day` as ``20130524``."""
        parts = (day, region, "s3", "aws4_request")
        key = b"AWS4" + secret_key.encode()
        for part in parts:
            key = hmac.digest(key, part.encode(), "sha256")
        block = key.ljust(_BLOCK, b"\0")
        return cls(
            scope="/".join(parts),
            inner=sha256(bytes(byte ^ 0x36 for byte in block)),
            outer=sha256(bytes(byte ^ 0x5C for byte in block)),
        )

    def signature(self, timestamp: str, request: str) -> str:
        """Return a canonical request's signature in hex; `timestamp` as ``20130524T000000Z``."""
        digest = sha256(request.encode()).hexdigest()
        inner, outer = self.inner.copy(), self.outer.copy()
        inner.update(f"AWS4-HMAC-SHA256\n{timestamp}\n{self.scope}\n{digest}".encode())
        outer.update(inner.digest())
        return outer.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Presigner:
    """Signs URLs for one day; everything but the key and the time of day is precomputed."""

    signer: Signer
    day: str
    """As ``20130524``, in UTC."""
    origin: str
    path: str
    """The encoded key follows it."""
    method: Method
    before: str
    """The canonical query up to the value of X-Amz-Date."""
    after: str
    """The canonical query from there on."""
    rest: str
    """The end of the canonical request: headers, their names, the payload hash."""

    @classmethod
    def of(
        cls,
        credentials: Credentials,
        address: Address,
        *,
        day: date,
        expires_in: timedelta,
        region: str,
        method: Method = "GET",
        signed_headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Self:
        """Validate the arguments, which are those of `presign`, and format them."""
        if method not in METHODS:
            raise ValueError(f"the method must be one of {', '.join(sorted(METHODS))}")
        if not _SECOND <= expires_in <= MAX_LIFETIME:
            raise ValueError("a presigned URL must be valid for 1 second to 7 days")
        if _REGION.fullmatch(region) is None:
            raise ValueError("a region must be 1 to 64 of a-z, 0-9 and hyphen")
        signer = Signer.of(credentials.secret_key, day.strftime("%Y%m%d"), region)
        headers = {"host": address.host, **_validate_headers(signed_headers or {})}
        parameters = _validate_query(query or {}) | {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{credentials.access_key}/{signer.scope}",
            "X-Amz-Expires": str(expires_in // _SECOND),
            "X-Amz-SignedHeaders": ";".join(sorted(headers)),
        }
        if credentials.session_token is not None:
            parameters["X-Amz-Security-Token"] = credentials.session_token
        pairs = canonical_pairs(parameters)
        return cls(
            signer=signer,
            day=signer.scope[:8],
            origin=address.origin,
            path=address.path,
            method=method,
            before="".join([f"{n}={v}&" for n, v in pairs if n < _DATE]) + f"{_DATE}=",
            after="".join([f"&{n}={v}" for n, v in pairs if n > _DATE]),
            rest=f"{canonical_headers(headers)}\nUNSIGNED-PAYLOAD",
        )

    def url(self, key: str | None, second: int) -> str:
        """Return the URL of an object, or the bucket (None), signed at a second of the day."""
        timestamp = f"{self.day}T{_MINUTES[second // 60]}{_SECONDS[second % 60]}Z"
        path = self.path
        if key is not None:
            path += key if _is_plain(key) else encode_key(key)
        query = f"{self.before}{timestamp}{self.after}"
        signature = self.signer.signature(timestamp, f"{self.method}\n{path}\n{query}\n{self.rest}")
        return f"{self.origin}{path}?{query}&X-Amz-Signature={signature}"


def presign(
    credentials: Credentials,
    *,
    endpoint: str,
    bucket: str,
    key: str | None,
    expires_in: timedelta,
    date: datetime,
    method: Method = "GET",
    region: str = "us-east-1",
    style: Style = "path",
    signed_headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
) -> str:
    """Return a URL that allows its holder one operation on an object, or on the bucket (None).

    It is valid from `date` (aware; whole seconds are used) for `expires_in` (1 s to 7 days,
    rounded down to seconds). The client must send `signed_headers` exactly as given here; Host is
    always signed. `query` has the operation's own parameters, such as ``response-content-type``,
    ``partNumber``, ``uploadId`` or ``versionId``.
    """
    if date.utcoffset() is None:
        raise ValueError("the signing date must have a time zone")
    date = date.astimezone(UTC)
    return Presigner.of(
        credentials,
        Address.of(endpoint, bucket, style),
        day=date.date(),
        expires_in=expires_in,
        region=region,
        method=method,
        signed_headers=signed_headers,
        query=query,
    ).url(key, date.hour * 3600 + date.minute * 60 + date.second)


def encode_key(key: str) -> str:
    """Percent-encode a key (1 to 1,024 bytes of UTF-8) once, keeping slashes and dots."""
    encoded = key.encode()
    if not 1 <= len(encoded) <= _KEY_BYTES:
        raise ValueError("a key must be 1 to 1,024 bytes")
    return quote(encoded, safe="/")


def canonical_pairs(parameters: Mapping[str, str]) -> list[tuple[str, str]]:
    """Percent-encode names and values, sorted by encoded name (not by the joined pairs)."""
    return sorted((quote(n, safe=""), quote(v, safe="")) for n, v in parameters.items())


def canonical_headers(headers: Mapping[str, str]) -> str:
    """Return the canonical headers, a line each, and their names; names must be lower-case."""
    names = sorted(headers)
    lines = "".join([f"{name}:{' '.join(headers[name].split())}\n" for name in names])
    return f"{lines}\n{';'.join(names)}"


def _validate_headers(headers: Mapping[str, str]) -> dict[str, str]:
    checked = {name.lower(): value for name, value in headers.items()}
    if "host" in checked or len(checked) < len(headers):
        raise ValueError("a header can be given once, and Host is always signed")
    for name, value in checked.items():
        if _HEADER_NAME.fullmatch(name) is None or _HEADER_VALUE.fullmatch(value) is None:
            raise ValueError("a signed header needs a valid name and a value of printable ASCII")
    return checked


def _validate_query(query: Mapping[str, str]) -> dict[str, str]:
    if any(name.lower() in _RESERVED_PARAMETERS for name in query):
        raise ValueError("the query can't contain the signature's own parameters")
    return dict(query)


def _host(match: re.Match[str], scheme: str) -> str:
    host = f"[{IPv6Address(match['ipv6'])}]" if match["ipv6"] else match["host"].lower()
    port = int(match["port"] or _DEFAULT_PORTS[scheme])
    if not 1 <= port <= 65535:
        raise ValueError("a port must be 1 to 65535")
    return host if port == _DEFAULT_PORTS[scheme] else f"{host}:{port}"


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
