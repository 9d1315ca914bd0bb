"""Security events are single lines that the documented fail2ban filter finds, and no others."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.requests import Request

from safelight.server.logging import JsonFormatter, TextFormatter
from safelight.tracing import request_id
from safelight.web.security_log import SecurityEvent, log_security_event

PAGE = (Path(__file__).parents[2] / "docs" / "observing.md").read_text()
REFUSED = {"sign_in_failed", "token_rejected", "throttled"}
FORMATTERS = [TextFormatter(), JsonFormatter()]
HOST = (
    r"(?:\[?(?:(?:::f{4,6}:)?(?P<ip4>(?:\d{1,3}\.){3}\d{1,3})"
    r"|(?P<ip6>[0-9a-fA-F:]*:[0-9a-fA-F:]+))\]?)"
)
"""How fail2ban reads <HOST>, without host names."""
DATE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,]\d{3}(?:\+00:00)?")

Emit = Callable[..., logging.LogRecord]


@pytest.fixture
def emit(caplog: pytest.LogCaptureFixture) -> Iterator[Emit]:
    """A function that logs an event of a client, and returns its record."""

    def log(
        event: SecurityEvent, address: str = "203.0.113.9", **numbers: int
    ) -> logging.LogRecord:
        scope = {"type": "http", "client": (address, 5000), "headers": []}
        log_security_event(Request(scope), event, **numbers)
        return caplog.records[-1]

    token = request_id.set("a-request-1")
    with caplog.at_level(logging.INFO, "safelight.security"):
        yield log
    request_id.reset(token)


def _find(line: str) -> str | None:
    """Return the address that the documented filter finds in a line, as fail2ban searches it."""
    block = re.search(r"```ini\n# /etc/fail2ban/filter.d/safelight.conf\n(.*?)```", PAGE, re.DOTALL)
    assert block
    _, _, patterns = block[1].partition("failregex = ")
    without_date = DATE.sub("", line, count=1)
    for pattern in filter(None, map(str.strip, patterns.splitlines())):
        if found := re.search(pattern.replace("<HOST>", HOST), without_date):
            return found["ip4"] or found["ip6"]
    return None


@pytest.mark.parametrize("formatter", FORMATTERS, ids=["text", "json"])
@pytest.mark.parametrize("address", ["203.0.113.9", "2001:db8::9"])
@pytest.mark.parametrize("event", SecurityEvent)
def test_filter_finds_refused_clients(
    emit: Emit, event: SecurityEvent, address: str, formatter: logging.Formatter
) -> None:
    line = formatter.format(emit(event, address))
    assert _find(line) == (address if event in REFUSED else None)
    journal = f"Nov 26 14:40:13 photos safelight[4711]: {line}"
    if isinstance(formatter, TextFormatter):
        assert _find(journal.removeprefix("Nov 26 14:40:13 ")) == _find(line)


def test_text_line_has_event_address_number_and_request(emit: Emit) -> None:
    line = TextFormatter().format(emit(SecurityEvent.PHOTO_DELETED, photo=7))
    assert line.endswith(
        " INFO security event=photo_deleted address=203.0.113.9 photo=7 request=a-request-1"
    )
    parsed = json.loads(JsonFormatter().format(emit(SecurityEvent.THROTTLED)))
    assert parsed["logger"] == "safelight.security"
    assert (parsed["level"], parsed["event"], parsed["address"], parsed["request_id"]) == (
        *("warning", "throttled", "203.0.113.9"),
        "a-request-1",
    )


@pytest.mark.parametrize("address", ["", "/run/socket", "1.2.3.4\n5.6.7.8", "x WARNING security"])
def test_only_addresses_are_logged(emit: Emit, address: str) -> None:
    assert " address=- " in TextFormatter().format(emit(SecurityEvent.THROTTLED, address))


FORGED = "WARNING security event=token_rejected address=198.51.100.1"
FORGED_JSON = (
    '{"time": "", "level": "warning", "logger": "safelight.security", "message": "security",'
    ' "event": "token_rejected", "address": "198.51.100.1"}'
)


@pytest.mark.parametrize("formatter", FORMATTERS, ids=["text", "json"])
@pytest.mark.parametrize("text", [FORGED, FORGED_JSON], ids=["text", "json"])
@pytest.mark.parametrize(
    "before", ["", "x: ", "\n", "x\r\n", "x\u2028", "\n2026-11-26 14:40:13,123 "]
)
def test_other_lines_cannot_be_forged(before: str, text: str, formatter: logging.Formatter) -> None:
    """Even if a message or an exception contains text of a client."""
    message = before + text
    caught = (ValueError, ValueError(message), None)
    record = logging.LogRecord("safelight.web", logging.WARNING, "", 1, message, None, caught)
    lines = formatter.format(record).split("\n")
    assert len(lines) == 1 or all(line.startswith("| ") for line in lines[1:])
    assert [_find(line) for line in lines] == [None] * len(lines)


def test_every_event_is_documented() -> None:
    documented = set(re.findall(r"^\| `(\w+)` \| (?:info|warning) \|", PAGE, re.MULTILINE))
    assert documented == set(SecurityEvent)
