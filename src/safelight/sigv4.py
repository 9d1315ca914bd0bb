"""AWS Signature Version 4 for S3: pre-signed URLs as a pure function, and the core under it.

The steps and their names are those of the Amazon S3 API Reference, "Authenticating Requests:
Using Query Parameters (AWS Signature Version 4)". What S3 does differently from other services:
the path is encoded once and never normalised (a key may be ``a/../b``), and a pre-signed URL says
UNSIGNED-PAYLOAD in the place of the body's hash.

Nothing here does any I/O or looks at a clock. What can't be signed is a ValueError.
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
LONGEST = timedelta(days=7)
"""The longest life that S3 allows a pre-signed URL."""

_ALGORITHM = "AWS4-HMAC-SHA256"
_DATE = "X-Amz-Date"
_SECOND = timedelta(seconds=1)
_KEY_BYTES = 1024
_BLOCK = 64  # bytes that SHA-256 takes at a time
_is_plain = re.compile(r"[A-Za-z0-9._~/-]{1,1024}").fullmatch
# The day's clock, ready written: strftime takes as long as an HMAC.
_MINUTES = tuple(f"{hour:02}{minute:02}" for hour in range(24) for minute in range(60))
_SECONDS = tuple(f"{second:02}" for second in range(60))
_DEFAULT_PORTS = {"http": 80, "https": 443}
_ENDPOINT = re.compile(
    r"(?P<scheme>https?)://(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<host>[a-z0-9._-]+))"
    r"(?::(?P<port>[0-9]{1,5}))?/?",
    re.ASCII | re.IGNORECASE,
)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+", re.ASCII)
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*", re.ASCII)
_OURS = frozenset(
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
    """Who signs. A `session_token` comes with credentials that expire, and goes into each URL.

    `expires_at` (aware) is when they do, if that is known; signing itself doesn't look at it.
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
    """Where a bucket is reached: `origin` and `path` make the URL, `host` is the Host header.

    As clients send it: lower-case, without the scheme's own port, IPv6 in its short form.
    `path` begins and ends with a slash; an encoded key follows.
    """

    origin: str
    host: str
    path: str

    @classmethod
    def of(cls, endpoint: str, bucket: str, style: Style = "path") -> Self:
        """Read `endpoint` (``http[s]://HOST[:PORT]``) and put `bucket` into its path or host."""
        match = _ENDPOINT.fullmatch(endpoint)
        if match is None:
            raise ValueError("an endpoint is http://HOST[:PORT] or https://HOST[:PORT]")
        if _BUCKET.fullmatch(bucket) is None:
            raise ValueError("a bucket's name is 3 to 63 of a-z, 0-9, dot and hyphen")
        scheme = match["scheme"].lower()
        host = _host(match, scheme)
        if style == "path":
            return cls(origin=f"{scheme}://{host}", host=host, path=f"/{bucket}/")
        if match["ipv6"] or _is_address(match["host"]):
            raise ValueError("a bucket can't stand before an IP address: use path style")
        return cls(origin=f"{scheme}://{bucket}.{host}", host=f"{bucket}.{host}", path="/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """What all signatures share that one key makes on one day (UTC) in one region.

    `inner` and `outer` are the HMAC's two hashes with the key already in them, as RFC 2104,
    section 4 suggests: copying them takes a third of the time of beginning with the key.
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
        """Sign a canonical request; `timestamp` as ``20130524T000000Z``. Lower-case hex."""
        digest = sha256(request.encode()).hexdigest()
        inner, outer = self.inner.copy(), self.outer.copy()
        inner.update(f"AWS4-HMAC-SHA256\n{timestamp}\n{self.scope}\n{digest}".encode())
        outer.update(inner.digest())
        return outer.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Presigner:
    """Everything of a day's pre-signed URLs but the key and the time of day, written once."""

    signer: Signer
    day: str
    """As ``20130524``, in UTC."""
    origin: str
    path: str
    """Where the encoded key follows."""
    method: Method
    before: str
    """The canonical query up to the value of X-Amz-Date."""
    after: str
    """The canonical query from there on."""
    rest: str
    """What follows the query in a canonical request: headers, their names, the payload."""

    @classmethod
    def of(  # noqa: PLR0913  the inputs that Signature Version 4 has
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
        """Check and write what `presign` was given."""
        if method not in METHODS:
            raise ValueError(f"the method is one of {', '.join(sorted(METHODS))}")
        if not _SECOND <= expires_in <= LONGEST:
            raise ValueError("a pre-signed URL lives from 1 second to 7 days")
        signer = Signer.of(credentials.secret_key, day.strftime("%Y%m%d"), region)
        headers = {"host": address.host, **_checked_headers(signed_headers or {})}
        parameters = _checked_query(query or {}) | {
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
        """Sign for one object, or the bucket (None), at this second of the day (0 to 86,399)."""
        timestamp = f"{self.day}T{_MINUTES[second // 60]}{_SECONDS[second % 60]}Z"
        path = self.path
        if key is not None:
            path += key if _is_plain(key) else encoded_key(key)
        query = f"{self.before}{timestamp}{self.after}"
        signature = self.signer.signature(timestamp, f"{self.method}\n{path}\n{query}\n{self.rest}")
        return f"{self.origin}{path}?{query}&X-Amz-Signature={signature}"


def presign(  # noqa: PLR0913  the inputs that Signature Version 4 has
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
    """Make a URL by which whoever holds it may do one thing with one object, for a while.

    Without a key it is one thing with the bucket itself.

    It is good from `date` (aware; whole seconds are used) for `expires_in` (1 s to 7 days,
    rounded down to seconds). The client must send `signed_headers` exactly as given here; Host is
    always signed. `query` holds what else belongs to the request: ``response-content-type`` and
    its like, ``partNumber``, ``uploadId``, ``versionId``.
    """
    if date.utcoffset() is None:
        raise ValueError("the signing date must know its time zone")
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


def encoded_key(key: str) -> str:
    """Encode `key`, of 1 to 1,024 bytes in UTF-8: once, keeping its slashes and dots."""
    encoded = key.encode()
    if not 1 <= len(encoded) <= _KEY_BYTES:
        raise ValueError("a key is 1 to 1,024 bytes")
    return quote(encoded, safe="/")


def canonical_pairs(parameters: Mapping[str, str]) -> list[tuple[str, str]]:
    """Encode names and values, in the order of the encoded names (not of the joined pairs)."""
    return sorted((quote(n, safe=""), quote(v, safe="")) for n, v in parameters.items())


def canonical_headers(headers: Mapping[str, str]) -> str:
    """Write headers as they are signed, a line for each, and their names; names lower-case."""
    names = sorted(headers)
    lines = [f"{name}:{' '.join(headers[name].split())}\n" for name in names]
    return f"{''.join(lines)}\n{';'.join(names)}"


def _checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    checked = {name.lower(): value for name, value in headers.items()}
    if "host" in checked or len(checked) < len(headers):
        raise ValueError("a header is signed once, and Host by itself")
    for name, value in checked.items():
        if _HEADER_NAME.fullmatch(name) is None or _HEADER_VALUE.fullmatch(value) is None:
            raise ValueError("a signed header is a token and printable ASCII")
    return checked


def _checked_query(query: Mapping[str, str]) -> dict[str, str]:
    if any(name.lower() in _OURS for name in query):
        raise ValueError("the signature's own parameters can't be given in the query")
    return dict(query)


def _host(match: re.Match[str], scheme: str) -> str:
    host = f"[{IPv6Address(match['ipv6'])}]" if match["ipv6"] else match["host"].lower()
    port = int(match["port"] or _DEFAULT_PORTS[scheme])
    if not 1 <= port <= 65535:  # noqa: PLR2004  TCP's own range
        raise ValueError("a port is 1 to 65535")
    return host if port == _DEFAULT_PORTS[scheme] else f"{host}:{port}"


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
