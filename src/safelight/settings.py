"""What can be configured: frozen, validated, read once at the edge.

Every setting is an environment variable: ``SAFELIGHT_`` and the name in capitals, with ``__``
between a group and its member (``SAFELIGHT_S3__ENDPOINT_URL``). Lists are separated by commas.
Sizes are bytes. Times are seconds, or ISO 8601 durations (``P7D``). docs/settings.md names all.
"""

import re
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

MiB = 1024 * 1024
_MAX_STEPS = 8
_MAX_PARTS = 1_000

_HOST_AND_PORT = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]+)?", re.ASCII | re.IGNORECASE)
_ends_in_a_number = re.compile(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?$").search
"""Such a host is read as an IPv4 address by the WHATWG's rules, which obstore follows."""

_TOKEN = re.compile(r"[!-~]{16,}")
"""What an Authorization header can carry."""


def _http_url(value: str | None) -> str | None:
    """Take scheme, host and port of an endpoint; a path, query or login in it is an error."""
    if not value:
        return None
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("give it as http://HOST[:PORT] or https://HOST[:PORT]")
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        raise ValueError("give scheme, host and port only, without path, query or login")
    if not _HOST_AND_PORT.fullmatch(parts.netloc):
        raise ValueError(
            "give HOST as an address without a zone, or as a name in ASCII (xn--… for others)"
        )
    if parts.port == 0:  # which raises ValueError itself for what is past 65535
        raise ValueError("a port is 1 to 65535")
    _is_address(parts.hostname)
    return f"{parts.scheme}://{parts.netloc}"


def _is_address(host: str) -> bool:
    """Whether it is an IP address. Raises ValueError for what would be one but is wrong."""
    if ":" not in host and not _ends_in_a_number(host):
        return False
    try:
        ip_address(host)
    except ValueError as error:
        raise ValueError(f"{host} is no IP address") from error
    return True


def _split(value: object) -> object:
    return (
        [item.strip() for item in value.split(",") if item.strip()]
        if isinstance(value, str)
        else value
    )


def _sendable(token: SecretStr | None) -> SecretStr | None:
    if token and not _TOKEN.fullmatch(token.get_secret_value()):
        raise ValueError("give 16 or more printable ASCII characters, without spaces")
    return token


class Group(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class S3Settings(Group):
    """The object store."""

    endpoint_url: str | None = None
    """Where the app reaches the store. None: the embedded SeaweedFS."""
    public_endpoint_url: str | None = None
    """Where those who hold a link reach the store. None: as `endpoint_url`; with the embedded
    store, the host name that the request came to."""
    bucket: str = Field(default="safelight", pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    region: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]{1,64}$")
    access_key: str | None = None
    secret_key: SecretStr | None = None
    session_token: SecretStr | None = None
    signing_access_key: str | None = None
    """Long-lived keys that sign links and do nothing else. None: those above."""
    signing_secret_key: SecretStr | None = None
    addressing_style: Literal["path", "virtual"] = "path"
    conditional_writes: bool = True
    """Whether the store knows ``If-None-Match: *`` on PUT. False: an object is written without
    asking whether something has its key, which is random and never used twice."""
    checksums: bool = True
    """Whether the store takes x-amz-checksum-sha256. False: what is damaged on the way is noticed
    only by TLS, or by a store that compares the body with its signed SHA-256; and objects are
    deleted one by one, since a list of them would need a checksum."""
    timeout: timedelta = Field(
        default=timedelta(seconds=8), gt=timedelta(0), le=timedelta(seconds=60)
    )
    """The longest that one call to the store may take before the answer is 503."""

    _endpoints = field_validator("endpoint_url", "public_endpoint_url")(_http_url)

    @model_validator(mode="after")
    def _keys_come_in_pairs(self) -> Self:
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("set both of ACCESS_KEY and SECRET_KEY, or neither")
        if self.session_token is not None and self.access_key is None:
            raise ValueError("SESSION_TOKEN needs ACCESS_KEY and SECRET_KEY beside it")
        if (self.signing_access_key is None) != (self.signing_secret_key is None):
            raise ValueError("set both of SIGNING_ACCESS_KEY and SIGNING_SECRET_KEY, or neither")
        return self

    @model_validator(mode="after")
    def _what_is_for_a_store_of_ones_own_comes_with_its_endpoint(self) -> Self:
        given = {
            "ACCESS_KEY": self.access_key is not None,
            "SIGNING_ACCESS_KEY": self.signing_access_key is not None,
            "ADDRESSING_STYLE=virtual": self.addressing_style == "virtual",
        }
        useless = [name for name, is_given in given.items() if is_given]
        if useless and self.endpoint_url is None:
            # Or the photos would silently go to the embedded store.
            raise ValueError(
                f"{' and '.join(useless)} can't be used with the embedded store: set"
                " SAFELIGHT_S3__ENDPOINT_URL (for AWS: https://s3.REGION.amazonaws.com)"
            )
        return self

    @model_validator(mode="after")
    def _a_bucket_stands_before_a_name(self) -> Self:
        endpoints = filter(None, (self.endpoint_url, self.public_endpoint_url))
        hosts = [urlsplit(endpoint).hostname or "" for endpoint in endpoints]
        if self.addressing_style == "virtual" and any(map(_is_address, hosts)):
            raise ValueError(
                "ADDRESSING_STYLE=virtual can't put the bucket before an IP address: give the"
                " endpoint by name, or set ADDRESSING_STYLE=path"
            )
        return self


class LinkSettings(Group):
    """The signed links that are handed out."""

    lifetime: timedelta = Field(
        default=timedelta(days=7), ge=timedelta(minutes=1), le=timedelta(days=7)
    )
    """From its signing date. SigV4 allows seven days at the most."""
    window: timedelta = Field(default=timedelta(days=1), ge=timedelta(seconds=1))
    """How long the same photo's link stays the same, so that browsers keep their copy."""
    cache_size: int = Field(default=20_000, ge=0)
    """How many signed links are kept in memory."""

    @model_validator(mode="after")
    def _a_link_outlives_its_window(self) -> Self:
        if self.window >= self.lifetime:
            raise ValueError("WINDOW must be shorter than LIFETIME")
        return self


class LimitSettings(Group):
    """What one upload may cost."""

    max_form_bytes: int = Field(default=5 * MiB, ge=1)
    """The photo, when its bytes pass through the app."""
    max_direct_bytes: int = Field(default=50 * MiB, ge=1)
    """The photo, when its client sends it straight to the bucket."""
    max_open_uploads: int = Field(default=1_000, ge=1)
    """Reservations for such uploads that an owner may have at once; the next gets 429."""
    max_form_overhead: int = Field(default=64 * 1024, ge=1024)
    """Everything else in the body of a form upload: other fields, part headers, boundaries."""
    max_pixels: int = Field(default=120_000_000, ge=1)
    """Width times height, from the header, of one frame."""
    max_frames: int = Field(default=1_000, ge=1)
    max_total_pixels: int = Field(default=500_000_000, ge=1)
    """Pixels of a frame times frames."""
    decode_seconds: timedelta = Field(
        default=timedelta(seconds=20), gt=timedelta(0), le=timedelta(minutes=10)
    )
    """CPU time of one decode; the child is killed a little later by the clock on the wall."""
    decode_memory: int = Field(default=3 * 1024 * MiB, ge=256 * MiB)
    """Address space of a child that decodes."""
    max_waiting: int = Field(default=256, ge=1)
    """Uploads that may wait for a child; the next gets 503 `busy`."""
    max_spooled_bytes: int = Field(default=1024 * MiB, ge=1)
    """Bytes of all uploads under way, on disk; past that, 503 `busy`."""
    idle_timeout: timedelta = Field(default=timedelta(seconds=10), gt=timedelta(0))
    """The longest silence of a client while its body arrives."""
    body_timeout: timedelta = Field(default=timedelta(minutes=5), gt=timedelta(0))
    """The longest that a whole body may take."""
    min_rate: int = Field(default=512, ge=0)
    """Bytes a second that a body must bring on average, once `idle_timeout` has gone by."""

    @model_validator(mode="after")
    def _the_largest_photo_can_be_spooled(self) -> Self:
        if self.max_spooled_bytes < max(self.max_form_bytes, self.max_direct_bytes):
            raise ValueError(
                "MAX_SPOOLED_BYTES must be no less than MAX_FORM_BYTES and MAX_DIRECT_BYTES: else"
                " the largest photos that are allowed always get 503"
            )
        return self


class UploadSettings(Group):
    """Uploads that go from the client straight to the bucket."""

    signature_lifetime: timedelta = Field(
        default=timedelta(minutes=15), ge=timedelta(minutes=1), le=timedelta(hours=12)
    )
    """How long a signature can be used: a request has to begin by then, not to end."""
    reservation_lifetime: timedelta = Field(
        default=timedelta(hours=24), ge=timedelta(minutes=5), le=timedelta(days=7)
    )
    """How long an upload in parts can be resumed and completed."""
    part_size: int = Field(default=8 * MiB, ge=5 * MiB, le=1024 * MiB)
    """Bytes of each part but the last; S3 takes no smaller ones than 5 MiB."""
    parts_above: int = Field(default=16 * MiB, ge=0, le=1024 * MiB)
    """An upload of more bytes comes in parts."""


class RenditionSettings(Group):
    """The smaller copies of a photo."""

    widths: Annotated[tuple[Annotated[int, Field(ge=16, le=16_383)], ...], NoDecode] = (
        *(320, 640, 1280, 2560),
    )
    """Their widths in pixels; each photo gets those that are no wider than itself."""
    quality: int = Field(default=78, ge=1, le=100)
    """Of WebP, 1 to 100."""
    effort: int = Field(default=1, ge=0, le=6)
    """What WebP's encoder takes on for a smaller file, 0 (quick) to 6."""

    _lists = field_validator("widths", mode="before")(_split)

    @field_validator("widths")
    @classmethod
    def _widths_are_a_ladder(cls, widths: tuple[int, ...]) -> tuple[int, ...]:
        if not 1 <= len(set(widths)) == len(widths) <= _MAX_STEPS:
            raise ValueError(f"give one to {_MAX_STEPS} different widths")
        return widths


class LogSettings(Group):
    """What is written to stderr."""

    format: Literal["console", "json"] = "console"
    """Lines for people, or a JSON object in each."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    requests: bool | None = None
    """Whether each request and each job gets a line. None: with JSON, unless the level is higher
    than `info`."""

    @property
    def tells_each(self) -> bool:
        """Whether each request and each job gets a line."""
        if self.requests is None:
            return self.format == "json" and self.level in {"debug", "info"}
        return self.requests


class MetricsSettings(Group):
    """Who may read ``/metrics``, besides those who may use the API."""

    public: bool = False
    """Everybody who reaches the service."""
    token: SecretStr | None = None
    """Who bears this, which is good for nothing else."""

    @field_validator("token")
    @classmethod
    def _token_can_be_sent(cls, token: SecretStr | None) -> SecretStr | None:
        return _sendable(token)


class TraceSettings(Group):
    """OpenTelemetry."""

    endpoint_url: str | None = None
    """A collector that takes OTLP over HTTP; traces go to ``/v1/traces`` there. None: to nobody."""

    _endpoints = field_validator("endpoint_url")(_http_url)


class Settings(BaseSettings):
    """Everything that can be configured, read from the environment."""

    model_config = SettingsConfigDict(
        env_prefix="SAFELIGHT_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    data_dir: Path = Path("safelight-data")
    """Where the embedded engines keep everything, and where uploads are spooled."""
    token: SecretStr | None = None
    """What `Authorization: Bearer` must carry. None: made at the first start, and kept."""
    auth: Literal["token", "none"] = "token"
    """`none` serves one fixed owner without asking, on loopback only."""
    owner: str = Field(default="owner", min_length=1, max_length=200)
    """Whose photos this installation serves."""
    database_url: SecretStr | None = None
    """PostgreSQL, as postgresql://USER:PASSWORD@HOST:PORT/NAME. None: the embedded one."""
    drain: timedelta = Field(default=timedelta(0), ge=timedelta(0), le=timedelta(minutes=10))
    """How long SIGTERM lets `serve` go on, while /readyz says 503; and again as long for what is
    under way then. For where a load balancer has others to turn to."""
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ("localhost", "127.0.0.1", "[::1]")
    """The host names that requests may come to, without ports; `*` allows any."""
    origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Other sites' origins whose pages may call the API (CORS)."""
    s3: S3Settings = S3Settings()
    links: LinkSettings = LinkSettings()
    limits: LimitSettings = LimitSettings()
    renditions: RenditionSettings = RenditionSettings()
    uploads: UploadSettings = UploadSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    traces: TraceSettings = TraceSettings()

    _lists = field_validator("allowed_hosts", "origins", mode="before")(_split)

    @field_validator("origins")
    @classmethod
    def _origins_are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(filter(None, map(_http_url, origins)))

    @field_validator("token")
    @classmethod
    def _token_can_be_sent(cls, token: SecretStr | None) -> SecretStr | None:
        return _sendable(token)

    @field_validator("database_url")
    @classmethod
    def _database_is_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url and not url.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("give it as postgresql://USER:PASSWORD@HOST:PORT/NAME")
        return url

    @model_validator(mode="after")
    def _no_questions_only_on_loopback(self) -> Self:
        if self.auth == "none" and not self.on_loopback:
            raise ValueError(
                "SAFELIGHT_AUTH=none is for loopback only: set SAFELIGHT_HOST=127.0.0.1, or"
                " SAFELIGHT_AUTH=token"
            )
        if self.auth == "none" and "*" in self.allowed_hosts:
            # Any site could give its own name our address, and its pages would then be ours.
            raise ValueError(
                "SAFELIGHT_AUTH=none needs SAFELIGHT_ALLOWED_HOSTS without '*', or any site's page"
                " could come in by DNS rebinding: name the hosts, or set SAFELIGHT_AUTH=token"
            )
        return self

    @model_validator(mode="after")
    def _the_largest_upload_has_few_parts(self) -> Self:
        if self.limits.max_direct_bytes > self.uploads.part_size * _MAX_PARTS:
            raise ValueError(
                f"SAFELIGHT_UPLOADS__PART_SIZE must be a {_MAX_PARTS:,}th of"
                " SAFELIGHT_LIMITS__MAX_DIRECT_BYTES or more: a store lists no more parts at once"
            )
        return self

    @property
    def on_loopback(self) -> bool:
        """Whether `host` can be reached from this machine alone."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False
