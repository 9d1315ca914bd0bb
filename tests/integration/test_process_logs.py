"""What libraries log in a process of its own, whose log is configured as by `serve`."""

import logging
import subprocess
import sys

import pytest


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
