"""Start the engines of a data directory, print one line about them, and keep them running.

It is a separate program, so that a test can kill it: ``python run_engines.py DIRECTORY``.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path

from safelight.engines import EmbeddedEngines
from safelight.errors import OperatorError


def _print_report(report: object) -> None:
    print(json.dumps(report), flush=True)  # noqa: T201  this is the program's output


async def _run(engines: EmbeddedEngines) -> None:
    stop_requested = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop_requested.set)
    _print_report(
        {
            "pids": engines.pids(),
            "database_url": engines.database_url,
            "endpoint_url": engines.s3_endpoint_url,
            "access_key": engines.s3_access_key,
            "secret_key": engines.s3_secret_key,
            "facts": dict(engines.summary),
        }
    )
    supervision = asyncio.create_task(engines.supervise())
    await stop_requested.wait()
    supervision.cancel()


def main() -> None:
    engines = EmbeddedEngines(Path(sys.argv[1]), bucket="safelight")
    try:
        engines.start()
    except OperatorError as error:
        _print_report({"error": str(error)})
        sys.exit(1)
    asyncio.run(_run(engines))
    engines.stop()


if __name__ == "__main__":
    main()
