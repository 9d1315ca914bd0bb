"""Settings for logs, metrics and traces."""

from typing import Literal

from pydantic import field_validator

from safelight.settings.validators import Group, Secret, check_token, parse_endpoint


class LogSettings(Group):
    """The log on stderr."""

    format: Literal["console", "json"] = "console"
    """Text for people, or JSON lines."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    requests: bool | None = None
    """Whether to log a line per request and per job. None: only with JSON, at level `info` or
    `debug`."""

    @property
    def logs_each(self) -> bool:
        """Whether to log a line per request and per job."""
        if self.requests is None:
            return self.format == "json" and self.level in {"debug", "info"}
        return self.requests


class MetricsSettings(Group):
    """Access to ``/metrics``, besides the access token."""

    public: bool = False
    """Whether ``/metrics`` can be read without a token."""
    token: Secret | None = None
    """A bearer token for ``/metrics`` only."""

    @field_validator("token")
    @classmethod
    def _check_token(cls, token: Secret | None) -> Secret | None:
        return check_token(token)


class TraceSettings(Group):
    """OpenTelemetry traces."""

    endpoint_url: str | None = None
    """An OTLP/HTTP collector; traces go to its ``/v1/traces``. None: no traces."""

    _check_url = field_validator("endpoint_url")(parse_endpoint)
