"""Measure the CPU time of an idle worker: ``python benchmarks/idle.py``."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from safelight.engines import EmbeddedEngines

SCRIPT = Path(sys.executable).with_name("safelight")


def _cpu(process: psutil.Process) -> float:
    """Return the CPU seconds of a process and its descendants."""
    processes = [process, *process.children(recursive=True)]
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def _measure(engines: EmbeddedEngines, folder: Path, seconds: float) -> None:
    environment = os.environ | {
        "SAFELIGHT_DATABASE_URL": engines.database_url,
        "SAFELIGHT_S3__ENDPOINT_URL": engines.s3_endpoint_url,
        "SAFELIGHT_S3__ACCESS_KEY": engines.s3_access_key,
        "SAFELIGHT_S3__SECRET_KEY": engines.s3_secret_key,
        "SAFELIGHT_DATA_DIR": str(folder / "worker"),
    }
    worker = subprocess.Popen([SCRIPT, "worker"], env=environment)
    try:
        time.sleep(10)
        process = psutil.Process(worker.pid)
        before, started_at = _cpu(process), time.monotonic()
        time.sleep(seconds)
        used, took = _cpu(process) - before, time.monotonic() - started_at
        print(f"idle worker: {used:.2f} s of CPU in {took:.0f} s, {used / took:.2%} of a core")
    finally:
        worker.terminate()
        worker.wait(10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    seconds = parser.parse_args(sys.argv[1:]).seconds
    with tempfile.TemporaryDirectory(prefix="safelight-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        engines = EmbeddedEngines(folder / "engines", bucket="safelight")
        engines.start()
        try:
            _measure(engines, folder, seconds)
        finally:
            engines.stop()


if __name__ == "__main__":
    main()
