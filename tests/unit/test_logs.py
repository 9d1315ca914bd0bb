"""The formats, levels and contents of the log."""

import json
import logging
import subprocess
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


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_libraries_never_log_at_debug(level: str) -> None:
    code = (
        "import logging\n"
        "from safelight.server.logging import configure_logging\n"
        "from safelight.settings import LogSettings\n"
        f"configure_logging(LogSettings(level={level!r}))\n"
        "levels = [logging.getLogger(name).getEffectiveLevel() for name in ('botocore',"
        " 'procrastinate', 'uvicorn.error', 'asyncio', 'safelight.web')]\n"
        "print(*levels)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    *libraries, asyncio, own = map(int, process.stdout.split())
    expected = getattr(logging, level.upper())
    assert own == expected
    assert asyncio == max(expected, logging.INFO)
    assert min(libraries) >= max(expected, logging.WARNING)


@pytest.mark.parametrize("level", ["info", "debug"])
def test_signed_urls_are_not_logged(level: str) -> None:
    """httpx, which aborts multipart uploads, once logged signed URLs."""
    program = (
        "import httpx\n"
        "from safelight.server.logging import configure_logging\n"
        "from safelight.settings import LogSettings\n"
        f"configure_logging(LogSettings(level={level!r}))\n"
        "transport = httpx.MockTransport(lambda _: httpx.Response(200))\n"
        "httpx.Client(transport=transport).get('http://store.example/?X-Amz-Signature=abc')\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "X-Amz-Signature" not in process.stderr


def test_opentelemetry_sdk_is_not_imported_without_a_collector() -> None:
    code = (
        "import sys, safelight.server.serve, safelight.server.worker\n"
        "from safelight.settings import TraceSettings\n"
        "with safelight.server.otel.export_traces(TraceSettings()): print(*sys.modules)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    modules = {name for name in process.stdout.split() if name.startswith("opentelemetry.")}
    assert not {name for name in modules if name.split(".")[1] in {"sdk", "exporter", "proto"}}
    assert "safelight.web.middleware.tracing" not in process.stdout.split()


def test_collector_without_the_extra_is_refused_with_advice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    collector = TraceSettings(endpoint_url="http://127.0.0.1:4318")
    with pytest.raises(SettingsError, match=r"safelight\[otel\]"), export_traces(collector):
        pass
