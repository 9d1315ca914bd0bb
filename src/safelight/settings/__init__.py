"""Settings: immutable, validated, and read once from environment variables.

A variable is ``SAFELIGHT_`` and the setting's name in capitals, with ``__`` between a group and its
member (``SAFELIGHT_S3__ENDPOINT_URL``). Lists are separated by commas, sizes are in bytes, and
durations are in seconds or ISO 8601 (``P7D``). docs/settings.md lists all settings.
"""

from safelight.settings.delivery import LinkSettings, RenditionSettings
from safelight.settings.limits import LimitSettings, UploadSettings
from safelight.settings.observability import LogSettings, MetricsSettings, TraceSettings
from safelight.settings.presets import PresetSettings
from safelight.settings.s3 import S3Settings
from safelight.settings.settings import Settings

__all__ = [
    "LimitSettings",
    "LinkSettings",
    "LogSettings",
    "MetricsSettings",
    "PresetSettings",
    "RenditionSettings",
    "S3Settings",
    "Settings",
    "TraceSettings",
    "UploadSettings",
]
