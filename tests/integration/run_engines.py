"""Start the engines of a data directory, print one line about them, and keep them running.

A program of its own, so that a test can kill it: ``python run_engines.py DIRECTORY``.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path

from safelight.engines import EmbeddedEngines
from safelight.errors import EngineError


def _tell(what: object) -> None:
    print(json.dumps(what), flush=True)  # noqa: T201  it is how this program answers


async def _keep(engines: EmbeddedEngines) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    _tell(
        {
            "pids": engines.pids(),
            "database_url": engines.database_url,
            "endpoint_url": engines.s3_endpoint_url,
            "access_key": engines.s3_access_key,
            "secret_key": engines.s3_secret_key,
            "facts": dict(engines.facts),
        }
    )
    watch = asyncio.create_task(engines.supervise())
    await ended.wait()
    watch.cancel()


def main() -> None:
    engines = EmbeddedEngines(Path(sys.argv[1]), bucket="safelight")
    try:
        engines.start()
    except EngineError as error:
        _tell({"error": str(error)})
        sys.exit(1)
    asyncio.run(_keep(engines))
    engines.stop()


if __name__ == "__main__":
    main()
