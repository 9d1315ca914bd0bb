"""The log: a line is an object, or is for people, and tells for which request it was written."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from safelight.cli.logs import JsonLines, Lines
from safelight.cli.traces import exported
from safelight.errors import SettingsError
from safelight.settings import LogSettings, TraceSettings
from safelight.trail import request_id


def _record(message: str, **more: object) -> logging.LogRecord:
    record = logging.LogRecord("safelight.x", logging.WARNING, "", 1, message, None, None)
    record.__dict__ |= more
    return record


@pytest.fixture
def in_a_request() -> Iterator[None]:
    mark = request_id.set("a-request-1")
    yield
    request_id.reset(mark)


def test_an_object_is_one_line_whatever_it_tells() -> None:
    line = JsonLines().format(_record('two\nlines, "quotes" and \u2028 é'))
    assert len(line.splitlines()) == 1
    told = json.loads(line)
    assert told["message"] == 'two\nlines, "quotes" and \u2028 é'
    assert (told["level"], told["logger"]) == ("warning", "safelight.x")
    assert told["time"].endswith("+00:00")
    assert "request_id" not in told


@pytest.mark.usefixtures("in_a_request")
def test_an_object_tells_its_request_and_its_facts() -> None:
    told = json.loads(JsonLines().format(_record("job", facts={"task": "purge", "seconds": 0.5})))
    assert (told["request_id"], told["task"], told["seconds"]) == ("a-request-1", "purge", 0.5)


def test_an_object_holds_the_traceback() -> None:
    try:
        int("broken")
    except ValueError:
        line = JsonLines().format(_record("failed", exc_info=sys.exc_info()))
    assert len(line.splitlines()) == 1
    assert "ValueError: invalid literal" in json.loads(line)["exception"]


@pytest.mark.usefixtures("in_a_request")
def test_a_line_for_people_ends_with_its_request() -> None:
    assert Lines().format(_record("it hurts")).endswith(" WARNING it hurts request=a-request-1")


def test_a_line_for_people_that_is_about_no_request_ends_with_its_words() -> None:
    assert Lines().format(_record("it hurts")).endswith(" WARNING it hurts")


@pytest.mark.parametrize(
    ("settings", "tells"),
    [
        (LogSettings(), False),
        (LogSettings(format="json"), True),
        (LogSettings(format="json", level="warning"), False),
        (LogSettings(format="json", requests=False), False),
        (LogSettings(requests=True), True),
    ],
)
def test_each_request_is_told_in_json_or_when_asked_for(
    settings: LogSettings, *, tells: bool
) -> None:
    assert settings.tells_each is tells


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_others_never_tell_more_than_at_info(level: str) -> None:
    code = (
        "import logging\n"
        "from safelight.cli.logs import tell_by_log\n"
        "from safelight.settings import LogSettings\n"
        f"tell_by_log(LogSettings(level={level!r}))\n"
        "levels = [logging.getLogger(each).getEffectiveLevel() for each in ('botocore',"
        " 'procrastinate', 'uvicorn.error', 'asyncio', 'safelight.web')]\n"
        "print(*levels)"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    *others, asyncios, ours = map(int, said.stdout.split())
    wanted = getattr(logging, level.upper())
    assert ours == wanted
    assert asyncios == max(wanted, logging.INFO)
    assert min(others) >= max(wanted, logging.WARNING)


@pytest.mark.parametrize("level", ["info", "debug"])
def test_a_signed_url_that_is_called_is_not_told(level: str) -> None:
    """Uploads in parts are cleared away by httpx, which told each URL with its signature."""
    program = (
        "import httpx\n"
        "from safelight.cli.logs import tell_by_log\n"
        "from safelight.settings import LogSettings\n"
        f"tell_by_log(LogSettings(level={level!r}))\n"
        "transport = httpx.MockTransport(lambda _: httpx.Response(200))\n"
        "httpx.Client(transport=transport).get('http://store.example/?X-Amz-Signature=abc')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "X-Amz-Signature" not in done.stderr


def test_without_a_collector_nothing_of_opentelemetrys_sdk_is_imported() -> None:
    code = (
        "import sys, safelight.cli.serve, safelight.cli.worker\n"
        "from safelight.settings import TraceSettings\n"
        "with safelight.cli.traces.exported(TraceSettings()): print(*sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    ours = {name for name in said.stdout.split() if name.startswith("opentelemetry.")}
    assert not {name for name in ours if name.split(".")[1] in {"sdk", "exporter", "proto"}}
    assert "safelight.web.traces" not in said.stdout.split()


def test_without_the_extra_a_collector_is_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    collector = TraceSettings(endpoint_url="http://127.0.0.1:4318")
    with pytest.raises(SettingsError, match=r"safelight\[otel\]"), exported(collector):
        pass
