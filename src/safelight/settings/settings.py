"""All settings of a server."""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from safelight.environment import clean_variables
from safelight.http_clients import read_authorities
from safelight.settings.addresses import check_host_names, parse_origin, parse_public_url
from safelight.settings.darkroom import DarkroomSettings
from safelight.settings.delivery import LinkSettings, RenditionSettings
from safelight.settings.limits import LimitSettings, UploadSettings
from safelight.settings.observability import LogSettings, MetricsSettings, TraceSettings
from safelight.settings.s3 import S3Settings
from safelight.settings.validators import (
    Secret,
    check_ca_file,
    check_contact,
    check_token,
    parse_networks,
    reveal,
    split_list,
)

_is_postgresql = re.compile(r"postgres(ql)?(\+\w+)?://").match
"""SQLAlchemy's URLs may name a driver; Safelight uses its own."""
_MAX_PARTS = 1_000
"""A store lists no more parts in one response."""


class _CleanEnvironment(EnvSettingsSource):
    """Environment variables without spaces around their values."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in clean_variables(os.environ).items()}


class Settings(BaseSettings):
    """A server's settings, read from environment variables."""

    model_config = SettingsConfigDict(
        env_prefix="SAFELIGHT_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    data_dir: Path = Path("safelight-data")
    """The directory of the embedded engines, the secrets and the upload spool."""
    token: Secret | None = None
    """The access token. None: generated at the first start, and stored in the data directory."""
    auth: Literal["token", "none"] = "token"
    """`none` needs no token, on loopback only."""
    owner: str = Field(default="owner", min_length=1, max_length=200)
    """The owner of all photos uploaded here, as stored in the database."""
    database_url: Secret | None = None
    """A PostgreSQL URL: postgresql://USER:PASSWORD@HOST:PORT/NAME. None: the embedded one."""
    duplicates: Literal["share", "separate"] = "share"
    """What happens to bytes that the owner already has as a photo: `share` returns that photo,
    `separate` adds another one."""
    trash_days: int = Field(default=30, ge=0, le=36_500)
    """How many days deleted photos stay in the trash before they are deleted for good. 0: there is
    no trash."""
    alembic_filtered: bool = False
    """Confirms that a host application's Alembic leaves out Safelight's tables, by
    `safelight.alembic.include_name`."""
    drain: timedelta = Field(default=timedelta(0), ge=timedelta(0), le=timedelta(minutes=10))
    """For servers behind a load balancer: how long `serve` continues after SIGTERM while /readyz
    returns 503. Requests still open after that get the same time again."""
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ("localhost", "127.0.0.1", "[::1]")
    """Accepted host names, without ports; `*` accepts any."""
    origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins of other sites whose pages may call the API (CORS)."""
    public_url: str | None = None
    """The address of the service in its own links, with the path that a proxy serves it at. None:
    the address that it listens on."""
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = (
        ip_network("127.0.0.0/8"),
        ip_network("::1"),
    )
    """The proxies whose X-Forwarded-For, -Proto and -Host headers are used."""
    security_contact: str | None = None
    """A URI for reports of vulnerabilities, shown at ``/.well-known/security.txt``."""
    ca_file: Path | None = None
    """A PEM file with certificate authorities to trust besides the usual ones, in each connection
    over HTTPS: to the store, for its credentials, and to the collector of traces."""
    s3: S3Settings = S3Settings()
    links: LinkSettings = LinkSettings()
    limits: LimitSettings = LimitSettings()
    darkroom: DarkroomSettings = DarkroomSettings()
    renditions: RenditionSettings = RenditionSettings()
    uploads: UploadSettings = UploadSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    traces: TraceSettings = TraceSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003  pydantic's own, replaced by ours
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  there is no such file
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments first, then environment variables."""
        return init_settings, _CleanEnvironment(settings_cls)

    _split_lists = field_validator("allowed_hosts", "origins", mode="before")(split_list)
    _check_hosts = field_validator("allowed_hosts")(check_host_names)
    _parse_networks = field_validator("trusted_proxies", mode="before")(parse_networks)
    _check_contact = field_validator("security_contact")(check_contact)
    _check_public_url = field_validator("public_url")(parse_public_url)

    @field_validator("ca_file")
    @classmethod
    def _check_ca_file(cls, path: Path | None) -> Path | None:
        return check_ca_file(path)

    @field_validator("origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(parse_origin, origins))

    @field_validator("token")
    @classmethod
    def _check_token(cls, token: Secret | None) -> Secret | None:
        return check_token(token)

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, url: Secret | None) -> Secret | None:
        if url and not _is_postgresql(reveal(url)):
            raise ValueError("write it as postgresql://USER:PASSWORD@HOST:PORT/NAME")
        return url

    @model_validator(mode="after")
    def _check_auth_none(self) -> Self:
        if self.auth == "none" and not self.on_loopback:
            raise ValueError(
                "SAFELIGHT_AUTH=none is allowed on loopback only: set SAFELIGHT_HOST=127.0.0.1, or"
                " SAFELIGHT_AUTH=token"
            )
        if self.auth == "none" and "*" in self.allowed_hosts:
            # Any site could resolve its host name to our address (DNS rebinding).
            raise ValueError(
                "SAFELIGHT_AUTH=none with SAFELIGHT_ALLOWED_HOSTS=* would give any web page access"
                " by DNS rebinding: list the host names, or set SAFELIGHT_AUTH=token"
            )
        return self

    @model_validator(mode="after")
    def _check_part_size(self) -> Self:
        if self.limits.max_direct_bytes > self.uploads.part_size * _MAX_PARTS:
            raise ValueError(
                "SAFELIGHT_UPLOADS__PART_SIZE is too small for SAFELIGHT_LIMITS__MAX_DIRECT_BYTES:"
                f" an upload may have up to {_MAX_PARTS:,} parts"
            )
        return self

    @property
    def authorities(self) -> str | None:
        """The certificates in `ca_file`, in PEM."""
        return read_authorities(self.ca_file) if self.ca_file else None

    @property
    def accepted_hosts(self) -> tuple[str, ...]:
        """The host names of requests that are answered: all that name this service."""
        public = (urlsplit(self.public_url).hostname or "",) if self.public_url else ()
        return (*self.allowed_hosts, self.host, *public)

    @property
    def public_origin(self) -> str | None:
        """The origin of the public URL."""
        if self.public_url is None:
            return None
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def public_path(self) -> str:
        """The path of the public URL: empty, or without a slash at its end."""
        return urlsplit(self.public_url).path if self.public_url else ""

    @property
    def on_loopback(self) -> bool:
        """Whether `host` is reachable only from this machine."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False
