"""What can be seen of a running service from outside."""

from typing import Literal

from pydantic import SecretStr, field_validator

from safelight.settings.values import Group, http_url, sendable


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
        return sendable(token)


class TraceSettings(Group):
    """OpenTelemetry."""

    endpoint_url: str | None = None
    """A collector that takes OTLP over HTTP; traces go to ``/v1/traces`` there. None: to nobody."""

    _endpoints = field_validator("endpoint_url")(http_url)
