"""The log on stderr: lines for people, or JSON for what collects them.

Nothing secret is told: no token, no signed URL, no file name. Lines that are about a request, or
about a job that it enqueued, have its id.
"""

import json
import logging
from datetime import UTC, datetime
from typing import Final

from safelight.settings import LogSettings
from safelight.trail import request_id

EACH: Final = "safelight.each"
"""Above the loggers of a line for each request and each job."""


def tell_by_log(settings: LogSettings) -> None:
    """Write what happens to stderr, but not everything that is said by what we use."""
    level = settings.level.upper()
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if settings.format == "json" else Lines())
    # Others' words at debug tell what ours never do: botocore's, for one, what it signs.
    others = "INFO" if level == "DEBUG" else level
    logging.basicConfig(level=others, handlers=[handler])
    logging.getLogger("safelight").setLevel(level)
    logging.getLogger(EACH).setLevel(logging.INFO if settings.tells_each else logging.WARNING)
    # httpx tells each call with its URL, which for the store's is a signed one.
    for chatty in ("alembic", "httpx", "uvicorn", "procrastinate"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
    # They tell with a traceback, or again and again, what our own line tells.
    for frightened in ("botocore", "psycopg.pool"):
        logging.getLogger(frightened).setLevel(logging.ERROR)
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


class Lines(logging.Formatter):
    """A line for people, with the request's id at its end if it is about one."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's own name
        """Write the line, but no traceback."""
        told = {**_facts(record), "request": request_id.get()}
        words = [f"{name}={value}" for name, value in told.items() if value is not None]
        return " ".join((super().formatMessage(record), *words))


class JsonLines(logging.Formatter):
    """A JSON object in a line: `time` (UTC), `level`, `logger`, `message`, and what more there is.

    That is `request_id`, `exception` (a traceback), and the facts of lines about a request or a
    job.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Write the object."""
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
