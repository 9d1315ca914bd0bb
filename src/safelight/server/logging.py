"""The log on stderr: text for people, or JSON for log collectors.

Logs contain no secrets: no token, no signed URL, no file name. Lines about a request, or about a
job that it enqueued, have the request's id.
"""

import json
import logging
from datetime import UTC, datetime
from typing import Any, Final

from safelight.settings import LogSettings
from safelight.terminal import sanitize
from safelight.tracing import request_id

EACH_LOGGER: Final = "safelight.each"
"""The parent of the loggers that write a line for each request and each job."""


def configure_logging(settings: LogSettings) -> None:
    """Log to stderr, with libraries limited to what is useful and contains no secrets."""
    level = settings.level.upper()
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if settings.format == "json" else TextFormatter())
    # Debug lines of libraries may contain secrets, such as what botocore signs.
    library_level = "INFO" if level == "DEBUG" else level
    logging.basicConfig(level=library_level, handlers=[handler])
    logging.getLogger("safelight").setLevel(level)
    logging.getLogger(EACH_LOGGER).setLevel(logging.INFO if settings.logs_each else logging.WARNING)
    # httpx logs each URL, and those of the store are signed.
    for verbose in ("alembic", "httpx", "uvicorn", "procrastinate"):
        logging.getLogger(verbose).setLevel(max(logging.WARNING, logging.getLogger().level))
    # These repeat, with tracebacks, what our own lines report.
    for repetitive in ("botocore", "psycopg.pool"):
        logging.getLogger(repetitive).setLevel(logging.ERROR)
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


class TextFormatter(logging.Formatter):
    """One line of text per record, ending with the request's id if there is one.

    No message can forge a line: control characters are replaced, and the lines of a traceback begin
    with a bar.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's own name
        """Format the line without a traceback."""
        fields = {**_facts(record), "request": request_id.get()}
        words = [f"{name}={value}" for name, value in fields.items() if value is not None]
        return sanitize(" ".join((super().formatMessage(record), *words)))

    def formatException(self, ei: Any) -> str:  # noqa: N802  the same
        """Format a traceback."""
        lines = super().formatException(ei).splitlines()
        return "\n".join(f"| {sanitize(line)}" for line in lines)


class JsonFormatter(logging.Formatter):
    """One JSON object per record: `time` (UTC), `level`, `logger`, `message`.

    Where they apply, also `request_id`, `exception` (a traceback), and the fields of lines about a
    request or a job.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Format the object."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (id_ := request_id.get()) is not None:
            line["request_id"] = id_
        line |= _facts(record)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _facts(record: logging.LogRecord) -> dict[str, object]:
    facts: dict[str, object] = getattr(record, "facts", {})
    return facts
