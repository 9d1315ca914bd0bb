"""``safelight worker``: run background jobs without serving."""

import asyncio
import contextlib
import logging
import os
import signal

import uvloop

from safelight.errors import SettingsError
from safelight.library import Library
from safelight.server.logging import configure_logging
from safelight.server.otel import export_traces
from safelight.settings import Settings
from safelight.settings.warnings import find_near_misses
from safelight.terminal import print_note

_log = logging.getLogger("safelight.cli")


def run(settings: Settings) -> None:
    """Run jobs until SIGINT or SIGTERM. Raises OperatorError if the worker can't start."""
    if settings.database_url is None or settings.s3.endpoint_url is None:
        raise SettingsError(
            "A worker needs SAFELIGHT_DATABASE_URL and SAFELIGHT_S3__ENDPOINT_URL: set both to the"
            " server's values. With embedded engines, 'safelight serve' runs the jobs itself."
        )
    configure_logging(settings.log)
    for warning in find_near_misses(os.environ):
        _log.warning("%s", warning)
    with export_traces(settings.traces, settings.authorities):
        uvloop.run(_work(settings))


async def _work(settings: Settings) -> None:
    stopped = asyncio.Event()
    starting = asyncio.current_task()

    def stop() -> None:
        stopped.set()
        if starting and not started:
            starting.cancel()

    started = False
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    with contextlib.suppress(asyncio.CancelledError):
        async with Library.from_settings(settings).lifespan(None):
            started = True
            if settings.log.format == "json":
                _log.info("ready")
            else:
                print_note("The worker is ready. Press Ctrl-C to stop.")
            await stopped.wait()
