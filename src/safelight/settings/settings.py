"""All settings together."""

from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from safelight.settings.observed import LogSettings, MetricsSettings, TraceSettings
from safelight.settings.shown import LinkSettings, RenditionSettings
from safelight.settings.store import S3Settings
from safelight.settings.upload import LimitSettings, UploadSettings
from safelight.settings.values import http_url, sendable, split

_MAX_PARTS = 1_000


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

    _lists = field_validator("allowed_hosts", "origins", mode="before")(split)

    @field_validator("origins")
    @classmethod
    def _origins_are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(filter(None, map(http_url, origins)))

    @field_validator("token")
    @classmethod
    def _token_can_be_sent(cls, token: SecretStr | None) -> SecretStr | None:
        return sendable(token)

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
