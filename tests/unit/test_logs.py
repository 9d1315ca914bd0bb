"""The formats, levels and contents of the log."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest

from safelight.errors import SettingsError
from safelight.server.logging import JsonFormatter, TextFormatter
from safelight.server.otel import export_traces
from safelight.settings import LogSettings, TraceSettings
from safelight.tracing import request_id


def _record(message: str, **attributes: object) -> logging.LogRecord:
    record = logging.LogRecord("safelight.x", logging.WARNING, "", 1, message, None, None)
    record.__dict__ |= attributes
    return record


@pytest.fixture
def in_a_request() -> Iterator[None]:
    token = request_id.set("a-request-1")
    yield
    request_id.reset(token)


def test_json_is_one_line_for_any_message() -> None:
    line = JsonFormatter().format(_record('two\nlines, "quotes" and \u2028 é'))
    assert len(line.splitlines()) == 1
    parsed = json.loads(line)
    assert parsed["message"] == 'two\nlines, "quotes" and \u2028 é'
    assert (parsed["level"], parsed["logger"]) == ("warning", "safelight.x")
    assert parsed["time"].endswith("+00:00")
    assert "request_id" not in parsed


@pytest.mark.usefixtures("in_a_request")
def test_json_has_request_id_and_fields() -> None:
    parsed = json.loads(
        JsonFormatter().format(_record("job", facts={"task": "purge", "seconds": 0.5}))
    )
    assert (parsed["request_id"], parsed["task"], parsed["seconds"]) == (
        "a-request-1",
        "purge",
        0.5,
    )


def test_json_has_the_traceback() -> None:
    try:
        int("broken")
    except ValueError:
        line = JsonFormatter().format(_record("failed", exc_info=sys.exc_info()))
    assert len(line.splitlines()) == 1
    assert "ValueError: invalid literal" in json.loads(line)["exception"]


@pytest.mark.usefixtures("in_a_request")
def test_text_line_ends_with_its_request_id() -> None:
    assert (
        TextFormatter()
        .format(_record("it hurts"))
        .endswith(" WARNING it hurts request=a-request-1")
    )


def test_text_line_without_a_request_ends_with_its_message() -> None:
    assert TextFormatter().format(_record("it hurts")).endswith(" WARNING it hurts")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (LogSettings(), False),
        (LogSettings(format="json"), True),
        (LogSettings(format="json", level="warning"), False),
        (LogSettings(format="json", requests=False), False),
        (LogSettings(requests=True), True),
    ],
)
def test_request_lines_depend_on_format_and_level(settings: LogSettings, *, expected: bool) -> None:
    assert settings.logs_each is expected


def test_collector_without_the_extra_is_refused_with_advice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    collector = TraceSettings(endpoint_url="http://127.0.0.1:4318")
    with pytest.raises(SettingsError, match=r"safelight\[otel\]"), export_traces(collector):
        pass
