"""uvicorn's private names that `web/http/protocol.py` relies on; pyproject bounds its version."""

import inspect

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

PROTOCOL_ATTRIBUTES = (
    *("transport", "headers", "pipeline", "cycle", "loop", "parser", "expect_100_continue"),
)
CYCLE_ATTRIBUTES = ("response_started", "response_complete", "disconnected", "message_event")
OVERRIDDEN = (
    "connection_made",
    "connection_lost",
    "data_received",
    "on_message_begin",
    "on_header",
    "on_headers_complete",
    "on_body",
    "on_message_complete",
    "on_response_complete",
    "send_400_response",
    "pause_writing",
    "resume_writing",
    "timeout_keep_alive_handler",
    "_start_asgi_task",
)


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_uvicorn_still_has_the_methods_that_we_override(name: str) -> None:
    assert callable(getattr(HttpToolsProtocol, name))


@pytest.mark.parametrize(
    ("kind", "names"),
    [(HttpToolsProtocol, PROTOCOL_ATTRIBUTES), (RequestResponseCycle, CYCLE_ATTRIBUTES)],
)
def test_uvicorn_still_has_the_attributes_that_we_read(kind: type, names: tuple[str, ...]) -> None:
    source = inspect.getsource(kind)
    assert [name for name in names if f"self.{name}" not in source] == []


def test_uvicorn_starts_requests_through_the_method_that_we_override() -> None:
    assert "self._start_asgi_task(" in inspect.getsource(HttpToolsProtocol)
