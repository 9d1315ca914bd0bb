"""What a new process imports: nothing slow, and nothing that it doesn't use."""

import subprocess
import sys

import pytest


def test_help_imports_nothing_slow() -> None:
    code = "import sys; from safelight.cli.app import app; app(['--help']); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert "rich.console" in loaded
    slow = {
        "asyncio",
        "httpx",
        "json",
        "pydantic",
        "rich.markdown",
        "rich.progress",
        "fastapi",
        "sqlalchemy",
        "segno",
    }
    assert not slow & set(loaded)


@pytest.mark.parametrize("command", [["ls"], ["url", "1"], ["upload", __file__]])
def test_client_commands_import_nothing_of_the_server(command: list[str]) -> None:
    code = (
        "import sys; from safelight.cli.app import app\n"
        "from safelight.errors import OperatorError\n"
        "try: app(sys.argv[1:])\n"
        "except OperatorError: pass\n"
        "print(*sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, *command],
        check=True,
        capture_output=True,
        text=True,
        env={"SAFELIGHT_URL": "http://127.0.0.1:1"},
    )
    loaded = set(run.stdout.split())
    assert "safelight.client.api" in loaded
    assert not {"pydantic", "fastapi", "sqlalchemy", "safelight.settings"} & loaded


HEAVY = frozenset(
    {
        *("alembic", "boto3", "botocore", "cryptography", "cyclopts", "httpx", "jinja2", "obstore"),
        *("procrastinate", "prometheus_client", "psutil", "psycopg", "pyvips", "rich"),
        *("sqlalchemy", "uvicorn", "uvloop"),
    }
)
"""Packages that take long to import."""


@pytest.mark.parametrize(
    ("use", "also"),
    [
        ("safelight", {"fastapi", "pydantic", "msgspec"}),
        ("safelight.photo_router, safelight.add_error_handlers", set()),
        ("safelight.Library.from_settings(safelight.Settings())", {"fastapi"}),
        ("safelight.NotFound, safelight.Caption, safelight.AddResult", {"fastapi"}),
    ],
    ids=["package", "router", "library", "values"],
)
def test_import_of_an_embedding_program_imports_nothing_slow(use: str, also: set[str]) -> None:
    code = f"import sys, safelight; {use}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not (HEAVY | also) & set(loaded)


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
