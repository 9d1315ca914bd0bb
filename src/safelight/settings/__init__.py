"""What can be configured: frozen, validated, read once at the edge.

Every setting is an environment variable: ``SAFELIGHT_`` and the name in capitals, with ``__``
between a group and its member (``SAFELIGHT_S3__ENDPOINT_URL``). Lists are separated by commas.
Sizes are bytes. Times are seconds, or ISO 8601 durations (``P7D``). docs/settings.md names all.
"""

from safelight.settings.observed import LogSettings, MetricsSettings, TraceSettings
from safelight.settings.settings import Settings
from safelight.settings.shown import LinkSettings, RenditionSettings
from safelight.settings.store import S3Settings
from safelight.settings.upload import LimitSettings, UploadSettings

__all__ = [
    "LimitSettings",
    "LinkSettings",
    "LogSettings",
    "MetricsSettings",
    "RenditionSettings",
    "S3Settings",
    "Settings",
    "TraceSettings",
    "UploadSettings",
]
