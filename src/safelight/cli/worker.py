"""``safelight worker``: does jobs, and nothing else, until it is stopped."""

import asyncio
import contextlib
import logging
import signal

import uvloop

from safelight.cli.logs import tell_by_log
from safelight.cli.terminal import complain
from safelight.cli.traces import exported
from safelight.errors import SettingsError
from safelight.library import Library
from safelight.settings import Settings

_log = logging.getLogger("safelight.cli")


def run(settings: Settings) -> None:
    """Work until SIGINT or SIGTERM. Raises OperatorError if it can't be started."""
    if settings.database_url is None or settings.s3.endpoint_url is None:
        raise SettingsError(
            "A worker shares the engines of a server: set SAFELIGHT_DATABASE_URL and"
            " SAFELIGHT_S3__ENDPOINT_URL. The embedded ones belong to 'safelight serve', which has"
            " a worker of its own."
        )
    tell_by_log(settings.log)
    with exported(settings.traces):
        uvloop.run(_work(settings))


async def _work(settings: Settings) -> None:
    stopped = asyncio.Event()
    starting = asyncio.current_task()

    def stop() -> None:
        stopped.set()
        if starting and not started:
            starting.cancel()

    started = False
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, stop)
    with contextlib.suppress(asyncio.CancelledError):
        async with Library.from_settings(settings).lifespan(None):
            started = True
            if settings.log.format == "json":
                _log.info("ready")
            else:
                complain("The worker is ready. Ctrl-C ends it.")
            await stopped.wait()
